#include "daemon/influxdb_findings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "deliver/answer.hpp"
#include "encode/scheme.hpp"
#include "tally/text.hpp"
#include "tally/verdict.hpp"

namespace tally {
namespace {

using Level = Finding::Level;
using namespace std::chrono_literals;

constexpr std::size_t conflicts_named_max = 5;

Finding finding(Level level, const Destination& to, std::string text) {
  return {level, subject_of(to), std::move(text)};
}

std::string whole_name(const Destination& to) {
  if (to.retention_policy.empty()) return quote(to.database);
  return fmt::format("{}, retention policy {},", quote(to.database), quote(to.retention_policy));
}

// ---- the trial ----------------------------------------------------------------------------------

/// 2.x looks at the body last of all; so it does behind the API of 1.x.
bool wants_points(const Case& c) {
  return c.response.status == 400 && c.error == "writing requires points";
}

std::string creation_text(const Destination& to) {
  std::string text =
      fmt::format("has no database {}; tallyd creates it with its first write", quote(to.database));
  if (!to.username.empty())
    text += fmt::format(", for which user {} must be an administrator", quote(to.username));
  return text;
}

Finding judge_write_of_nothing(const Case& c) {
  const Verdict verdict = judge(c.response, c.payload, c.to);
  if (verdict.action == Action::written || wants_points(c))
    return finding(Level::well, c.to,
                   fmt::format("{} {} is there and takes points",
                               c.to.api == Api::v2 ? "bucket" : "database", whole_name(c.to)));
  if (verdict.action == Action::create_database)
    return finding(Level::note, c.to, creation_text(c.to));
  return finding(Level::mend, c.to, verdict.message);
}

/// 3.x takes the writes of 1.x and 2.x too, and creates the database for them.
bool asks_for_list(const Destination& to, const std::optional<Server>& server) {
  return to.api == Api::v3 || (server && server->api == Api::v3 && to.api != Api::v0_8);
}

/// The list of 3.x: [{"iox::database":"metric"},..]
Finding judge_database_list(const Case& c) {
  const bool is_list = c.response.status == 200 && c.response.body.starts_with('[');
  const bool is_refusal = c.response.status == 403 || c.response.status == 404;
  if (is_refusal && c.server == Api::v3)
    return finding(Level::note, c.to,
                   fmt::format("does not tell which databases there are ({}), so whether points "
                               "are taken shows with the first write",
                               answer(c)));
  if (!is_list) return finding(Level::mend, c.to, judge(c.response, c.payload, c.to).message);
  const bool is_there = std::ranges::any_of(c.json.values, [&](const JsonValue& value) {
    return value.path.ends_with("].iox::database") && value.text == c.to.database;
  });
  if (is_there)
    return finding(Level::well, c.to,
                   fmt::format("takes the token, and database {} is there", quote(c.to.database)));
  return finding(Level::note, c.to,
                 fmt::format("takes the token, and has no database {}; the first write creates it",
                             quote(c.to.database)));
}

// ---- names --------------------------------------------------------------------------------------

std::set<std::string> fields_of(const KindScheme& kind, const Scheme& scheme,
                                const std::vector<double>& percents) {
  std::set<std::string> fields;
  for (const Field& field : kind.fields) fields.emplace(field.name());
  for (const PercentField& field : kind.of_percentiles)
    for (const double percent : percents) fields.insert(percentile_name(scheme, field, percent));
  return fields;
}

/// One measurement for all numbers of a metric, or one each with the field `value`.
void add_endings(OwnNames& names, std::string_view suffix, std::set<std::string> fields,
                 const Scheme& scheme) {
  if (!scheme.is_point_per_field) {
    names.endings.push_back({std::string(suffix), std::move(fields)});
    return;
  }
  for (const std::string& field : fields)
    names.endings.push_back({fmt::format("{}.{}", suffix, field), {"value"}});
}

/// All but letters, digits and what is not ASCII is taken by its word.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '_' || static_cast<signed char>(c) < 0;
    if (!is_plain) out += '\\';
    out += c;
  }
  return out;
}

// ---- the answers to queries ---------------------------------------------------------------------

/// A field of a measurement, with all types it has: each shard has its own.
using FieldTypes = std::map<std::pair<std::string, std::string>, std::set<std::string>>;

/// {"results":[{"series":[{"name":"a.count","columns":[..],"values":[["count","integer"],..]},..]}]}
FieldTypes field_types_in(std::string_view body) {
  FieldTypes types;
  std::string measurement;
  std::string field;
  const Json json = read_json(body);
  for (const JsonValue& value : json.values) {
    const bool is_cell = value.path.find("].values[") != std::string::npos;
    if (!is_cell && value.path.ends_with("].name")) measurement = value.text;
    if (is_cell && value.path.ends_with("][0]")) field = value.text;
    if (is_cell && value.path.ends_with("][1]")) types[{measurement, field}].insert(value.text);
  }
  return types;
}

