#include "tally/verdict.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "tally/text.hpp"

// How InfluxDB answers was tried against 1.6.7 and read in the source of the others. Where the
// answer does not come from InfluxDB at all (a proxy, a web page, the TLS port), the points are
// kept: a wrong setting must not cost data.

namespace tally {
namespace {

using namespace std::chrono;

/// All that the judges look at, so that each takes one argument.
struct Case {
  const Response& response;
  const Payload& payload;
  const Destination& to;
  std::string_view error;  ///< what the server said was wrong
};

/// The error as the server put it: the header, or the body without its JSON. What it begins with is
/// the server's; further on it quotes names that a client chose, so nothing is looked for there.
std::string_view error_of(const Response& response) {
  constexpr std::string_view json = "{\"error\":\"";
  std::string_view text = response.influxdb_error.empty() ? response.body : response.influxdb_error;
  const std::size_t end = text.find_last_not_of("\r\n ");
  text = text.substr(0, end == std::string_view::npos ? 0 : end + 1);
  if (!text.starts_with(json)) return text;
  text.remove_prefix(json.size());
  if (text.ends_with("\"}")) text.remove_suffix(2);
  return text;
}

/// Foreign words inside a sentence: as `quote`, without the quotes.
std::string words(std::string_view foreign) {
  std::string quoted = quote(foreign, 300);
  quoted.erase(quoted.rfind('"'), 1);
  return quoted.substr(1);
}

/// `404 "404 page not found"`
std::string answer(const Case& c) {
  return c.error.empty() ? fmt::format("{} without a text", c.response.status)
                         : fmt::format("{} {}", c.response.status, quote(c.error));
}

Verdict keep(std::string message) {
  return {.action = Action::keep, .message = std::move(message)};
}

Verdict misconfigured(std::string message) {
  return {.action = Action::keep, .configuration = true, .message = std::move(message)};
}

Verdict judge_no_answer(const Response& response, const Destination& to) {
  const std::string why = words(response.transport_error);
  switch (response.no_answer) {
    case NoAnswer::unreachable:
      return keep(fmt::format("nothing answers at {}: {}; start InfluxDB or correct influxdb.url",
                              to.url, why));
    case NoAnswer::unresolved:
      return keep(fmt::format(
          "cannot find the host of {}: {}; correct influxdb.url or the name service", to.url, why));
    case NoAnswer::timed_out:
      return keep(
          fmt::format("{} did not answer: {}; whether it stored the points is unknown, so the "
                      "same bytes are sent again; if it is only slow raise influxdb.timeout",
                      to.url, why));
    case NoAnswer::tls:
      return misconfigured(fmt::format(
          "no trusted connection to {}: {}; set influxdb.ca_file to the authority that signed the "
          "server's certificate, or correct influxdb.url",
          to.url, why));
    case NoAnswer::broken:
      break;
  }
  return keep(fmt::format(
      "the connection to {} gave no whole answer: {}; the same bytes are sent again", to.url, why));
}

/// The version number in what a server calls itself: "1.6.7~rc0", "v2.7.1", "InfluxDB v0.8.8 (..".
std::string_view version_number(std::string_view version) {
  const std::size_t digit = version.find_first_of("0123456789");
  return digit == std::string_view::npos ? std::string_view() : version.substr(digit);
}

/// Whether the server names a version, and not one of the API that tallyd speaks.
bool is_other_version(const Response& response) {
  return !version_number(response.influxdb_version).empty() &&
         api_of(response.influxdb_version) != Api::v1;
}

/// What to do when the write API is not where we looked for it, by the version the server names.
std::string_view cure_for(std::string_view version) {
  const std::string_view number = version_number(version);
  if (number.starts_with("0.8")) {
    return "InfluxDB got it with 0.9: upgrade the server to 1.x, or set influxdb.url to one that "
           "is";
  }
  if (number.starts_with("2.")) {
    return "InfluxDB 2.x has it only for a mapped database and a user of that API: make them with "
           "\"influx v1 dbrp create\" and \"influx v1 auth create\", or set influxdb.url to an "
           "InfluxDB 1.x";
  }
  if (number.starts_with("3.")) {
    return "InfluxDB 3 is not supported yet: set influxdb.url to an InfluxDB 1.x";
  }
  return "the server has it, but not below this url: set influxdb.url to the server's root, such "
         "as "
         "http://host:8086, without a path";
}

Verdict judge_wrong_api(const Case& c) {
  const std::string api =
      fmt::format("the InfluxDB 1.x API (POST /write?db={})", words(c.to.database));
  if (c.response.influxdb_version.empty()) {
    return misconfigured(
        fmt::format("{} answered {} to {} and does not name itself InfluxDB: correct influxdb.url",
                    c.to.url, answer(c), api));
  }
  return misconfigured(fmt::format("{} is InfluxDB {} and answered {} to {}: {}", c.to.url,
                                   quote(c.response.influxdb_version), answer(c), api,
                                   cure_for(c.response.influxdb_version)));
}

// ---- 400: some or all lines were refused ------------------------------------------------------

std::uint32_t occurrences(std::string_view text, std::string_view part) {
  std::uint32_t count = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos;
       at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

/// The N of the last `dropped=N`; 0 if there is none.
std::uint32_t dropped_by(std::string_view error) {
  constexpr std::string_view mark = "dropped=";
  std::uint32_t dropped = 0;
  if (const std::size_t at = error.rfind(mark); at != std::string_view::npos) {
    std::from_chars(error.data() + at + mark.size(), error.data() + error.size(), dropped);
  }
  return dropped;
}

/// What InfluxDB 1.x says when it stored only a part, and what that means.
struct Partial {
  std::string_view sign;
  PointLoss loss;
  std::string_view cure;
};
constexpr std::array<Partial, 6> partials{{
    {"unable to parse", PointLoss::refused,
     "these lines are lost: a fault of tallyd, please report it"},
    {"points beyond retention policy", PointLoss::beyond_retention,
     "they are older than the retention policy keeps: lengthen it, or correct this host's clock"},
    {"field type conflict", PointLoss::type_conflict,
     "another writer stored this field with another type: rename one, or drop the measurement"},
    {"max-series", PointLoss::series_limit,
     "the database takes no new series: raise its limit or send fewer names and tags; InfluxDB may "
     "have "
     "dropped more points than it says, of known series too"},
    {"max-values-per-tag", PointLoss::series_limit,
     "the database takes no new value of this tag: raise its limit or send fewer tag values"},
    {"", PointLoss::refused, "these points are lost"},
}};

const Partial& partial_of(std::string_view reason) {
  return *std::find_if(partials.begin(), partials.end(),
                       [&](const Partial& partial) { return reason.starts_with(partial.sign); });
}

/// Points that were lost of a batch whose rest is stored: at least one, at most all. A line that
/// does not parse is quoted and not counted in `dropped=`. Limit: with more such lines than the 64
/// KiB held of the answer can quote, this is too few.
std::uint32_t points_refused(const Case& c, std::string_view reason) {
  // No line can feign this: the blanks in its names are escaped.
  constexpr std::string_view unparsed = "unable to parse '";
  const std::uint32_t lost =
      reason.starts_with(unparsed)
          ? std::max(occurrences(c.error, unparsed), occurrences(c.response.body, unparsed))
          : dropped_by(reason);
  return std::clamp(lost, std::uint32_t{1}, std::max(c.payload.points, std::uint32_t{1}));
}

Verdict judge_bad_request(const Case& c) {
  if (is_other_version(c.response)) return judge_wrong_api(c);
  // JSON alone is no sign: a gateway speaks it too, and what it refuses is not lost.
  const bool is_influxdb =
      !c.response.influxdb_version.empty() || !c.response.influxdb_error.empty();
  if (!is_influxdb) {
    return misconfigured(
        fmt::format("{} answered {}, and not in the words of InfluxDB: correct "
                    "influxdb.url (https:// for a TLS port)",
                    c.to.url, answer(c)));
  }
  if (c.error == "database is required") {
    return misconfigured(
        fmt::format("InfluxDB at {} answered {}: set influxdb.database", c.to.url, answer(c)));
  }
  constexpr std::string_view partial_mark = "partial write: ";
  const bool is_partial = c.error.starts_with(partial_mark);
  const std::string_view reason = c.error.substr(is_partial ? partial_mark.size() : 0);
  const Partial& partial = partial_of(reason);
  const std::uint32_t lost = is_partial ? points_refused(c, reason) : c.payload.points;
  return {.action = is_partial ? Action::written : Action::drop,
          .loss = partial.loss,
          .points_lost = lost,
          .message = fmt::format("InfluxDB at {} refused {} of {} points: {}; {}", c.to.url,
                                 with_commas(lost), with_commas(c.payload.points), answer(c),
                                 partial.cure)};
}

// ---- 401, 403, 404, 405: only an operator can mend it -------------------------------------------

Verdict judge_credentials(const Case& c) {
  if (is_other_version(c.response)) return judge_wrong_api(c);
  const std::string who = quote(c.to.username);
  const std::string database = quote(c.to.database);
  if (c.to.username.empty()) {
    return misconfigured(fmt::format(
        "InfluxDB at {} wants a user and none is configured ({}): set influxdb.username and "
        "influxdb.password_file",
        c.to.url, answer(c)));
  }
  if (c.response.status == 403) {
    return misconfigured(fmt::format(
        "InfluxDB at {} does not let user {} write to database {} ({}): GRANT WRITE ON {} TO {}",
        c.to.url, who, database, answer(c), database, who));
  }
  return misconfigured(fmt::format(
      "InfluxDB at {} refused user {} ({}): correct influxdb.username and influxdb.password_file",
      c.to.url, who, answer(c)));
}

Verdict judge_missing_database(const Case& c) {
  const std::string database = quote(c.to.database);
  if (c.to.create_database) {
    return {.action = Action::create_database,
            .message = fmt::format("InfluxDB at {} has no database {}", c.to.url, database)};
  }
  return misconfigured(
      fmt::format("InfluxDB at {} has no database {} ({}): CREATE DATABASE {} there, or set "
                  "influxdb.create_database",
                  c.to.url, database, answer(c), database));
}

Verdict judge_not_found(const Case& c) {
  return c.error.starts_with("database not found") ? judge_missing_database(c) : judge_wrong_api(c);
}

// ---- 2xx and 3xx that no InfluxDB sends, 413, and a server in trouble ---------------------------

Verdict judge_not_a_write_api(const Case& c) {
  return misconfigured(
      fmt::format("{} answered {} {} where InfluxDB 1.x answers 204: this is a web page, not a "
                  "write API; correct "
                  "influxdb.url",
                  c.to.url, c.response.status, quote(c.response.content_type)));
}

Verdict judge_redirect(const Case& c) {
  return misconfigured(
      fmt::format("{} redirects ({}) to {}: tallyd does not follow, for the password's sake; set "
                  "influxdb.url to "
                  "where InfluxDB is",
                  c.to.url, c.response.status, quote(c.response.location)));
}

Verdict judge_too_large(const Case& c) {
  const std::string size = as_size(c.payload.body.size());
  if (c.payload.points > 1) {
    return {.action = Action::split,
            .message =
                fmt::format("{} takes no request of {} ({}): it is sent in two halves; raise the "
                            "server's max-body-size",
                            c.to.url, size, answer(c))};
  }
  return {.action = Action::drop,
          .loss = PointLoss::refused,
          .points_lost = c.payload.points,
          .message = fmt::format(
              "{} refused a single point of {} ({}), and it is lost: raise the server's "
              "max-body-size",
              c.to.url, size, answer(c))};
}

/// "Sun, 06 Nov 1994 08:49:37 GMT", the one form of a date that HTTP lets a server send (RFC
/// 9110 5.6.7).
std::optional<sys_seconds> parse_http_date(std::string_view text) {
  constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (text.size() != 29 || !text.ends_with(" GMT")) return std::nullopt;
  const auto number = [&](std::size_t at, std::size_t digits) {
    int value = -1;
    const char* end = text.data() + at + digits;
    return std::from_chars(text.data() + at, end, value).ptr == end ? value : -1;
  };
  const std::size_t month = months.find(text.substr(8, 3));
  const year_month_day date{year{number(12, 4)},
                            std::chrono::month{static_cast<unsigned>(month / 3 + 1)},
                            day{static_cast<unsigned>(number(5, 2))}};
  const int hour = number(17, 2);
  const int minute = number(20, 2);
  const int second = number(23, 2);
  if (month % 3 != 0 || !date.ok() || hour < 0 || minute < 0 || second < 0) return std::nullopt;
  return sys_days{date} + hours{hour} + minutes{minute} + seconds{second};
}

/// Seconds, or a date. A date is measured from the server's own clock, so ours may be wrong.
/// Nonsense is 0.
seconds wish_of(const Response& response) {
  constexpr seconds longest{300};
  const std::string_view text = response.retry_after;
  std::uint32_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (end == text.data() + text.size() && failure == std::errc{})
    return std::min(longest, seconds{number});
  const auto until = parse_http_date(text);
  const auto from = parse_http_date(response.date);
  if (!until || !from) return seconds{0};
  return std::clamp<seconds>(*until - *from, seconds{0}, longest);
}

Verdict judge_overload(const Case& c) {
  Verdict verdict =
      keep(fmt::format("{} cannot take points now ({}): look at the server's load, and at the "
                       "proxy if there is one between",
                       c.to.url, answer(c)));
  verdict.retry_after = wish_of(c.response);
  return verdict;
}

Verdict judge_server_error(const Case& c) {
  if (c.error.starts_with("retention policy not found")) {
    return misconfigured(
        fmt::format("InfluxDB at {} has no such retention policy ({}): correct "
                    "influxdb.retention_policy, or create it "
                    "on database {}",
                    c.to.url, answer(c), quote(c.to.database)));
  }
  return keep(
      fmt::format("{} failed to store points ({}): look at the server's log, disk and memory",
                  c.to.url, answer(c)));
}

Verdict judge_unexpected(const Case& c) {
  return misconfigured(fmt::format(
      "{} answered {}, which no InfluxDB 1.x does: correct influxdb.url", c.to.url, answer(c)));
}

}  // namespace

Verdict judge(const Response& response, const Payload& payload, const Destination& destination) {
  if (!response.transport_error.empty()) return judge_no_answer(response, destination);
  const Case c{response, payload, destination, error_of(response)};
  switch (response.status) {
    case 204:
      return {.action = Action::written};
    case 400:
      return judge_bad_request(c);
    case 401:
    case 403:
      return judge_credentials(c);
    case 404:
      return judge_not_found(c);
    case 405:
      return judge_wrong_api(c);
    case 413:
      return judge_too_large(c);
    case 408:
    case 429:
    case 502:
    case 503:
    case 504:
      return judge_overload(c);
    default:
      break;
  }
  switch (response.status / 100) {
    case 2:
      return judge_not_a_write_api(c);
    case 3:
      return judge_redirect(c);
    case 5:
      return judge_server_error(c);
    default:
      return judge_unexpected(c);
  }
}

Verdict judge_created(const Response&, const Destination&) {
  return {};
}

}  // namespace tally
