#include "tally/verdict.hpp"

#include "verdict_rows.hpp"

using namespace tally;
using namespace tally::testing;

TEST_CASE("verdict: only 204 means written, and of 0.8 only 200 without a word") {
  const Response no_content{.status = 204, .influxdb_version = "1.6.7~rc0"};
  for (const Api api : {Api::v1, Api::v2, Api::v3}) {
    check({.name = "204", .response = no_content, .action = Action::written}, over(api));
    check({.name = "204 through a proxy", .response = {.status = 204}, .action = Action::written},
          over(api));
  }
  check({.name = "0.8", .response = influxd_0_8(200, ""), .action = Action::written},
        over(Api::v0_8));
  const auto doubt = [](const char* name, Response response, std::string_view says) {
    return Row{.name = name,
               .response = std::move(response),
               .action = Action::keep,
               .configuration = true,
               .api_in_doubt = true,
               .says = {"http://db:8086", says}};
  };
  check(doubt("0.8 with a text", influxd_0_8(200, "x"), "a web page"), over(Api::v0_8));
  check(doubt("0.8 without a version", stranger(200, "", ""), "a web page"), over(Api::v0_8));
  check(doubt("204 to 0.8's API", no_content, "1.6.7~rc0"), over(Api::v0_8));
  check(doubt("200 of 1.x", influxd_plain(200, ""), "a web page"));
  for (const int status : {200, 201, 202, 203, 205, 206, 226}) {
    CAPTURE(status);
    check(doubt("another 2xx", stranger(status, "text/html", "<!doctype html>"),
                "text/html\" where InfluxDB answers 204: this is a web page, not a write API"));
  }
}

TEST_CASE("verdict: bad credentials keep the points and say what to correct") {
  const auto refused = [](const char* name, Response response, std::vector<std::string_view> says) {
    return Row{.name = name,
               .response = std::move(response),
               .action = Action::keep,
               .configuration = true,
               .says = std::move(says)};
  };
  const auto forbidden = [&](const char* name, Response response,
                             std::vector<std::string_view> says) {
    Row row = refused(name, std::move(response), std::move(says));
    row.shows_without_points = true;
    return row;
  };
  check(refused(
      "wrong password", influxd(401, "authorization failed"),
      {"http://db:8086", "user \"wr\"", "401", "authorization failed", "influxdb.password_file"}));
  check(forbidden("no write grant",
                  influxd(403, "\"wr\" user is not authorized to write to database \"metric\""),
                  {"user \"wr\"", "403", "GRANT WRITE ON \"metric\" TO \"wr\""}));
  check(refused("0.8", influxd_0_8(401, "Invalid database/username/password"),
                {"user \"wr\"", "Invalid database/username/password"}),
        over(Api::v0_8));
  check(refused("2.x", influxd_2(401, "unauthorized", "unauthorized access"),
                {"token", "bucket \"metric\"", "influxdb.token_file"}),
        over(Api::v2));
  check(forbidden("2.x, a token for reading",
                  influxd_2(403, "forbidden", "insufficient permissions for write"),
                  {"does not let the token write", "insufficient permissions"}),
        over(Api::v2));
  check(refused("3.x", influxd_3(401, "{\"error\": \"the request was not authenticated\"}"),
                {"database \"metric\"", "not authenticated", "influxdb.token_file"}),
        over(Api::v3));
  check(refused("3.x, a token for reading", influxd_3(403, "{\"error\": \"forbidden\"}"),
                {"does not let the token write", "forbidden"}),
        over(Api::v3));
  Destination nobody = metric;
  nobody.username.clear();
  check(refused("none configured", influxd(401, "unable to parse authentication credentials"),
                {"none is configured", "influxdb.username"}),
        nobody);
}

