#include "tally/verdict.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

using namespace std::chrono_literals;
using tally::Action;
using tally::Destination;
using tally::judge;
using tally::NoAnswer;
using tally::Payload;
using tally::PointLoss;
using tally::Response;
using tally::Verdict;

namespace {

const Destination metric{
    .url = "http://db:8086", .database = "metric", .username = "wr", .create_database = true};

Payload hundred_points() {
  return {.body = std::string(6'800, '\n'), .points = 100};
}

/// An error as influxd 1.6.7 sends it: JSON in the body, the same text in a header.
Response influxd(int status, std::string error) {
  std::string json = error;
  for (std::size_t at = 0; (at = json.find('"', at)) != std::string::npos; at += 2)
    json.insert(at, 1, '\\');
  return {.status = status,
          .content_type = "application/json",
          .influxdb_version = "1.6.7~rc0",
          .influxdb_error = std::move(error),
          .body = "{\"error\":\"" + json + "\"}\n"};
}

/// A text/plain answer of influxd's own router.
Response influxd_plain(int status, std::string body) {
  return {.status = status,
          .content_type = "text/plain; charset=utf-8",
          .influxdb_version = "1.6.7~rc0",
          .body = std::move(body)};
}

/// An answer of something that is not InfluxDB.
Response stranger(int status, std::string type, std::string body) {
  return {.status = status, .content_type = std::move(type), .body = std::move(body)};
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

struct Row {
  const char* name;
  Response response;
  Action action;
  PointLoss loss = PointLoss::none;
  std::uint32_t points_lost = 0;
  bool configuration = false;
  std::vector<std::string_view> says = {};
};

void check(const Row& row, const Destination& destination = metric) {
  CAPTURE(row.name);
  const Verdict verdict = judge(row.response, hundred_points(), destination);
  CAPTURE(verdict.message);
  CHECK(verdict.action == row.action);
  CHECK(verdict.loss == row.loss);
  CHECK(verdict.points_lost == row.points_lost);
  CHECK(verdict.configuration == row.configuration);
  CHECK(contains(verdict.message, "\n") == false);
  CHECK(verdict.message.empty() == row.says.empty());
  for (const std::string_view part : row.says) {
    CAPTURE(part);
    CHECK(contains(verdict.message, part));
  }
}

}  // namespace

TEST_CASE("verdict: only 204 means written") {
  check({.name = "204",
         .response = {.status = 204, .influxdb_version = "1.6.7~rc0"},
         .action = Action::written});
  for (const int status : {200, 201, 202, 203, 205, 206, 226}) {
    CAPTURE(status);
    check({.name = "another 2xx",
           .response = stranger(status, "text/html", "<!doctype html>"),
           .action = Action::keep,
           .configuration = true,
           .says = {"http://db:8086", std::to_string(status), "text/html",
                    "a web page, not a write API", "influxdb.url"}});
  }
}

TEST_CASE(
    "verdict: of a partial write the rest is stored and the lost points are counted by reason") {
  const std::vector<Row> rows{
      {"one line did not parse",
       influxd(400, "partial write: unable to parse 'cpu value=': missing field value dropped=0"),
       Action::written,
       PointLoss::refused,
       1,
       false,
       {"refused 1 of 100 points", "cpu value=", "report it"}},
      {"three lines did not parse",
       influxd(400,
               "partial write: unable to parse 'a v=': missing field value unable to parse 'b "
               "v=x': invalid "
               "number unable to parse 'c': missing fields dropped=0"),
       Action::written,
       PointLoss::refused,
       3,
       false,
       {"refused 3 of 100 points"}},
      {"field type conflict",
       influxd(400,
               "partial write: field type conflict: input field \"value\" on measurement \"ft\" is "
               "type "
               "string, already exists as type float dropped=1"),
       Action::written,
       PointLoss::type_conflict,
       1,
       false,
       {"measurement \\\"ft\\\"", "another type"}},
      {"beyond the retention policy",
       influxd(400, "partial write: points beyond retention policy dropped=17"),
       Action::written,
       PointLoss::beyond_retention,
       17,
       false,
       {"refused 17 of 100", "retention"}},
      {"series limit",
       influxd(400, "partial write: max-series-per-database limit exceeded: (100) dropped=50"),
       Action::written,
       PointLoss::series_limit,
       50,
       false,
       {"refused 50 of 100", "no new series", "more points than it says"}},
      {"tag value limit",
       influxd(400,
               "partial write: max-values-per-tag limit exceeded (3/2): measurement=\"m\" "
               "tag=\"t\" value=\"c\" "
               "dropped=2"),
       Action::written,
       PointLoss::series_limit,
       2,
       false,
       {"tag values"}},
      {"tag called time",
       influxd(400,
               "partial write: invalid tag key: input tag \"time\" on measurement \"m\" is invalid "
               "dropped=4"),
       Action::written,
       PointLoss::refused,
       4,
       false,
       {"refused 4 of 100", "invalid tag key"}},
      {"more dropped than were sent",
       influxd(400, "partial write: points beyond retention policy dropped=4000000000"),
       Action::written,
       PointLoss::beyond_retention,
       100,
       false,
       {"refused 100 of 100"}},
      {"no count",
       influxd(400, "partial write: points beyond retention policy"),
       Action::written,
       PointLoss::beyond_retention,
       1,
       false,
       {"refused 1 of 100"}},
      {"a count that is none",
       influxd(400, "partial write: points beyond retention policy dropped=many"),
       Action::written,
       PointLoss::beyond_retention,
       1,
       false,
       {"refused 1 of 100"}},
  };
  for (const Row& row : rows) check(row);
}

TEST_CASE("verdict: refused lines are counted in the body when the header is missing or shorter") {
  Response response =
      influxd(400, "partial write: unable to parse 'a v=': missing field value dropped=0");
  response.influxdb_error.clear();
  check({"no header",
         response,
         Action::written,
         PointLoss::refused,
         1,
         false,
         {"unable to parse 'a v='"}});
  response = influxd(400, "partial write: unable to parse 'a v=': missing field value dropped=0");
  response.body =
      R"({"error":"partial write: unable to parse 'a v=': missing field value\nunable to parse 'b v=': )"
      R"(missing field value dropped=0"})";
  check({"header cut",
         response,
         Action::written,
         PointLoss::refused,
         2,
         false,
         {"refused 2 of 100"}});
}