bool is_other_type(const std::string& type) {
  return type == "integer" || type == "string" || type == "boolean" || type == "unsigned";
}

std::string conflict_text(const std::string& measurement, const std::string& field,
                          const std::string& type, bool is_float_too) {
  const std::string where = is_float_too ? " in a part of its shards" : "";
  return fmt::format(
      "field {} of measurement {} is {}{}, and tallyd writes floats: such points are refused; DROP "
      "MEASUREMENT {} if its history may go, or set output.prefix",
      quote(field), quote(measurement), type, where, quote(measurement));
}

const std::string* text_at(const Json& json, std::string_view path) {
  const auto found = std::ranges::find(json.values, path, &JsonValue::path);
  return found == json.values.end() ? nullptr : &found->text;
}

/// The number in a column of the series at `series` ("results[0].series[2]").
std::optional<std::uint64_t> number_in(const Json& json, const std::string& series,
                                       std::string_view column) {
  for (std::size_t i = 0;; ++i) {
    const std::string* const name = text_at(json, fmt::format("{}.columns[{}]", series, i));
    if (name == nullptr) return std::nullopt;
    if (*name != column) continue;
    const std::string* const text = text_at(json, fmt::format("{}.values[0][{}]", series, i));
    std::uint64_t number = 0;
    if (text == nullptr) return std::nullopt;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (error != std::errc{} || end != text->data() + text->size()) return std::nullopt;
    return number;
  }
}

/// The series of `SHOW STATS FOR 'database'` that is about this one.
std::string stats_of(const Json& json, std::string_view database) {
  constexpr std::string_view tag = ".tags.database";
  for (const JsonValue& value : json.values)
    if (value.path.ends_with(tag) && value.text == database)
      return value.path.substr(0, value.path.size() - tag.size());
  return {};
}

}  // namespace

std::string subject_of(const Destination& to) {
  return "influxdb " + to.name;
}

std::optional<Finding> judge_reach(const Response& answer, const Destination& to) {
  if (answer.transport_error.empty()) return std::nullopt;
  if (std::string line = why_unreached(answer, to); !line.empty())
    return finding(Level::mend, to, std::move(line));
  const std::string why = words(answer.transport_error);
  if (answer.no_answer == NoAnswer::timed_out)
    return finding(Level::mend, to,
                   fmt::format("no answer in time from {}: {}; look at the server's load and at "
                               "firewalls between",
                               to.url, why));
  return finding(Level::mend, to,
                 fmt::format("no whole answer from {}: {}; is InfluxDB running there, and is it "
                             "https where influxdb.url says http?",
                             to.url, why));
}

Finding describe_server(const std::optional<Server>& server, std::chrono::milliseconds took,
                        const Destination& to) {
  const std::string who =
      server ? "InfluxDB " + quote(server->version, 60) : "a server that does not name itself";
  std::string why = to.api_is_fixed ? "as configured" : server ? "found out" : "tried first";
  if (server && server->api != to.api)
    why += fmt::format("; its own is {}", to_string(server->api));
  return finding(Level::well, to,
                 fmt::format("{} answers in {} ms: {}; points go to {} (API {}, {})", to.url,
                             took.count(), who, request_line(to, to.api), to_string(to.api), why));
}

std::optional<Finding> judge_clock(const Response& answer, WallTime now, const Destination& to) {
  const auto date = parse_http_date(answer.date);
  if (!date) return std::nullopt;
  const auto ahead = now - (*date + 500ms);  // it has been cut to whole seconds
  const double seconds = std::chrono::duration<double>(std::chrono::abs(ahead)).count();
  if (seconds <= 2.5) return finding(Level::well, to, "its clock and ours agree within 3 s");
  const std::string text = fmt::format("our clock is {:.0f} s {} the server's", seconds,
                                       ahead > 0s ? "ahead of" : "behind");
  if (seconds <= 30.5)
    return finding(Level::note, to, text + "; windows are stamped by ours: see chrony or ntpd");
  return finding(Level::mend, to,
                 text +
                     ": windows are stamped by ours, so points land in other times or beyond the "
                     "retention policy; set both by NTP");
}

Trial trial_of(const Destination& to, const Credentials& credentials,
               const std::optional<Server>& server) {
  Trial trial{.request = write_request(to, credentials, Payload{})};
  if (!asks_for_list(to, server)) return trial;
  trial.is_get = true;
  trial.request.path = "/api/v3/configure/database?format=json";
  return trial;
}