TEST_CASE("verdict: a missing database is created, or its absence explained") {
  const auto created = [](const char* name, Response response) {
    return Row{.name = name,
               .response = std::move(response),
               .action = Action::create_database,
               .configuration = true,
               .says = {"http://db:8086", "no database \"metric\""},
               .shows_without_points = true};
  };
  const auto told = [](const char* name, Response response, std::vector<std::string_view> says) {
    return Row{.name = name,
               .response = std::move(response),
               .action = Action::keep,
               .configuration = true,
               .says = std::move(says)};
  };
  const auto absent = [&](const char* name, Response response, std::vector<std::string_view> says) {
    Row row = told(name, std::move(response), std::move(says));
    row.shows_without_points = true;
    return row;
  };
  const Response missing = influxd(404, "database not found: \"metric\"");
  check(created("may be created", missing));
  Response without_header = missing;
  without_header.influxdb_error.clear();
  check(created("said in the body only", without_header));
  const Response missing_0_8 = influxd_0_8(400, "Database metric doesn't exist");
  check(created("0.8", missing_0_8), over(Api::v0_8));
  Destination strict = metric;
  strict.create_database = false;
  check(
      absent("may not be created", missing,
             {"no database \"metric\"", "CREATE DATABASE \"metric\"", "influxdb.create_database"}),
      strict);
  strict.api = Api::v0_8;
  check(absent("0.8, may not be created", missing_0_8, {"POST /db", "influxdb.create_database"}),
        strict);
  check(absent("2.x", influxd_2(404, "not found", "bucket \"metric\" not found"),
               {"no bucket \"metric\"", "influx bucket create --org \"acme\" --name \"metric\""}),
        over(Api::v2));
  check(absent("2.x, the organization",
               influxd_2(404, "not found", "organization name \"acme\" not found"),
               {"no organization \"acme\"", "influxdb.org"}),
        over(Api::v2));
  check(told("3.x", influxd_3(404, "{\"error\":\"database not found: metric\"}"),
             {"influxdb3 create database \"metric\""}),
        over(Api::v3));
  Row feigned = told("a name like a missing database",
                     influxd(404, "no such thing: database not found"), {"no such thing"});
  feigned.api_in_doubt = true;
  check(feigned);
}

TEST_CASE("verdict: whether the database was created is told by the status and the body") {
  struct Created {
    const char* name;
    Api api;
    Response response;
    bool is_there;
  };
  Response json = influxd_plain(200, "{\"results\":[{\"statement_id\":0}]}\n");
  Response odd = json;  // VictoriaMetrics 1.79 has no databases, and takes any name
  odd.body = R"({"results":[{"statement_id":0,"series":[{"name":"databases","columns":["name"],)"
             R"("values":[["_internal"]]}]}]})";
  Response invalid = json;
  invalid.body = R"({"results":[{"statement_id":0,"error":"invalid name"}]})";
  Response cut = json;
  cut.body = R"({"results":[{"statement_id":0)";
  const Created rows[] = {
      {"1.x, recorded", Api::v1, json, true},
      {"VictoriaMetrics, recorded", Api::v1, odd, true},
      {"a bad name, recorded", Api::v1, invalid, false},
      {"cut short", Api::v1, cut, false},
      {"not an administrator", Api::v1, influxd(403, "create database not allowed"), false},
      {"a web page", Api::v1, stranger(200, "text/html", "<html>"), false},
      {"no answer", Api::v1, {.transport_error = "reset", .status = 200, .body = json.body}, false},
      {"0.8", Api::v0_8, influxd_0_8(201, ""), true},
      {"0.8, there already", Api::v0_8, influxd_0_8(409, "database metric exists"), true},
      {"0.8, refused", Api::v0_8, influxd_0_8(401, "Invalid username/password"), false},
      {"0.8 answers like 1.x", Api::v0_8, json, false},
  };
  for (const Created& row : rows) {
    CAPTURE(row.name);
    const Verdict verdict = judge_created(row.response, over(row.api));
    CHECK(verdict.action == (row.is_there ? Action::written : Action::keep));
    CHECK(verdict.message.empty() == row.is_there);
    if (!row.is_there && row.response.transport_error.empty()) {
      CHECK(contains(verdict.message, "cannot create database \"metric\" at http://db:8086"));
      CHECK(contains(verdict.message, "as an administrator"));
    }
  }
}

