// A 400 or a 422 says that some lines are refused, and each version means another thing by it:
//
//     1.x   `partial write: unable to parse '<line>': ..`  the others are stored
//           `unable to parse '<line>': ..`                 nothing is: no line was good
//           `partial write: <reason> dropped=N`            the others are stored
//     2.x   `unable to parse '<line>': ..`                 nothing is stored, good lines neither
//           422, `failure writing points to database: partial write: <reason> dropped=N`
//     3.x   {"error":"partial write ..","data":[{"line_number":..}]}    the others are stored
//           422, for a limit of tables or columns          nothing is stored
//
// What is not understood is kept, and if a line is the cause, it is found by halving.
// Limit: where 1.6 drops points for another reason too, it does not tell of lines it cannot parse.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>
#include <utility>

#include "deliver/answer.hpp"
#include "deliver/refused_lines.hpp"
#include "tally/text.hpp"

namespace tally {
namespace {

/// What a server says of points that it did not store, and what that means. A reason begins with
/// the server's own words; further on it quotes names that a client chose.
struct Reason {
  std::string_view sign;
  PointLoss loss;
  std::string_view cure;
};
constexpr std::string_view conflict_cure =
    "another writer stored this field with another type: rename one, or drop the measurement";
constexpr std::string_view retention_cure =
    "they are older than the retention policy keeps: lengthen it, or correct this host's clock";
constexpr std::string_view schema_cure =
    "the database takes no new tables or columns: raise its limits, or set output.measurement = "
    "\"per_type\", which puts the metrics' names into a tag";
constexpr std::array<Reason, 10> reasons{{
    {"unable to parse", PointLoss::refused,
     "a fault of tallyd: please report it; a spool keeps such lines: tallyd spool dead"},
    {"points beyond retention policy", PointLoss::beyond_retention, retention_cure},
    // 2.x: `dropped 3 points outside retention policy of duration ..`
    {"dropped ", PointLoss::beyond_retention, retention_cure},
    {"field type conflict", PointLoss::type_conflict, conflict_cure},
    {"invalid column type for column", PointLoss::type_conflict, conflict_cure},  // 3.x
    {"max-series", PointLoss::series_limit,
     "the database takes no new series: raise its limit or send fewer names and tags; known ones "
     "are sent again by themselves, for InfluxDB may have dropped points of these too"},
    {"max-values-per-tag", PointLoss::series_limit,
     "the database takes no new value of this tag: raise its limit or send fewer tag values"},
    {"Update to schema would exceed", PointLoss::series_limit, schema_cure},  // 3.x
    {"Schema update for table", PointLoss::series_limit, schema_cure},        // 3.x
    {"", PointLoss::refused, "a spool keeps such lines: tallyd spool dead"},
}};

const Reason& reason_of(std::string_view text) {
  return *std::ranges::find_if(reasons,
                               [&](const Reason& reason) { return text.starts_with(reason.sign); });
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
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

/// The payload's lines, all of them.
std::vector<std::uint32_t> all_lines(const Payload& payload) {
  std::vector<std::uint32_t> lines(payload.points);
  std::iota(lines.begin(), lines.end(), 0U);
  return lines;
}

/// At least one and at most all: an answer that is wrong about that would unbalance the ledger.
std::uint32_t points_of(const Case& c, std::uint32_t number) {
  return std::clamp(number, std::uint32_t{1}, std::max(c.payload.points, std::uint32_t{1}));
}

std::string refused(const Case& c, std::uint32_t points, std::string_view cure) {
  return fmt::format("InfluxDB at {} refused {} of {} points: {}; {}", c.to.url,
                     with_commas(points), with_commas(c.payload.points), answer(c), cure);
}

/// Nothing tells which lines are at fault, or whether they are at all.
Verdict judge_unexplained(const Case& c) {
  Verdict verdict = keep(fmt::format(
      "InfluxDB at {} refused {} points without naming a line ({}): they are sent again, and if a "
      "line is the cause it is found by halving",
      c.to.url, with_commas(c.payload.points), answer(c)));
  verdict.may_be_a_line = true;
  return verdict;
}

/// Every line of the payload is at fault.
Verdict drop_all(const Case& c, const Reason& reason) {
  return {.action = Action::drop,
          .loss = reason.loss,
          .points_lost = c.payload.points,
          .refused_lines = all_lines(c.payload),
          .message = refused(c, c.payload.points, reason.cure)};
}

// ---- lines that are named ----------------------------------------------------------------------

/// What 3.x says beside the error.
std::string first_reason(const RefusedLines& named) {
  return named.reason.empty() ? std::string() : fmt::format("the first: {}; ", quote(named.reason));
}

Verdict judge_stored_rest(const Case& c, RefusedLines named, const Reason& reason) {
  const std::uint32_t lost =
      points_of(c, std::max(named.mentions, static_cast<std::uint32_t>(named.lines.size())));
  return {.action = Action::written,
          .loss = reason.loss,
          .points_lost = lost,
          .refused_lines = std::move(named.lines),
          .message = refused(c, lost, first_reason(named) + std::string(reason.cure))};
}

/// Nothing is stored, or more lines are refused than the answer has room for: what was stored is
/// overwritten by the same.
Verdict judge_unstored_rest(const Case& c, RefusedLines named, const Reason& reason) {
  if (named.lines.empty() && c.payload.points > 1) return judge_unexplained(c);
  if (named.lines.empty() || named.lines.size() == c.payload.points) return drop_all(c, reason);
  const auto lost = static_cast<std::uint32_t>(named.lines.size());
  return {.action = Action::without_lines,
          .loss = reason.loss,
          .points_lost = lost,
          .refused_lines = std::move(named.lines),
          .message = refused(
              c, lost,
              fmt::format("{}{}; the others are sent again", first_reason(named), reason.cure))};
}

bool is_cut_short(const Case& c) {
  return c.response.body.starts_with('{') && !c.json.is_whole;
}

Verdict judge_named(const Case& c, RefusedLines named, const Reason& reason, bool is_rest_stored) {
  return is_rest_stored && !is_cut_short(c) ? judge_stored_rest(c, std::move(named), reason)
                                            : judge_unstored_rest(c, std::move(named), reason);
}

// ---- lines that are counted --------------------------------------------------------------------

/// Points of known series may be gone too, and the database does not say which.
Verdict judge_series_limit(const Case& c, const Reason& reason, std::uint32_t dropped) {
  return {.action = Action::known_alone,
          .loss = PointLoss::series_limit,
          .points_lost = dropped,
          .message = refused(c, dropped, reason.cure)};
}

Verdict judge_counted(const Case& c, std::string_view text) {
  const Reason& reason = reason_of(text);
  const std::uint32_t lost = points_of(c, dropped_by(text));
  if (reason.loss == PointLoss::series_limit) return judge_series_limit(c, reason, lost);
  return {.action = Action::written,
          .loss = reason.loss,
          .points_lost = lost,
          .message = refused(c, lost, reason.cure)};
}

/// Not a partial write, so whether anything is stored is not known.
Verdict judge_whole(const Case& c, std::string_view text) {
  const Reason& reason = reason_of(text);
  if (reason.sign.empty()) return judge_unexplained(c);
  if (reason.loss == PointLoss::series_limit) {
    // It does not say how many: were it all, series that it knows would be given up too.
    Verdict verdict = judge_series_limit(c, reason, 0);
    verdict.message = fmt::format("InfluxDB at {} takes no points of new series: {}; {}", c.to.url,
                                  answer(c), reason.cure);
    return verdict;
  }
  return c.payload.points > 1 ? judge_unexplained(c) : drop_all(c, reason);
}

// ---- what is no line's fault -------------------------------------------------------------------

Verdict judge_stranger(const Case& c) {
  Verdict verdict = misconfigured(
      fmt::format("{} answered {}, and not in the words of InfluxDB: correct influxdb.url "
                  "(https:// for a TLS port)",
                  c.to.url, answer(c)));
  verdict.api_in_doubt = true;
  return verdict;
}

Verdict judge_too_many_databases(const Case& c) {
  return misconfigured(
      fmt::format("InfluxDB at {} takes no new database ({}): delete one there, raise its limit, "
                  "or set influxdb.database to one that is there",
                  c.to.url, answer(c)));
}

/// What 0.8 says: `Database x doesn't exist`.
bool is_missing_database(std::string_view error) {
  return error.starts_with("Database ") && error.ends_with(" doesn't exist");
}

std::optional<Verdict> judge_setting(const Case& c) {
  if (c.error == "database is required") {
    return misconfigured(
        fmt::format("InfluxDB at {} answered {}: set influxdb.database", c.to.url, answer(c)));
  }
  if (c.error.starts_with("Adding a new database would exceed")) return judge_too_many_databases(c);
  if (is_missing_database(c.error)) return judge_missing_database(c);
  return std::nullopt;
}

/// `unable to parse '<line>': ..`
Verdict judge_quoted(const Case& c, std::string_view text, bool is_partial) {
  RefusedLines named = quoted_lines(text, c.payload);
  // A line of ours in it proves that it was read, whoever says so.
  if (named.lines.empty() && !c.is_influxdb()) return judge_stranger(c);
  return judge_named(c, std::move(named), reason_of(text), is_partial);
}

}  // namespace

Verdict judge_refusal(const Case& c) {
  std::string_view text = c.error;
  take_prefix(text, "failure writing points to database: ");
  const bool is_partial = take_prefix(text, "partial write: ");
  if (text.starts_with("unable to parse '")) return judge_quoted(c, text, is_partial);
  if (RefusedLines named = numbered_lines(c.json, c.payload); named.mentions > 0) {
    const Reason& reason = reason_of(named.reason);
    return judge_named(c, std::move(named), reason, text.starts_with("partial write"));
  }
  if (!c.is_influxdb()) return judge_stranger(c);
  if (auto verdict = judge_setting(c)) return *std::move(verdict);
  if (is_partial) return judge_counted(c, text);
  return c.is_other_api() ? judge_wrong_api(c) : judge_whole(c, text);
}

}  // namespace tally