TEST_CASE("verdict: a metric's name in the server's words does not pass for the server's verdict") {
  const std::vector<Row> rows{
      {"a name like another reason",
       influxd(400,
               "partial write: field type conflict: input field \"value\" on measurement \"unable "
               "to parse 'a "
               "unable to parse 'b max-series\" is type float, already exists as type integer "
               "dropped=1"),
       Action::written,
       PointLoss::type_conflict,
       1,
       false,
       {"refused 1 of 100"}},
      {"a name like a count",
       influxd(400,
               "partial write: field type conflict: input field \"value\" on measurement "
               "\"dropped=99\" is type "
               "float, already exists as type integer dropped=1"),
       Action::written,
       PointLoss::type_conflict,
       1,
       false,
       {"refused 1 of 100"}},
      {"a name like a partial write",
       influxd(400, "unable to parse 'partial write: ': missing fields"),
       Action::drop,
       PointLoss::refused,
       100,
       false,
       {"refused 100 of 100"}},
      {"a name like a missing database",
       influxd(404, "no such thing: database not found"),
       Action::keep,
       PointLoss::none,
       0,
       true,
       {"no such thing"}},
  };
  for (const Row& row : rows) check(row);
}

TEST_CASE("verdict: what InfluxDB refuses whole is dropped, for sending it again cannot help") {
  const std::vector<Row> rows{
      {"only bad lines",
       influxd(400, "unable to parse 'a v=': missing field value"),
       Action::drop,
       PointLoss::refused,
       100,
       false,
       {"refused 100 of 100 points", "unable to parse"}},
      {"time outside range",
       influxd(400, "unable to parse 'a v=1 17': time outside range"),
       Action::drop,
       PointLoss::refused,
       100,
       false,
       {"time outside range"}},
      {"conflict of all",
       influxd(400,
               "field type conflict: input field \"v\" on measurement \"m\" is type float, already "
               "exists as type integer"),
       Action::drop,
       PointLoss::type_conflict,
       100,
       false,
       {"another type"}},
      {"plain text with a version",
       influxd_plain(400, "bad"),
       Action::drop,
       PointLoss::refused,
       100,
       false,
       {"bad"}},
  };
  for (const Row& row : rows) check(row);
}