TEST_CASE("verdict: redirects are not followed but told") {
  Response response = stranger(307, "text/html", "");
  response.location = "https://db:8086/write";
  check({.name = "307",
         .response = response,
         .action = Action::keep,
         .configuration = true,
         .says = {"307", "\"https://db:8086/write\"", "influxdb.url"}});
}

TEST_CASE("verdict: what is too large is split, and a single point dropped") {
  const Response too_large = influxd(413, "Request Entity Too Large");
  check({.name = "many",
         .response = too_large,
         .action = Action::split,
         .says = {"2290B", "two halves", "max-body-size"}});
  check({.name = "one",
         .response = too_large,
         .action = Action::drop,
         .loss = PointLoss::refused,
         .points_lost = 1,
         .refused_lines = {0},
         .says = {"it is lost"}},
        metric, payload_of({"m v=1"}));
}

TEST_CASE("verdict: a server in trouble gets the points later") {
  const auto later = [](const char* name, Response response, std::vector<std::string_view> says) {
    return Row{.name = name,
               .response = std::move(response),
               .action = Action::keep,
               .says = std::move(says)};
  };
  const std::vector<Row> rows{
      later("throttled", influxd_plain(503, "request throttled, queue full"),
            {"503", "queue full"}),
      later("time-out of a proxy", stranger(504, "text/html", "gateway"), {"504"}),
      later("bad gateway", stranger(502, "", ""), {"502 without a text"}),
      later("too many requests", stranger(429, "", ""), {"429"}),
      later("request time-out", stranger(408, "", ""), {"408"}),
      later("cache full", influxd(500, "engine: cache-max-memory-size exceeded: (3360006/3000000)"),
            {"cache-max-memory-size", "disk and memory"}),
      later("disk full",
            influxd(500, "engine: error writing WAL entry: write x: no space left on device"),
            {"no space left on device"}),
      later("a shard that did not open, recorded",
            influxd(500,
                    "[shard 68] proto: field \"tsdb.MeasurementFields.Name\" contains invalid "
                    "UTF-8"),
            {"shard 68"}),
      later("time-out within", influxd(500, "timeout"), {"timeout"}),
      later(
          "time-out within 2.x",
          influxd_2(500, "internal error", "unexpected error writing points to database: timeout"),
          {"timeout"}),
      later("files", influxd(500, "open /var/lib/x: too many open files"), {"too many open files"}),
      later("a 5xx of its own", stranger(521, "", ""), {"521"}),
  };
  for (const Row& row : rows)
    check(row, over(row.response.influxdb_version == "v2.7.1" ? Api::v2 : Api::v1));
  Row policy =
      later("no retention policy, recorded", influxd(500, "retention policy not found: nope"),
            {"retention policy not found: nope", "influxdb.retention_policy"});
  policy.configuration = true;
  check(policy);
  Row odd = later("a 4xx that fits nothing", stranger(451, "", ""), {"451"});
  odd.configuration = true;
  check(odd);
}

TEST_CASE("verdict: a 500 that names no cause of the server's own may be a line's fault") {
  for (const std::string text : {"Internal Server Error\n", "runtime error: index out of range",
                                 "unknown timeout", "series \"[shard 1]\" is bad", ""}) {
    CAPTURE(text);
    const Verdict verdict = judge(influxd_plain(500, text), hundred_points(), metric);
    CHECK(verdict.action == Action::keep);
    CHECK(verdict.may_be_a_line);
    CHECK_FALSE(verdict.configuration);
  }
}