Finding judge_trial(const Response& answer, const std::optional<Server>& server,
                    const Destination& to) {
  if (auto unreached = judge_reach(answer, to)) return *std::move(unreached);
  Response named = answer;
  // Some answers of 2.x and 3.x do not say who gave them.
  if (named.influxdb_version.empty() && server) named.influxdb_version = server->version;
  const Payload nothing;
  const Case c(named, nothing, to);
  return asks_for_list(to, server) ? judge_database_list(c) : judge_write_of_nothing(c);
}

bool OwnNames::are_certain() const {
  return !beginning.empty() ||
         std::ranges::none_of(endings, [](const Ending& ending) { return ending.text.empty(); });
}

const std::set<std::string>* OwnNames::fields_of(std::string_view measurement) const {
  if (!measurement.starts_with(beginning)) return nullptr;
  measurement.remove_prefix(beginning.size());
  for (const Ending& ending : endings) {
    if (is_whole ? measurement == ending.text : measurement.ends_with(ending.text))
      return &ending.fields;
  }
  return nullptr;
}

OwnNames own_names(const Config& config) {
  const Scheme& scheme = scheme_of(config.output.naming, config.output.measurement);
  OwnNames names;
  names.is_whole = !scheme.name_tag.empty();  // then the prefix stands in the tag
  if (!names.is_whole) names.beginning = config.output.prefix;
  for (const KindScheme& kind : scheme.kinds) {
    std::set<std::string> fields = fields_of(kind, scheme, config.flush.percentiles);
    add_endings(names, names.is_whole ? kind.type : kind.suffix, std::move(fields), scheme);
  }
  // Kinds that share an ending may share a measurement.
  std::map<std::string, std::set<std::string>> merged;
  for (OwnNames::Ending& ending : names.endings) merged[ending.text].merge(ending.fields);
  names.endings.clear();
  for (auto& [text, fields] : merged) names.endings.push_back({text, std::move(fields)});
  return names;
}

std::string field_keys_query(const OwnNames& names) {
  std::string endings;
  for (const OwnNames::Ending& ending : names.endings)
    endings += fmt::format("{}{}", endings.empty() ? "" : "|", escaped(ending.text));
  return fmt::format("SHOW FIELD KEYS FROM /^{}{}({})$/ LIMIT 200", escaped(names.beginning),
                     names.is_whole ? "" : ".*", endings);
}

std::vector<Finding> judge_field_types(std::string_view body, const OwnNames& names,
                                       const Destination& to) {
  std::vector<Finding> found;
  std::size_t conflicts = 0;
  const FieldTypes types = field_types_in(body);
  for (const auto& [key, all] : types) {
    const auto& [measurement, field] = key;
    const std::set<std::string>* const fields = names.fields_of(measurement);
    const auto other = std::ranges::find_if(all, is_other_type);
    if (fields == nullptr || !fields->contains(field) || other == all.end()) continue;
    if (++conflicts > conflicts_named_max) continue;
    const bool is_float_too = all.contains("float");
    const Level level = names.are_certain() && !is_float_too ? Level::mend : Level::note;
    found.push_back(finding(level, to, conflict_text(measurement, field, *other, is_float_too)));
  }
  if (conflicts > conflicts_named_max)
    found.push_back(finding(Level::note, to,
                            fmt::format("{} more fields have another type: see SHOW FIELD KEYS",
                                        conflicts - conflicts_named_max)));
  if (found.empty() && !types.empty())
    found.push_back(
        finding(Level::well, to, "the fields that are there have tallyd's type, float"));
  return found;
}

std::optional<Finding> judge_series_limit(std::string_view body, const Destination& to) {
  const Json json = read_json(body);
  const auto limit = number_in(json, "results[0].series[0]", "max-series-per-database");
  const auto series = number_in(json, stats_of(json, to.database), "numSeries");
  if (!limit || *limit == 0 || !series) return std::nullopt;
  const double share = static_cast<double>(*series) / static_cast<double>(*limit);
  const std::string text =
      fmt::format("database {} has {} series of the {} it may have", quote(to.database),
                  with_commas(*series), with_commas(*limit));
  if (share <= 0.8) return finding(Level::well, to, text);
  const std::string cure =
      "raise max-series-per-database, or drop series that nobody needs (DROP SERIES)";
  if (share <= 0.95)
    return finding(Level::note, to, text + "; beyond it new ones are refused: " + cure);
  return finding(
      Level::mend, to,
      text + ": new series will be refused, and points of known ones with them: " + cure);
}

}  // namespace tally
