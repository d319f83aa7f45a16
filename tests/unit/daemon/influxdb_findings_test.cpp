#include "daemon/influxdb_findings.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace tally;
using namespace std::chrono_literals;
using Level = Finding::Level;

namespace {

Destination destination(Api api, bool is_fixed = false) {
  return {.name = "db",
          .url = "http://db",
          .api = api,
          .api_is_fixed = is_fixed,
          .database = "metric",
          .org = "o"};
}

bool has(const Finding& finding, std::string_view part) {
  return finding.text.find(part) != std::string::npos;
}

Response answered(int status, std::string body = "", std::string version = "") {
  return {.status = status, .influxdb_version = std::move(version), .body = std::move(body)};
}

std::vector<std::string> texts_of(const std::vector<Finding>& findings) {
  std::vector<std::string> texts;
  for (const Finding& finding : findings) texts.push_back(finding.text);
  return texts;
}

}  // namespace

TEST_CASE("check InfluxDB: each way to get no answer has its own cure") {
  struct Row {
    NoAnswer no_answer;
    std::string_view what, cure;
  };
  for (const Row& row :
       {Row{NoAnswer::unreachable, "nothing answers at http://db: \\x1B", "start InfluxDB"},
        Row{NoAnswer::unresolved, "cannot find the host of http://db", "the name service"},
        Row{NoAnswer::timed_out, "no answer in time from http://db", "firewalls"},
        Row{NoAnswer::tls, "no trusted connection to http://db", "influxdb.ca_file"},
        Row{NoAnswer::broken, "no whole answer from http://db", "https"}}) {
    CAPTURE(row.what);
    const auto finding = judge_reach({.transport_error = "\x1b why", .no_answer = row.no_answer},
                                     destination(Api::v1));
    REQUIRE(finding);
    CHECK(finding->level == Level::mend);
    CHECK(finding->subject == "influxdb db");
    CHECK_MESSAGE(has(*finding, row.what), finding->text);
    CHECK(has(*finding, row.cure));
  }
  CHECK_FALSE(judge_reach(answered(500), destination(Api::v1)));
}

TEST_CASE("check InfluxDB: who answers is told with the API that is used") {
  struct Row {
    std::optional<Server> server;
    Destination to;
    std::string_view says;
  };
  const std::vector<Row> rows = {
      {Server{Api::v1, "1.6.7~rc0"}, destination(Api::v1),
       "http://db answers in 7 ms: InfluxDB \"1.6.7~rc0\"; points go to POST /write?db=metric (API "
       "1, found out)"},
      {Server{Api::v2, "v2.7.1"}, destination(Api::v1, true),
       "http://db answers in 7 ms: InfluxDB \"v2.7.1\"; points go to POST /write?db=metric (API 1, "
       "as configured; its own is 2)"},
      {std::nullopt, destination(Api::v1),
       "http://db answers in 7 ms: a server that does not name itself; points go to POST "
       "/write?db=metric (API 1, tried first)"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.says);
    const Finding finding = describe_server(row.server, 7ms, row.to);
    CHECK(finding.level == Level::well);
    CHECK(finding.text == row.says);
  }
}