TEST_CASE("verdict: without an answer the points are kept, and each cause has its own line") {
  const std::vector<Row> rows{
      {"unreachable",
       {.transport_error = "connection refused", .no_answer = NoAnswer::unreachable},
       Action::keep,
       PointLoss::none,
       0,
       false,
       false,
       false,
       {},
       {"nothing answers at http://db:8086: connection refused", "start InfluxDB"}},
      {"unresolved",
       {.transport_error = "Could not resolve host: db", .no_answer = NoAnswer::unresolved},
       Action::keep,
       PointLoss::none,
       0,
       false,
       false,
       false,
       {},
       {"cannot find the host of http://db:8086", "name service"}},
      {"timed out",
       {.transport_error = "timed out after 10000 ms", .no_answer = NoAnswer::timed_out},
       Action::keep,
       PointLoss::none,
       0,
       false,
       false,
       false,
       {},
       {"did not answer: timed out after 10000 ms", "influxdb.timeout"}},
      {"tls",
       {.transport_error = "unable to get local issuer certificate", .no_answer = NoAnswer::tls},
       Action::keep,
       PointLoss::none,
       0,
       true,
       false,
       false,
       {},
       {"issuer certificate", "influxdb.ca_file"}},
      {"broken, even with a status",
       {.transport_error = "transfer closed", .status = 204},
       Action::keep,
       PointLoss::none,
       0,
       false,
       false,
       false,
       {},
       {"transfer closed", "same bytes"}},
  };
  for (const Row& row : rows) check(row);
}

TEST_CASE("verdict: a server's bytes do not reach the terminal raw, nor without end") {
  const std::string nasty = "\x1B[2J\r\nfake line\xFF" + std::string(60'000, 'x');
  for (const int status : {200, 307, 400, 401, 403, 404, 405, 413, 422, 429, 500, 503, 600}) {
    CAPTURE(status);
    for (const std::string& version : {std::string(), nasty, "1.8.0 " + nasty, "v2.7.1 " + nasty}) {
      const Response response{.status = status,
                              .content_type = nasty,
                              .influxdb_version = version,
                              .location = nasty,
                              .body = nasty};
      for (const Verdict& verdict :
           {judge(response, hundred_points(), metric), judge_created(response, metric)}) {
        CHECK(verdict.message.find_first_of("\x1B\r\n\xFF") == std::string::npos);
        CHECK(verdict.message.size() < 2'000);
      }
    }
  }
  const Verdict broken = judge({.transport_error = nasty}, hundred_points(), metric);
  CHECK(broken.message.find_first_of("\x1B\r\n\xFF") == std::string::npos);
  CHECK(broken.message.size() < 2'000);
}

TEST_CASE("verdict: a server that quotes the url of 0.8 does not give the password away") {
  const std::string texts[] = {
      // VictoriaMetrics 1.79, recorded
      "remoteAddr: \"127.0.0.1:57282\"; requestURI: /db/m/series?u=root&p=s3cret&time_precision=s; "
      "unsupported path requested: \"/db/m/series\"",
      R"({"error":"no /db/m/series?u=root\u0026p=s3cret"})",
      R"({"error":"no \/db\/m\/series?u=root&p=s3cret)",
      "<a href='/db/m/series?u=root&amp;p=s3cret'>",
      "http://proxy/login?next=%2Fdb%2Fm%2Fseries%3Fu%3Droot%26p%3Ds3cret",
      "/login?next=%252Fdb%252Fm%252Fseries%253Fu%253Droot%2526p%253Ds3cret",
  };
  for (const std::string& text : texts) {
    CAPTURE(text);
    for (const int status : {200, 302, 400, 401, 404, 500, 503}) {
      CAPTURE(status);
      const Response response{.status = status, .location = text, .body = text};
      const Verdict verdict = judge(response, hundred_points(), over(Api::v0_8));
      CHECK_FALSE(contains(verdict.message, "s3cret"));
      CHECK(verdict.message.empty() == false);
    }
  }
  const Response refused{.status = 400, .body = texts[0]};
  CHECK(contains(judge(refused, hundred_points(), over(Api::v0_8)).message,
                 "unsupported path requested"));
}