TEST_CASE("verdict: another version that wants a user is told as another version") {
  Response two{.status = 401,
               .content_type = "application/json",
               .influxdb_version = "v2.7.1",
               .body = "{\"code\":\"unauthorized\",\"message\":\"unauthorized access\"}"};
  check({"2.x",
         two,
         Action::keep,
         PointLoss::none,
         0,
         true,
         {"InfluxDB \"v2.7.1\"", "401", "influx v1 auth create"}});
  two.influxdb_version = "3.0.1";
  check({"3.x",
         two,
         Action::keep,
         PointLoss::none,
         0,
         true,
         {"InfluxDB \"3.0.1\"", "not supported yet"}});
  two.status = 400;
  check({"3.x that refuses lines", two, Action::keep, PointLoss::none, 0, true, {"3.0.1", "400"}});
}

TEST_CASE("verdict: a 400 that does not come from InfluxDB costs no data") {
  check({"a gateway that speaks JSON",
         stranger(400, "application/json", "{\"message\":\"upstream not ready\"}"),
         Action::keep,
         PointLoss::none,
         0,
         true,
         {"not in the words of InfluxDB"}});
  check({"plain HTTP on a TLS port",
         stranger(400, "", "Client sent an HTTP request to an HTTPS server.\n"),
         Action::keep,
         PointLoss::none,
         0,
         true,
         {"HTTPS server", "https://"}});
  check({"a proxy's page",
         stranger(400, "text/html", "<html>Bad Request</html>"),
         Action::keep,
         PointLoss::none,
         0,
         true,
         {"not in the words of InfluxDB"}});
  check({"no database in the url",
         influxd(400, "database is required"),
         Action::keep,
         PointLoss::none,
         0,
         true,
         {"influxdb.database"}});
}

TEST_CASE("verdict: bad credentials keep the points and name the user") {
  const std::vector<Row> rows{
      {"wrong password",
       influxd(401, "authorization failed"),
       Action::keep,
       PointLoss::none,
       0,
       true,
       {"http://db:8086", "user \"wr\"", "401", "authorization failed", "influxdb.password_file"}},
      {"no write grant",
       influxd(403, "\"wr\" user is not authorized to write to database \"metric\""),
       Action::keep,
       PointLoss::none,
       0,
       true,
       {"user \"wr\"", "403", "GRANT WRITE ON \"metric\" TO \"wr\""}},
  };
  for (const Row& row : rows) check(row);
  Destination nobody = metric;
  nobody.username.clear();
  check({"none configured",
         influxd(401, "unable to parse authentication credentials"),
         Action::keep,
         PointLoss::none,
         0,
         true,
         {"none is configured", "influxdb.username"}},
        nobody);
}

TEST_CASE("verdict: a missing database is created, or its absence explained") {
  const Response missing = influxd(404, "database not found: \"metric\"");
  check({"may be created",
         missing,
         Action::create_database,
         PointLoss::none,
         0,
         false,
         {"http://db:8086", "no database \"metric\""}});
  Response without_header = missing;
  without_header.influxdb_error.clear();
  check({"said in the body only",
         without_header,
         Action::create_database,
         PointLoss::none,
         0,
         false,
         {"metric"}});
  Destination strict = metric;
  strict.create_database = false;
  check({"may not be created",
         missing,
         Action::keep,
         PointLoss::none,
         0,
         true,
         {"no database \"metric\"", "CREATE DATABASE \"metric\"", "influxdb.create_database"}},
        strict);
}