TEST_CASE("check InfluxDB: clocks that disagree are noted above 2 s, to be mended above 30 s") {
  const std::string date = "Sun, 06 Nov 1994 08:49:37 GMT";
  const WallTime server{std::chrono::seconds(784111777)};
  struct Row {
    std::chrono::milliseconds ahead;
    Level level;
    std::string_view says;
  };
  for (const Row& row : {Row{0ms, Level::well, "agree"}, Row{2'999ms, Level::well, "agree"},
                         Row{-2'000ms, Level::well, "agree"},
                         Row{3'501ms, Level::note, "our clock is 3 s ahead of the server's"},
                         Row{-2'600ms, Level::note, "our clock is 3 s behind the server's"},
                         Row{31'000ms, Level::note, "30 s ahead of"},
                         Row{31'001ms, Level::mend, "NTP"}, Row{-3'600s, Level::mend, "behind"}}) {
    CAPTURE(row.ahead.count());
    const auto finding = judge_clock({.date = date}, server + row.ahead, destination(Api::v1));
    REQUIRE(finding);
    CHECK(finding->level == row.level);
    CHECK_MESSAGE(has(*finding, row.says), finding->text);
  }
  CHECK_FALSE(judge_clock({.date = ""}, server, destination(Api::v1)));
  CHECK_FALSE(judge_clock({.date = "yesterday"}, server, destination(Api::v1)));
}

TEST_CASE("check InfluxDB: the trial is a write of nothing, and of 3.x the list of databases") {
  struct Row {
    std::string_view name;
    Api api, server;
    bool is_get;
    std::string_view path, body;
  };
  const Credentials credentials{.username = "u", .password = "p", .token = ""};
  const std::string_view list = "/api/v3/configure/database?format=json";
  const std::string_view old = "/db/metric/series?u=u&p=p&time_precision=s";
  for (const Row& row :
       {Row{"0.8", Api::v0_8, Api::v0_8, false, old, "[]"},
        Row{"1.x", Api::v1, Api::v1, false, "/write?db=metric&precision=s", ""},
        Row{"2.x", Api::v2, Api::v2, false, "/api/v2/write?org=o&bucket=metric&precision=s", ""},
        Row{"1's API of 2.x", Api::v1, Api::v2, false, "/write?db=metric&precision=s", ""},
        Row{"3.x", Api::v3, Api::v3, true, list, ""},
        Row{"1's API of 3.x", Api::v1, Api::v3, true, list, ""},
        Row{"2's API of 3.x", Api::v2, Api::v3, true, list, ""},
        Row{"0.8's API of 3.x, which has none", Api::v0_8, Api::v3, false, old, "[]"}}) {
    CAPTURE(row.name);
    const Trial trial = trial_of(destination(row.api), credentials, Server{row.server, "x"});
    CHECK(trial.is_get == row.is_get);
    CHECK(trial.request.path == row.path);
    CHECK(trial.request.body.value_or("") == row.body);
    const bool has_authorization = std::ranges::any_of(
        trial.request.headers,
        [](const std::string& header) { return header.starts_with("Authorization: "); });
    CHECK(has_authorization == (row.api != Api::v0_8));
  }
}

TEST_CASE("check InfluxDB: the trial's answer tells user, right, database and API") {
  struct Row {
    std::string_view name;
    Api api;
    Response answer;
    std::optional<Server> server;
    Level level;
    std::string_view says;
  };
  const Server one{Api::v1, "1.6.7"};
  const Server two{Api::v2, "v2.7.1"};
  const Server three{Api::v3, "3.0.1"};
  const std::string old = "InfluxDB v0.8.8 (git: afde71e)";
  const std::vector<Row> rows = {
      {"1.x takes it", Api::v1, answered(204, "", "1.6.7"), one, Level::well,
       "database \"metric\" is there and takes points"},
      {"1.x, wrong password", Api::v1,
       answered(401, "{\"error\":\"authorization failed\"}", "1.6.7"), one, Level::mend,
       "influxdb.password_file"},
      {"1.x, no right", Api::v1, answered(403, "{\"error\":\"not authorized\"}", "1.6.7"), one,
       Level::mend, "not authorized"},
      {"1.x, no database", Api::v1,
       answered(404, "{\"error\":\"database not found: \\\"metric\\\"\"}", "1.6.7"), one,
       Level::note, "tallyd creates it with its first write"},
      {"1.x, no policy", Api::v1,
       answered(500, "{\"error\":\"retention policy not found: x\"}", "1.6.7"), one, Level::mend,
       "influxdb.retention_policy"},
      {"0.8 takes it", Api::v0_8, answered(200, "", old), Server{Api::v0_8, old}, Level::well,
       "is there and takes points"},
      {"0.8 asked of 1.x", Api::v0_8, answered(404, "404 page not found", "1.6.7"), one,
       Level::mend, "the 0.8 API ended with InfluxDB 0.9"},
      {"0.8 asked of 2.x, which shows its page", Api::v0_8, answered(200, "<html>"), two,
       Level::mend, "is InfluxDB \"v2.7.1\""},
      {"2.x takes it", Api::v2,
       answered(400, "{\"code\":\"invalid\",\"message\":\"writing requires points\"}", "v2.7.1"),
       two, Level::well, "bucket \"metric\" is there and takes points"},
      {"2.x takes it by 1's API", Api::v1,
       answered(400, "{\"code\":\"invalid\",\"message\":\"writing requires points\"}", "v2.7.1"),
       two, Level::well, "database \"metric\" is there and takes points"},
      {"3.x asked by 1's API", Api::v1, answered(200, "[{\"iox::database\":\"metric\"}]"), three,
       Level::well, "takes the token, and database \"metric\" is there"},
      {"2.x, other trouble", Api::v2,
       answered(400, "{\"code\":\"invalid\",\"message\":\"invalid precision\"}", "v2.7.1"), two,
       Level::mend, "invalid precision"},
      {"2.x, wrong token", Api::v2,
       answered(401, "{\"code\":\"unauthorized\",\"message\":\"unauthorized access\"}"), two,
       Level::mend, "influxdb.token_file"},
      {"2.x, no bucket", Api::v2,
       answered(404, "{\"code\":\"not found\",\"message\":\"bucket \\\"metric\\\" not found\"}"),
       two, Level::mend, "influx bucket create"},
      {"3.x has it", Api::v3,
       answered(200, "[{\"iox::database\":\"_internal\"},{\"iox::database\":\"metric\"}]"), three,
       Level::well, "database \"metric\" is there"},
      {"3.x has another", Api::v3, answered(200, "[{\"iox::database\":\"metrics\"}]"), three,
       Level::note, "the first write creates it"},
      {"3.x has another, of that owner", Api::v3,
       answered(200, "[{\"iox::database\":\"other\",\"owner\":\"metric\"}]"), three, Level::note,
       "the first write creates it"},
      {"3.x, wrong token", Api::v3, answered(401, "{\"error\":\"not authenticated\"}"), three,
       Level::mend, "influxdb.token_file"},
      {"3.x, a token that may not list", Api::v3, answered(403, "{\"error\":\"no\"}"), three,
       Level::note, "does not tell which databases"},
      {"3.x asked of 1.x", Api::v3, answered(404, "404 page not found", "1.6.7"), one, Level::mend,
       "the 3.x API began with InfluxDB 3.0"},
      {"a web page", Api::v1, answered(200, "<html>"), std::nullopt, Level::mend, "a web page"},
      {"no answer", Api::v1, {.transport_error = "reset"}, one, Level::mend, "no whole answer"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Finding finding = judge_trial(row.answer, row.server, destination(row.api, true));
    CHECK(finding.level == row.level);
    CHECK_MESSAGE(has(finding, row.says), finding.text);
  }
}

TEST_CASE("check InfluxDB: a database that tallyd may not create is to be mended") {
  Destination to = destination(Api::v1);
  to.create_database = false;
  const Response missing = answered(404, "{\"error\":\"database not found: \\\"metric\\\"\"}");
  const Finding finding = judge_trial(missing, std::nullopt, to);
  CHECK(finding.level == Level::mend);
  CHECK(has(finding, "CREATE DATABASE \"metric\""));
}

TEST_CASE("check InfluxDB: our measurements and fields are those of the naming") {
  struct Row {
    std::string_view name;
    Config::Output output;
    std::string_view query;
    std::string_view measurement, field;
    bool is_ours, are_certain;
  };
  const std::vector<Row> rows = {
      {"native",
       {},
       R"(/^.*(\.count|\.distribution|\.gauge|\.histogram|\.set|\.timer)$/)",
       "a.timer",
       "p95",
       true,
       true},
      {"another field", {}, "", "a.timer", "p96", false, true},
      {"another ending", {}, "", "a.timers", "p95", false, true},
      {"prefix", {.prefix = "t.x/"}, R"(/^t\.x\/.*(\.count|)", "t.x/a.set", "count", true, true},
      {"without the prefix", {.prefix = "t.x/"}, "", "a.set", "count", false, true},
      {"per type",
       {.measurement = MeasurementPer::type, .prefix = "t."},
       "/^(counter|distribution|gauge|histogram|set|timer)$/",
       "counter",
       "rate",
       true,
       true},
      {"per type, longer",
       {.measurement = MeasurementPer::type},
       "",
       "a.counter",
       "rate",
       false,
       true},
      {"etsy", {.naming = Profile::etsy}, "", "a.timer.upper_95", "value", true, true},
      {"etsy, the statistic is no field",
       {.naming = Profile::etsy},
       "",
       "a.timer",
       "upper_95",
       false,
       true},
      {"telegraf", {.naming = Profile::telegraf}, "/^.*()$/", "a", "95_percentile", true, false},
      {"telegraf with a prefix",
       {.naming = Profile::telegraf, .prefix = "t"},
       "/^t.*()$/",
       "ta",
       "value",
       true,
       true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Config config;
    config.output = row.output;
    const OwnNames names = own_names(config);
    CHECK_MESSAGE(field_keys_query(names).find(row.query) != std::string::npos,
                  field_keys_query(names));
    const auto* const fields = names.fields_of(row.measurement);
    CHECK((fields != nullptr && fields->contains(std::string(row.field))) == row.is_ours);
    CHECK(names.are_certain() == row.are_certain);
  }
}

TEST_CASE("check InfluxDB: fields of another type are named, also in an answer that is cut") {
  // As 1.6.7 answers.
  const std::string body =
      R"({"results":[{"statement_id":0,"series":[{"name":"hits.count","columns":["fieldKey","fieldType"],)"
      R"("values":[["count","integer"],["rate","float"],["comment","string"]]},)"
      R"({"name":"other","columns":["fieldKey","fieldType"],"values":[["value","integer"]]},)"
      R"({"name":"x.gauge","columns":["fieldKey","fieldType"],"values":[["value","float"],["value","string"]]}]}]})";
  const OwnNames names = own_names(Config{});
  const auto judged = [&](std::string_view text) {
    return judge_field_types(text, names, destination(Api::v1));
  };
  const std::vector<Finding> found = judged(body);
  REQUIRE(found.size() == 2);
  CHECK(found[0].level == Level::mend);
  CHECK(found[0].text ==
        "field \"count\" of measurement \"hits.count\" is integer, and tallyd writes floats: such "
        "points are refused; DROP MEASUREMENT \"hits.count\" if its history may go, or set "
        "output.prefix");
  CHECK(found[1].level == Level::note);
  CHECK(has(found[1], "is string in a part of its shards"));

  CHECK(texts_of(judged(body.substr(0, body.find("rate")))) ==
        std::vector<std::string>{found[0].text});
  // Half a type is none.
  CHECK(judged(body.substr(0, body.find("ger\"]"))).front().level == Level::well);
  for (const std::string_view none : {"", "{\"results\":[{\"statement_id\":0}]}", "<html>"})
    CHECK(judged(none).empty());
}

TEST_CASE("check InfluxDB: of many conflicts five are named and the others counted") {
  std::string body = R"({"results":[{"series":[)";
  for (int i = 0; i < 8; ++i)
    body += (i == 0 ? "" : ",") + ("{\"name\":\"m" + std::to_string(i)) +
            R"(.gauge","columns":["fieldKey","fieldType"],"values":[["value","boolean"]]})";
  const auto found = judge_field_types(body + "]}]}", own_names(Config{}), destination(Api::v1));
  REQUIRE(found.size() == 6);
  CHECK(found[5].text == "3 more fields have another type: see SHOW FIELD KEYS");
}

TEST_CASE("check InfluxDB: a series limit is noted above 80 %, to be mended above 95 %") {
  const auto body = [](std::string_view limit, std::string_view series) {
    return R"({"results":[{"statement_id":0,"series":[{"name":"config-data","columns":["dir",)"
           R"("max-series-per-database"],"values":[["/d",)" +
           std::string(limit) +
           R"(]]}]},{"statement_id":1,"series":[{"name":"database","tags":{"database":"other"},)"
           R"("columns":["numMeasurements","numSeries"],"values":[[1,1]]},)"
           R"({"name":"database","tags":{"database":"metric"},)"
           R"("columns":["numMeasurements","numSeries"],"values":[[3,)" +
           std::string(series) + "]]}]}]}";
  };
  struct Row {
    std::string_view limit, series;
    std::optional<Level> level;
  };
  for (const Row& row :
       {Row{"100", "80", Level::well}, Row{"100", "81", Level::note}, Row{"100", "95", Level::note},
        Row{"100", "96", Level::mend}, Row{"100", "200", Level::mend}, Row{"0", "96", std::nullopt},
        Row{"\"x\"", "96", std::nullopt}, Row{"100", "null", std::nullopt},
        Row{"-1", "96", std::nullopt}}) {
    CAPTURE(row.limit);
    CAPTURE(row.series);
    const auto finding = judge_series_limit(body(row.limit, row.series), destination(Api::v1));
    REQUIRE(finding.has_value() == row.level.has_value());
    if (finding) CHECK(finding->level == *row.level);
  }
  CHECK_FALSE(judge_series_limit("", destination(Api::v1)));
  CHECK_FALSE(judge_series_limit(R"({"error":"requires admin privilege"})", destination(Api::v1)));
  Destination absent = destination(Api::v1);
  absent.database = "absent";
  CHECK_FALSE(judge_series_limit(body("100", "96"), absent));
}
