#include "tally/verdict.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "deliver/answer.hpp"
#include "tally/text.hpp"

// How InfluxDB answers was tried against 1.6.7 and VictoriaMetrics 1.79, and read in the source of
// the others. Where the answer does not come from InfluxDB at all (a proxy, a web page, the TLS
// port), the points are kept: a wrong setting must not cost data.

namespace tally {
namespace {

Verdict judge_no_answer(const Response& response, const Destination& to) {
  if (std::string line = why_unreached(response, to); !line.empty()) {
    const bool can_wait = response.no_answer != NoAnswer::tls;
    return can_wait ? keep(std::move(line)) : misconfigured(std::move(line));
  }
  const std::string why = words(response.transport_error);
  if (response.no_answer == NoAnswer::timed_out)
    return keep(
        fmt::format("{} did not answer: {}; whether it stored the points is unknown, so the same "
                    "bytes are sent again; if it is only slow raise influxdb.timeout",
                    to.url, why));
  return keep(fmt::format(
      "the connection to {} gave no whole answer: {}; the same bytes are sent again", to.url, why));
}

// ---- 2xx and 3xx -------------------------------------------------------------------------------

/// 0.8 says nothing with 200, all others say nothing with 204.
bool is_success(const Case& c) {
  if (c.to.api != Api::v0_8) return c.response.status == 204;
  return c.response.status == 200 && c.response.body.empty() && c.server == Api::v0_8;
}

Verdict judge_not_a_write_api(const Case& c) {
  if (c.is_other_api()) return judge_wrong_api(c);
  Verdict verdict = misconfigured(fmt::format(
      "{} answered {} {} where InfluxDB answers {}: this is a web page, not a write API; correct "
      "influxdb.url",
      c.to.url, c.response.status, quote(c.response.content_type),
      c.to.api == Api::v0_8 ? "200 without a text and with its version" : "204"));
  verdict.api_in_doubt = true;
  return verdict;
}

Verdict judge_redirect(const Case& c) {
  return misconfigured(fmt::format(
      "{} redirects ({}) to \"{}\": tallyd does not follow, for the password's sake; set "
      "influxdb.url to where InfluxDB is",
      c.to.url, c.response.status, words(c.response.location)));
}

// ---- 401, 403, 404: only an operator can mend it -----------------------------------------------

/// 2.x and 3.x.
Verdict judge_token(const Case& c) {
  const std::string_view what = c.response.status == 403 ? "does not let the token write to"
                                                         : "refused the token, or wants one, for";
  const std::string_view thing = c.to.api == Api::v2 ? "bucket" : "database";
  return misconfigured(fmt::format(
      "InfluxDB at {} {} {} {} ({}): correct influxdb.token_file; the token needs the right to "
      "write there",
      c.to.url, what, thing, quote(c.to.database), answer(c)));
}

/// 0.8 and 1.x.
Verdict judge_user(const Case& c) {
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

Verdict judge_credentials(const Case& c) {
  if (c.is_other_api()) return judge_wrong_api(c);
  Verdict verdict = c.to.api == Api::v2 || c.to.api == Api::v3 ? judge_token(c) : judge_user(c);
  // A wrong password costs the server 75 ms each time: it is not to be asked for oftener.
  return c.response.status == 403 ? shown_without_points(std::move(verdict), c.to) : verdict;
}

/// 2.x says `bucket "x" not found`, `organization name "x" not found`, and of 1's API `no dbrp
/// mapping found`.
Verdict judge_not_found_2(const Case& c) {
  if (c.to.api != Api::v2) return judge_wrong_api(c);
  if (c.error.starts_with("organization")) {
    return shown_without_points(
        misconfigured(fmt::format("InfluxDB at {} has no organization {} ({}): correct "
                                  "influxdb.org",
                                  c.to.url, quote(c.to.org), answer(c))),
        c.to);
  }
  return judge_missing_database(c);
}

Verdict judge_not_found(const Case& c) {
  if (c.error.starts_with("database not found")) return judge_missing_database(c);
  return string_at(c.json, "code") == "not found" ? judge_not_found_2(c) : judge_wrong_api(c);
}

// ---- 413, and a server in trouble --------------------------------------------------------------

Verdict judge_too_large(const Case& c) {
  const std::string size = as_size(c.payload.body.size());
  if (c.payload.points > 1) {
    return {.action = Action::split,
            .message =
                fmt::format("{} takes no request of {} ({}): it is sent in two halves; raise the "
                            "server's limit (1.x: max-body-size)",
                            c.to.url, size, answer(c))};
  }
  return {.action = Action::drop,
          .loss = PointLoss::refused,
          .points_lost = c.payload.points,
          .refused_lines = {0},
          .message = fmt::format("{} refused a single point of {} ({}), and it is lost: raise the "
                                 "server's limit (1.x: max-body-size)",
                                 c.to.url, size, answer(c))};
}

Verdict judge_overload(const Case& c) {
  Verdict verdict =
      keep(fmt::format("{} cannot take points now ({}): look at the server's load, and at the "
                       "proxy if there is one between",
                       c.to.url, answer(c)));
  verdict.retry_after = retry_after(c.response);
  return verdict;
}

/// Whether a 500 tells of the server's own trouble, which no line makes: the errors that tsdb
/// (store, shard, engine) and the coordinator of influxdata/influxdb 1.x declare, and those of a
/// disk; 2.x has the same behind its own words. Names that a client chose stand further on.
bool is_own_trouble(std::string_view error) {
  constexpr std::string_view beginnings[] = {
      "timeout",
      "write failed",
      "[shard ",
      "shard is ",
      "shard not found",
      "opening shard",
      "not attempting to open shard",
      "engine is closed",
      "engine: cache-max-memory-size",
      "engine: error writing WAL",
      "engine: error rolling WAL",
      "cache-max-memory-size",
      "store is closed",
  };
  constexpr std::string_view of_2 = "unexpected error writing points to database: ";
  if (error.starts_with(of_2)) error.remove_prefix(of_2.size());
  return error.ends_with("no space left on device") || error.ends_with("too many open files") ||
         std::ranges::any_of(beginnings,
                             [&](std::string_view begin) { return error.starts_with(begin); });
}

Verdict judge_internal_error(const Case& c) {
  if (c.error.starts_with("retention policy not found")) {
    return misconfigured(
        fmt::format("InfluxDB at {} has no such retention policy ({}): correct "
                    "influxdb.retention_policy, or create it on database {}",
                    c.to.url, answer(c), quote(c.to.database)));
  }
  Verdict verdict =
      keep(fmt::format("{} failed to store points ({}): look at the server's log, disk and memory",
                       c.to.url, answer(c)));
  verdict.may_be_a_line = c.response.status == 500 && !is_own_trouble(c.error);
  return verdict;
}

Verdict judge_unexpected(const Case& c) {
  return misconfigured(fmt::format("{} answered {}, which no InfluxDB does: correct influxdb.url",
                                   c.to.url, answer(c)));
}

Verdict judge_answer(const Case& c) {
  switch (c.response.status) {
    case 400:
    case 422:
      return judge_refusal(c);
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
  switch (c.response.status / 100) {
    case 2:
      return judge_not_a_write_api(c);
    case 3:
      return judge_redirect(c);
    case 5:
      return judge_internal_error(c);
    default:
      return judge_unexpected(c);
  }
}

/// What an operator types where we may not, or cannot, create it.
std::string creation_cure(const Destination& to) {
  const std::string database = quote(to.database);
  switch (to.api) {
    case Api::v0_8:
      return fmt::format("create it there as an administrator: POST /db with {{\"name\":{}}}",
                         database);
    case Api::v1:
      return fmt::format("CREATE DATABASE {} there", database);
    case Api::v2:
      return fmt::format("influx bucket create --org {} --name {}", quote(to.org), database);
    case Api::v3:
      return fmt::format("influxdb3 create database {}", database);
  }
  return {};  // not reached: the switch is complete
}

/// 1.x answers 200 and says in the body how it went; 0.8 answers 201, or 409 if it is there.
bool has_created(const Response& response, Api api) {
  if (api == Api::v0_8) return response.status == 201 || response.status == 409;
  const Json json = read_json(response.body);
  const auto is_error = [](const JsonValue& value) { return value.path.ends_with("error"); };
  return response.status == 200 && json.is_whole && response.body.starts_with("{\"results\"") &&
         std::ranges::none_of(json.values, is_error);
}

}  // namespace

Verdict judge_missing_database(const Case& c) {
  const std::string database = quote(c.to.database);
  const std::string_view thing = c.to.api == Api::v2 ? "bucket" : "database";
  const bool can_create = c.to.api == Api::v0_8 || c.to.api == Api::v1;
  if (can_create && c.to.create_database) {
    return {.action = Action::create_database,
            .configuration = true,  // if it cannot be created
            .shows_without_points = true,
            .message = fmt::format("InfluxDB at {} has no database {}", c.to.url, database)};
  }
  return shown_without_points(
      misconfigured(fmt::format("InfluxDB at {} has no {} {} ({}): {}{}", c.to.url, thing, database,
                                answer(c), creation_cure(c.to),
                                can_create ? ", or set influxdb.create_database" : "")),
      c.to);
}

Verdict judge(const Response& response, const Payload& payload, const Destination& to) {
  if (!response.transport_error.empty()) return judge_no_answer(response, to);
  const Case c(response, payload, to);
  return is_success(c) ? Verdict{.action = Action::written} : judge_answer(c);
}

Verdict judge_created(const Response& response, const Destination& to) {
  if (!response.transport_error.empty()) return judge_no_answer(response, to);
  if (has_created(response, to.api)) return {.action = Action::written};
  const Payload nothing;
  const Case c(response, nothing, to);
  return misconfigured(fmt::format("cannot create database {} at {} ({}): {}, as an administrator",
                                   quote(to.database), to.url, answer(c), creation_cure(to)));
}

}  // namespace tally