TEST_CASE(
    "verdict: the wrong API is explained by the server's version, the API spoken and the cure") {
  const std::vector<Row> rows{
      {"the tutorial's evening",
       influxd_plain(404, "404 page not found\n"),
       Action::keep,
       PointLoss::none,
       0,
       true,
       {"http://db:8086 is InfluxDB \"1.6.7~rc0\"", "404 \"404 page not found\"",
        "the InfluxDB 1.x API (POST /write?db=metric)", "set influxdb.url to the server's root"}},
      {"method not allowed",
       influxd_plain(405, "Method Not Allowed"),
       Action::keep,
       PointLoss::none,
       0,
       true,
       {"1.6.7~rc0", "405", "POST /write?db=metric"}},
      {"0.8",
       {.status = 404,
        .content_type = "text/plain",
        .influxdb_version = "InfluxDB v0.8.8 (git: afde71e) (leveldb: 1.15)",
        .body = "404 page not found"},
       Action::keep,
       PointLoss::none,
       0,
       true,
       {"v0.8.8", "POST /write?db=metric", "upgrade the server to 1.x"}},
      {"0.9 has the API",
       {.status = 404, .influxdb_version = "0.9.6"},
       Action::keep,
       PointLoss::none,
       0,
       true,
       {"0.9.6", "404 without a text", "server's root"}},
      {"2.x without a mapping",
       {.status = 404,
        .content_type = "application/json; charset=utf-8",
        .influxdb_version = "v2.7.1",
        .body = R"({"code":"not found","message":"no dbrp mapping found"})"},
       Action::keep,
       PointLoss::none,
       0,
       true,
       {"v2.7.1", "no dbrp mapping found", "influx v1 dbrp create"}},
      {"no InfluxDB at all",
       stranger(404, "text/html", "<h1>Not Found</h1>"),
       Action::keep,
       PointLoss::none,
       0,
       true,
       {"does not name itself InfluxDB", "correct influxdb.url"}},
  };
  for (const Row& row : rows) check(row);
}

TEST_CASE("verdict: redirects are not followed but told") {
  Response response = stranger(307, "text/html", "");
  response.location = "https://db:8086/write";
  check({"307",
         response,
         Action::keep,
         PointLoss::none,
         0,
         true,
         {"307", "\"https://db:8086/write\"", "influxdb.url"}});
}

TEST_CASE("verdict: what is too large is split, and a single point dropped") {
  const Response too_large = influxd(413, "Request Entity Too Large");
  check({"many",
         too_large,
         Action::split,
         PointLoss::none,
         0,
         false,
         {"6800B", "two halves", "max-body-size"}});
  const Verdict single = judge(too_large, {.body = "m v=1\n", .points = 1}, metric);
  CHECK(single.action == Action::drop);
  CHECK(single.loss == PointLoss::refused);
  CHECK(single.points_lost == 1);
  CHECK(contains(single.message, "it is lost"));
}

TEST_CASE("verdict: a server in trouble gets the points later") {
  const std::vector<Row> rows{
      {"throttled",
       influxd_plain(503, "request throttled, queue full"),
       Action::keep,
       PointLoss::none,
       0,
       false,
       {"503", "queue full"}},
      {"time-out of a proxy",
       stranger(504, "text/html", "gateway"),
       Action::keep,
       PointLoss::none,
       0,
       false,
       {"504"}},
      {"bad gateway",
       stranger(502, "", ""),
       Action::keep,
       PointLoss::none,
       0,
       false,
       {"502 without a text"}},
      {"too many requests",
       stranger(429, "", ""),
       Action::keep,
       PointLoss::none,
       0,
       false,
       {"429"}},
      {"request time-out", stranger(408, "", ""), Action::keep, PointLoss::none, 0, false, {"408"}},
      {"cache full",
       influxd(500, "engine: cache-max-memory-size exceeded: (3360006/3000000)"),
       Action::keep,
       PointLoss::none,
       0,
       false,
       {"cache-max-memory-size", "disk and memory"}},
      {"disk full",
       influxd(500, "engine: error writing WAL entry: write x: no space left on device"),
       Action::keep,
       PointLoss::none,
       0,
       false,
       {"no space left on device"}},
      {"panic",
       influxd_plain(500, "Internal Server Error\n"),
       Action::keep,
       PointLoss::none,
       0,
       false,
       {"Internal Server Error"}},
      {"no retention policy",
       influxd(500, "retention policy not found: nope"),
       Action::keep,
       PointLoss::none,
       0,
       true,
       {"retention policy not found: nope", "influxdb.retention_policy"}},
      {"a 5xx of its own", stranger(521, "", ""), Action::keep, PointLoss::none, 0, false, {"521"}},
      {"a 4xx that fits nothing",
       stranger(451, "", ""),
       Action::keep,
       PointLoss::none,
       0,
       true,
       {"451"}},
  };
  for (const Row& row : rows) check(row);
}

