#include "fake_influx.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "naive_text.hpp"

namespace tally::testing {
namespace {

constexpr std::int64_t guess = 0;  // the unit is told by the size of the stamp

std::string usual_version(ServerKind kind) {
  switch (kind) {
    case ServerKind::influx_0_8:
      return "InfluxDB v0.8.8 (git: afde71e) (leveldb: 1.15)";
    case ServerKind::influx_1:
      return "1.6.7~rc0";
    case ServerKind::influx_2:
      return "v2.7.1";
    case ServerKind::influx_3:
      return "3.9.6";
    case ServerKind::victoria_metrics:
      return "1.8.0";
  }
  std::abort();
}

std::int64_t unit_in(const std::map<std::string, std::int64_t>& words, const std::string& word,
                     std::int64_t otherwise) {
  const auto found = words.find(word);
  return found == words.end() ? otherwise : found->second;
}

const std::map<std::string, std::int64_t> units_of_1 = {
    {"u", 1'000},
    {"ms", 1'000'000},
    {"s", 1'000'000'000},
    {"m", 60'000'000'000},
    {"h", 3'600'000'000'000}};  // all else is nanoseconds, "us" too

/// The plausible unit of a stamp of our days.
std::int64_t unit_of_size(std::int64_t stamp) {
  const std::int64_t size = std::abs(stamp);
  if (size < 100'000'000'000) return 1'000'000'000;
  if (size < 100'000'000'000'000) return 1'000'000;
  if (size < 100'000'000'000'000'000) return 1'000;
  return 1;
}

bool is_below(const std::string& path, std::initializer_list<std::string_view> roots) {
  return std::any_of(roots.begin(), roots.end(),
                     [&](std::string_view root) { return path.starts_with(root); });
}

}  // namespace

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", c);
    } else {
      out += c;
    }
  }
  return out + '"';
}

FakeInflux::FakeInflux(ServerKind kind, FakeInfluxRules rules)
    : kind_(kind),
      rules_(std::move(rules)),
      points_(kind == ServerKind::victoria_metrics ? SamePoint::kept : SamePoint::merged) {}

HttpReply FakeInflux::answer(const HttpMessage& request) {
  switch (kind_) {
    case ServerKind::influx_0_8:
      return answer_0_8(request);
    case ServerKind::influx_1:
      return answer_1(request);
    case ServerKind::influx_2:
      return answer_2(request);
    case ServerKind::influx_3:
      return answer_3(request);
    case ServerKind::victoria_metrics:
      return answer_victoria(request);
  }
  std::abort();
}

// ---- lines --------------------------------------------------------------------------------------

std::string FakeInflux::why_unparsed(const std::string& line) const {
  if (rules_.refuse) {
    if (std::string reason = rules_.refuse(line); !reason.empty()) return reason;
  }
  return read_line(line) ? "" : "invalid field format";
}

FakeInflux::Batch FakeInflux::parse(const std::string& body, std::int64_t unit_ns,
                                    Outcome& outcome) const {
  Batch batch;
  std::istringstream lines(body);
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.empty() || line[0] == '#') continue;
    outcome.breaks = outcome.breaks || (rules_.breaks && rules_.breaks(line));
    std::string reason = why_unparsed(line);
    std::optional<ParsedPoint> point = reason.empty() ? read_line(line) : std::nullopt;
    const std::int64_t unit = point && unit_ns == guess ? unit_of_size(point->stamp) : unit_ns;
    if (point && __builtin_mul_overflow(point->stamp, unit, &point->stamp))
      reason = "time outside range";
    if (!reason.empty()) {
      outcome.unparsed.push_back({number, line, reason});
      continue;
    }
    batch.points.push_back(*std::move(point));
    batch.sources.push_back({number, line, ""});
  }
  outcome.good = batch.points.size();
  return batch;
}

std::string FakeInflux::conflict_of(const ParsedPoint& point) const {
  for (const auto& [name, value] : point.fields) {
    const auto other = rules_.field_types.find({point.measurement, name});
    if (other == rules_.field_types.end()) continue;
    return fmt::format(
        "field type conflict: input field \"{}\" on measurement \"{}\" is type float, already "
        "exists as type {}",
        name, point.measurement, other->second);
  }
  return "";
}

// 1.6.7 moves the keys of the new series to the front of the very list by which it then leaves
// points out: with K points of new series, the first K points of the batch go too, whatever they
// are. That gives the figures of the trials: known first 40 of 90, new first 90, shuffled about 58.
std::vector<bool> FakeInflux::beyond_series_limit(const Batch& batch) const {
  std::vector<bool> is_out(batch.points.size());
  if (rules_.series_max == 0) return is_out;
  StoredPoints fresh;  // counts the new series
  std::size_t news = 0;
  for (std::size_t i = 0; i < is_out.size(); ++i) {
    is_out[i] = !points_.has_series(batch.points[i]);
    if (!is_out[i]) continue;
    fresh.store(batch.points[i]);
    ++news;
  }
  if (points_.series() + fresh.series() <= rules_.series_max)
    return std::vector<bool>(is_out.size());
  std::fill_n(is_out.begin(), news, true);
  return is_out;
}

void FakeInflux::store(const Batch& batch, Outcome& outcome) {
  const std::vector<bool> is_out = beyond_series_limit(batch);
  std::vector<const ParsedPoint*> stored;
  for (std::size_t i = 0; i < batch.points.size(); ++i) {
    const ParsedPoint& point = batch.points[i];
    std::string reason = conflict_of(point);
    if (point.stamp < rules_.oldest_ns) reason = "points beyond retention policy";
    // What the server reports are the points of new series only.
    if (is_out[i] && points_.has_series(point)) continue;
    if (is_out[i])
      reason = fmt::format("max-series-per-database limit exceeded: ({})", rules_.series_max);
    if (reason.empty()) {
      stored.push_back(&point);
      continue;
    }
    outcome.dropped.push_back(batch.sources[i]);
    outcome.dropped.back().reason = reason;
    if (outcome.reason.empty()) outcome.reason = reason;
  }
  for (const ParsedPoint* point : stored) points_.store(*point);
}

// ---- what all share -----------------------------------------------------------------------------

std::string FakeInflux::version() const {
  return rules_.version.empty() ? usual_version(kind_) : rules_.version;
}

HttpReply FakeInflux::named(HttpReply reply) const {
  reply.headers.push_back("X-Influxdb-Version: " + version());
  return reply;
}

HttpReply FakeInflux::json_error(int status, const std::string& text) const {
  std::string in_header = text;
  std::replace(in_header.begin(), in_header.end(), '\n', ' ');
  return named({.status = status,
                .body = "{\"error\":" + json_string(text) + "}\n",
                .content_type = "application/json",
                .headers = {"X-Influxdb-Build: OSS", "X-Influxdb-Error: " + in_header}});
}

HttpReply FakeInflux::code_error(int status, const std::string& code,
                                 const std::string& text) const {
  return named(
      {.status = status,
       .body = fmt::format("{{\"code\":{},\"message\":{}}}", json_string(code), json_string(text)),
       .content_type = "application/json; charset=utf-8",
       .headers = {"X-Platform-Error-Code: " + code}});
}

HttpReply FakeInflux::plain(int status, const std::string& text) const {
  return named({.status = status,
                .body = text + "\n",
                .content_type = "text/plain; charset=utf-8",
                .headers = {"X-Content-Type-Options: nosniff"}});
}

bool FakeInflux::has_credentials(const HttpMessage& request) const {
  return request.headers.count("authorization") != 0 || !request.parameter("u").empty();
}

bool FakeInflux::is_user(const HttpMessage& request) const {
  if (rules_.user.empty()) return true;
  if (request.parameter("u") == rules_.user && request.parameter("p") == rules_.password)
    return true;
  return request.header("authorization") == basic_credentials(rules_.user, rules_.password);
}

bool FakeInflux::has_token(const HttpMessage& request) const {
  const std::string given = request.header("authorization");
  return rules_.token.empty() || given == "Token " + rules_.token ||
         given == "Bearer " + rules_.token;
}

bool FakeInflux::is_too_large(const HttpMessage& request) const {
  return rules_.body_bytes_max != 0 && request.bytes_sent > rules_.body_bytes_max;
}

// ---- 1.x ----------------------------------------------------------------------------------------

HttpReply FakeInflux::answer_1(const HttpMessage& request) {
  const std::string path = request.path();
  if (path == "/ping") return named({.status = 204});
  if (path != "/write" && path != "/query") return plain(404, "404 page not found");
  if (!is_user(request)) {
    HttpReply reply =
        json_error(401, has_credentials(request) ? "authorization failed"
                                                 : "unable to parse authentication credentials");
    reply.headers.emplace_back("WWW-Authenticate: Basic realm=\"InfluxDB\"");
    return reply;
  }
  if (path == "/query") return create_1(request);
  if (request.method == "POST") return write_1(request);
  HttpReply reply = plain(405, "Method Not Allowed");
  reply.headers.emplace_back("Allow: OPTIONS, POST");
  return reply;
}

HttpReply FakeInflux::create_1(const HttpMessage& request) {
  constexpr std::string_view create = "q=CREATE DATABASE \"";
  const std::string form = percent_decoded(request.body);
  if (!form.starts_with(create)) return json_error(400, "error parsing query");
  const std::string name = form.substr(create.size(), form.rfind('"') - create.size());
  rules_.databases.insert(name);
  return named({.status = 200,
                .body = "{\"results\":[{\"statement_id\":0}]}\n",
                .content_type = "application/json"});
}

HttpReply FakeInflux::write_1(const HttpMessage& request) {
  const std::string database = request.parameter("db");
  if (database.empty()) return json_error(400, "database is required");
  if (rules_.databases.count(database) == 0)
    return json_error(404, fmt::format("database not found: \"{}\"", database));
  if (!rules_.may_write) {
    return json_error(403, fmt::format("\"{}\" user is not authorized to write to database \"{}\"",
                                       rules_.user, database));
  }
  if (is_too_large(request)) return json_error(413, "Request Entity Too Large");
  Outcome outcome;
  const Batch batch =
      parse(request.body, unit_in(units_of_1, request.parameter("precision"), 1), outcome);
  if (outcome.breaks) return plain(500, "Internal Server Error");
  store(batch, outcome);
  std::string unparsed;
  for (const BadLine& bad : outcome.unparsed)
    unparsed += (unparsed.empty() ? "" : "\n") +
                fmt::format("unable to parse '{}': {}", bad.text, bad.reason);
  if (!outcome.dropped.empty()) {
    return json_error(
        400, fmt::format("partial write: {} dropped={}", outcome.reason, outcome.dropped.size()));
  }
  if (!unparsed.empty() && outcome.good == 0) return json_error(400, unparsed);
  if (!unparsed.empty()) return json_error(400, "partial write: " + unparsed + " dropped=0");
  return named({.status = 204});
}

// ---- 2.x ----------------------------------------------------------------------------------------

HttpReply FakeInflux::answer_2(const HttpMessage& request) {
  const std::string path = request.path();
  if (path == "/ping") return named({.status = 204});
  if (path == "/health") {
    return named({.status = 200,
                  .body = fmt::format("{{\"name\":\"influxdb\",\"message\":\"ready for queries and "
                                      "writes\",\"status\":\"pass\",\"version\":\"{}\"}}",
                                      version()),
                  .content_type = "application/json; charset=utf-8"});
  }
  if (path == "/write" || path == "/query") {
    if (!is_user(request)) return code_error(401, "unauthorized", "Unauthorized");
    return code_error(404, "not found", "no dbrp mapping found");
  }
  if (path == "/api/v2/write" && request.method == "POST") return write_2(request);
  if (is_below(path, {"/api/v2", "/v1", "/private", "/docs"}))
    return code_error(404, "not found", "path not found");
  // Everything else is the user interface, and it does not name itself.
  return {.status = 200,
          .body = "<!doctype html><html><head><title>InfluxDB</title></head></html>",
          .content_type = "text/html; charset=utf-8"};
}

HttpReply FakeInflux::write_2(const HttpMessage& request) {
  const std::string bucket = request.parameter("bucket");
  if (!has_token(request)) return code_error(401, "unauthorized", "unauthorized access");
  if (rules_.databases.count(bucket) == 0)
    return code_error(404, "not found", fmt::format("bucket \"{}\" not found", bucket));
  if (!rules_.may_write) return code_error(403, "forbidden", "insufficient permissions for write");
  if (is_too_large(request))
    return code_error(413, "request too large", "unable to read data: points batch is too large");
  const std::int64_t unit =
      unit_in({{"", 1}, {"ns", 1}, {"us", 1'000}, {"ms", 1'000'000}, {"s", 1'000'000'000}},
              request.parameter("precision"), -1);
  if (unit < 0)
    return code_error(400, "invalid",
                      "invalid precision; valid precision units are ns, us, ms, and s");
  Outcome outcome;
  const Batch batch = parse(request.body, unit, outcome);
  if (outcome.breaks) return code_error(500, "internal error", "unexpected error writing points");
  std::string unparsed;
  for (const BadLine& bad : outcome.unparsed)
    unparsed += (unparsed.empty() ? "" : "\n") +
                fmt::format("unable to parse '{}': {}", bad.text, bad.reason);
  if (!unparsed.empty()) return code_error(400, "invalid", unparsed);  // and nothing is stored
  store(batch, outcome);
  if (outcome.dropped.empty()) return named({.status = 204});
  return code_error(422, "unprocessable entity",
                    fmt::format("failure writing points to database: partial write: {} dropped={}",
                                outcome.reason, outcome.dropped.size()));
}

// ---- 3.x ----------------------------------------------------------------------------------------

HttpReply FakeInflux::answer_3(const HttpMessage& request) {
  const std::string path = request.path();
  if (path == "/ping") {
    return named({.status = 200,
                  .body = fmt::format("{{\"version\":\"{}\",\"revision\":\"d85fa2b\"}}", version()),
                  .content_type = "application/json"});
  }
  if (path == "/health") return {.status = 200, .body = "OK"};
  const bool is_v2 = path == "/api/v2/write";
  if (path != "/api/v3/write_lp" && path != "/write" && !is_v2)
    return {.status = 404, .body = "not found"};
  if (!has_token(request))
    return {.status = 401, .body = "{\"error\": \"the request was not authenticated\"}"};
  return write_3(request, request.parameter(is_v2 ? "bucket" : "db"));
}

bool FakeInflux::would_create_table(const Batch& batch) const {
  std::set<std::string> news;
  for (const ParsedPoint& point : batch.points)
    if (points_.measurements().count(point.measurement) == 0) news.insert(point.measurement);
  return points_.measurements().size() + news.size() > rules_.series_max;
}

HttpReply FakeInflux::write_3(const HttpMessage& request, const std::string& database) {
  constexpr std::size_t usual_bytes_max = 10'485'760;
  const std::size_t bytes_max =
      rules_.body_bytes_max == 0 ? usual_bytes_max : rules_.body_bytes_max;
  if (request.bytes_sent > bytes_max || request.body.size() > bytes_max)
    return {.status = 413, .body = "{\"error\":\"request too large\"}"};
  const auto json = [&](int status, const std::string& body) {
    return named({.status = status, .body = body, .content_type = "application/json"});
  };
  if (!naive_is_utf8(request.body)) return json(400, "{\"error\":\"invalid utf-8 in request\"}");
  if (!rules_.may_write) return json(403, "{\"error\":\"access denied\"}");
  const std::map<std::string, std::int64_t> words = {{"ns", 1},
                                                     {"nanosecond", 1},
                                                     {"us", 1'000},
                                                     {"microsecond", 1'000},
                                                     {"ms", 1'000'000},
                                                     {"millisecond", 1'000'000},
                                                     {"s", 1'000'000'000},
                                                     {"second", 1'000'000'000}};
  Outcome outcome;
  Batch batch = parse(request.body, unit_in(words, request.parameter("precision"), guess), outcome);
  if (rules_.series_max != 0 && would_create_table(batch)) {
    return json(422, fmt::format("{{\"error\":\"Update to schema would exceed number of tables "
                                 "limit of {} tables\"}}",
                                 rules_.series_max));
  }
  rules_.databases.insert(database);
  const std::size_t no_limit = std::exchange(rules_.series_max, 0);  // that one counts series
  store(batch, outcome);
  rules_.series_max = no_limit;
  outcome.unparsed.insert(outcome.unparsed.end(), outcome.dropped.begin(), outcome.dropped.end());
  if (outcome.unparsed.empty()) return named({.status = 204});
  std::string data;
  for (const BadLine& bad : outcome.unparsed) {
    data += fmt::format("{}{{\"original_line\":{},\"line_number\":{},\"error_message\":{}}}",
                        data.empty() ? "" : ",", json_string(bad.text), bad.number,
                        json_string(bad.reason));
  }
  return json(400,
              "{\"error\":\"partial write of line protocol occurred\",\"data\":[" + data + "]}");
}

// ---- VictoriaMetrics ----------------------------------------------------------------------------

HttpReply FakeInflux::answer_victoria(const HttpMessage& request) {
  const std::string path = request.path();
  if (!is_user(request))
    return {.status = 401, .headers = {"WWW-Authenticate: Basic realm=\"VictoriaMetrics\""}};
  if (path == "/health" || path == "/influx/health") return {.status = 200, .body = "OK"};
  const bool is_write =
      is_below(path, {"/write", "/api/v2/write", "/influx/write", "/influx/api/v2/write"});
  if (is_write) return write_victoria(request);
  if (path == "/query" || path == "/influx/query") {
    return named({.status = 200,
                  .body = "{\"results\":[{\"name\":\"databases\",\"series\":[]}]}",
                  .content_type = "application/json"});
  }
  return {.status = 400,
          .body = "unsupported path requested: \"" + path + "\"\n",
          .content_type = "text/plain; charset=utf-8"};
}

HttpReply FakeInflux::write_victoria(const HttpMessage& request) {
  auto words = units_of_1;
  words.insert({{"ns", 1}, {"n", 1}, {"us", 1'000}});
  Outcome outcome;
  Batch batch = parse(request.body, unit_in(words, request.parameter("precision"), guess), outcome);
  if (is_too_large(request)) {
    return plain(400, fmt::format("cannot read influx line protocol data: too big request; max {}",
                                  rules_.body_bytes_max));
  }
  const bool skips_bad_lines = request.header("stream-mode") == "1";
  if (!outcome.unparsed.empty() && !skips_bad_lines) {
    const BadLine& bad = outcome.unparsed.front();
    return plain(400,
                 fmt::format("cannot parse influx line {}: {}", json_string(bad.text), bad.reason));
  }
  constexpr std::int64_t millisecond = 1'000'000;
  for (ParsedPoint& point : batch.points)
    points_.store((point.stamp -= point.stamp % millisecond, point));
  return named({.status = 204});
}

// ---- 0.8 ----------------------------------------------------------------------------------------

HttpReply FakeInflux::answer_0_8(const HttpMessage& request) {
  const std::string path = request.path();
  if (path == "/ping")
    return named(
        {.status = 200, .body = "{\"status\":\"ok\"}", .content_type = "application/json"});
  const bool is_series = path.starts_with("/db/") && path.ends_with("/series");
  if (request.method != "POST" || (path != "/db" && !is_series))
    return plain(404, "404 page not found");
  if (!is_user(request)) {
    HttpReply reply = plain(401, "Invalid database/username/password");
    reply.headers.emplace_back("WWW-Authenticate: Basic realm=\"influxdb\"");
    return reply;
  }
  return is_series ? series_0_8(request) : create_0_8(request);
}

HttpReply FakeInflux::create_0_8(const HttpMessage& request) {
  const std::optional<JsonValue> order = read_json(request.body);
  const JsonValue* name = order ? order->member("name") : nullptr;
  if (name == nullptr) return plain(400, "database name is missing");
  if (!rules_.databases.insert(name->text).second)
    return plain(409, "database " + name->text + " exists");
  return named({.status = 201});
}

HttpReply FakeInflux::series_0_8(const HttpMessage& request) {
  constexpr std::size_t before = std::string_view("/db/").size();
  constexpr std::size_t behind = std::string_view("/series").size();
  const std::string path = request.path();
  const std::string database = percent_decoded(path.substr(before, path.size() - before - behind));
  if (rules_.databases.count(database) == 0)
    return plain(400, fmt::format("Database {} doesn't exist", database));
  if (!rules_.may_write) return plain(403, "Insufficient permissions to write to the database");
  if (is_too_large(request)) return plain(413, "Request Entity Too Large");
  const std::string word = request.parameter("time_precision");
  const std::int64_t unit = unit_in(
      {{"", 1'000'000}, {"ms", 1'000'000}, {"m", 1'000'000}, {"s", 1'000'000'000}, {"u", 1'000}},
      word, -1);
  if (unit < 0) return plain(400, "Unknown time precision " + word);
  const std::optional<JsonValue> all = read_json(request.body);
  if (!all || all->kind != JsonValue::Kind::array) return plain(400, "invalid character in body");
  const StoredPoints untouched = points_;
  for (const JsonValue& series : all->items) {
    if (store_series(series, unit)) continue;
    points_ = untouched;  // all or nothing
    return plain(400, "invalid payload");
  }
  return named({.status = 200, .headers = {"Access-Control-Allow-Origin: *"}});
}

/// Stores the points of one element of the body; false if it is not as 0.8 wants it.
bool FakeInflux::store_series(const JsonValue& series, std::int64_t unit_ns) {
  const JsonValue* name = series.member("name");
  const JsonValue* columns = series.member("columns");
  const JsonValue* rows = series.member("points");
  if (name == nullptr || columns == nullptr || rows == nullptr) return false;
  for (const JsonValue& row : rows->items) {
    if (row.items.size() != columns->items.size()) return false;
    ParsedPoint point{.measurement = name->text, .tags = {}, .fields = {}, .stamp = 0};
    std::uint64_t sequence = 0;
    for (std::size_t i = 0; i < row.items.size(); ++i) {
      const std::string& column = columns->items[i].text;
      const JsonValue& value = row.items[i];
      if (value.kind != JsonValue::Kind::number) return false;
      if (column == "time") {
        point.stamp = std::strtoll(value.text.c_str(), nullptr, 10) * unit_ns;
      } else if (column == "sequence_number") {
        sequence = static_cast<std::uint64_t>(value.number);
      } else {
        integers_ += value.text.find_first_of(".eE") == std::string::npos ? 1 : 0;
        point.fields.emplace_back(column, value.number);
      }
    }
    points_.store(point, sequence != 0 ? sequence : next_sequence_++);
  }
  return true;
}

}  // namespace tally::testing