TEST_CASE(
    "verdict: Retry-After is seconds or a date, at most five minutes, and nonsense is nothing") {
  struct Wish {
    const char* name;
    std::string retry_after;
    std::string date;
    std::chrono::seconds expected;
  };
  const std::string noon = "Sun, 06 Nov 1994 12:00:00 GMT";
  const std::vector<Wish> wishes{
      {"none", "", noon, 0s},
      {"seconds", "7", noon, 7s},
      {"too many seconds", "999999", noon, 300s},
      {"more than a number holds", "99999999999999999999", noon, 0s},
      {"negative", "-5", noon, 0s},
      {"fraction", "1.5", noon, 0s},
      {"date", "Sun, 06 Nov 1994 12:01:30 GMT", noon, 90s},
      {"date on the next day", "Mon, 07 Nov 1994 00:00:00 GMT", "Sun, 06 Nov 1994 23:59:58 GMT",
       2s},
      {"far date", "Sun, 06 Nov 2094 12:00:00 GMT", noon, 300s},
      {"past date", "Sun, 06 Nov 1994 11:00:00 GMT", noon, 0s},
      {"date without the server's own", "Sun, 06 Nov 1994 12:01:30 GMT", "", 0s},
      {"no such month", "Sun, 06 Nix 1994 12:01:30 GMT", noon, 0s},
      {"no such day", "Sun, 31 Feb 1994 12:01:30 GMT", noon, 0s},
      {"letters for digits", "Sun, 06 Nov 1994 12:xx:30 GMT", noon, 0s},
      {"garbage", "soon", noon, 0s},
  };
  for (const Wish& wish : wishes) {
    CAPTURE(wish.name);
    const Response response{.status = 503, .retry_after = wish.retry_after, .date = wish.date};
    CHECK(judge(response, hundred_points(), metric).retry_after == wish.expected);
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
       {"nothing answers at http://db:8086: connection refused", "start InfluxDB"}},
      {"unresolved",
       {.transport_error = "Could not resolve host: db", .no_answer = NoAnswer::unresolved},
       Action::keep,
       PointLoss::none,
       0,
       false,
       {"cannot find the host of http://db:8086", "name service"}},
      {"timed out",
       {.transport_error = "timed out after 10000 ms", .no_answer = NoAnswer::timed_out},
       Action::keep,
       PointLoss::none,
       0,
       false,
       {"did not answer: timed out after 10000 ms", "influxdb.timeout"}},
      {"tls",
       {.transport_error = "unable to get local issuer certificate", .no_answer = NoAnswer::tls},
       Action::keep,
       PointLoss::none,
       0,
       true,
       {"issuer certificate", "influxdb.ca_file"}},
      {"broken, even with a status",
       {.transport_error = "transfer closed", .status = 204},
       Action::keep,
       PointLoss::none,
       0,
       false,
       {"transfer closed", "same bytes"}},
  };
  for (const Row& row : rows) check(row);
}

TEST_CASE("verdict: a server's bytes do not reach the terminal raw, nor without end") {
  const std::string nasty = "\x1B[2J\r\nfake line\xFF" + std::string(60'000, 'x');
  for (const int status : {200, 307, 400, 401, 403, 404, 405, 413, 429, 500, 503, 600}) {
    CAPTURE(status);
    for (const bool is_influxdb : {false, true}) {
      Response response{.status = status, .content_type = nasty, .location = nasty, .body = nasty};
      if (is_influxdb) response.influxdb_version = nasty;
      const Verdict verdict = judge(response, hundred_points(), metric);
      CHECK(verdict.message.find_first_of("\x1B\r\n\xFF") == std::string::npos);
      CHECK(verdict.message.size() < 2'000);
    }
  }
  const Verdict broken = judge({.transport_error = nasty}, hundred_points(), metric);
  CHECK(broken.message.find_first_of("\x1B\r\n\xFF") == std::string::npos);
  CHECK(broken.message.size() < 2'000);
}
