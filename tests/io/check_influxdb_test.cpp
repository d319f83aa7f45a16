// What `tallyd check` asks a database, and that it changes nothing there.

#include "daemon/check_influxdb.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "fake_server.hpp"
#include "process.hpp"
#include "uv/handles.hpp"

using namespace tally;
using Level = Finding::Level;

namespace {

struct Checked {
  std::vector<Finding> findings;
  std::vector<test::FakeRequest> requests;

  std::vector<std::string> targets() const {
    std::vector<std::string> all;
    for (const test::FakeRequest& request : requests)
      all.push_back(request.method + ' ' + request.target);
    return all;
  }
  std::string mends() const {
    std::string all;
    for (const Finding& finding : findings)
      if (finding.level == Level::mend) all += finding.text + '\n';
    return all;
  }
};

/// Checks a server that answers so. Ends with an empty loop.
Checked check(Config::Influxdb influxdb, const test::FakeServer::Script& script) {
  Checked checked;
  uv::Loop loop;
  {
    test::FakeServer server(loop, script);
    server.listen();
    influxdb.url = server.url() + influxdb.url;
    bool done = false;
    uv::Async finished(loop, [&] { done = true; });
    std::thread asking([&] {
      checked.findings = find_influxdb_problems(Config{}, influxdb);
      finished.poke();
    });
    CHECK(test::run_until(loop, [&] { return done; }));
    asking.join();
    checked.requests = server.requests();
  }
  CHECK_FALSE(loop.turn());
  return checked;
}

/// A server of one version: what begins like a key is answered so, all else with 404.
test::FakeServer::Script answers(std::string version,
                                 std::map<std::string, test::FakeReply> replies) {
  return [version = std::move(version), replies = std::move(replies)](const auto& request) {
    for (const auto& [beginning, reply] : replies)
      if (request.target.starts_with(beginning)) return reply;
    return test::reply(404, "404 page not found", "X-Influxdb-Version: " + version + "\r\n");
  };
}

test::FakeReply named(int status, const std::string& version, const std::string& body = "") {
  return test::reply(status, body, "X-Influxdb-Version: " + version + "\r\n");
}

bool has(const Finding& finding, std::string_view part) {
  return finding.text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("check InfluxDB: 1.x is asked for field types and series too, with the user's name") {
  const std::string fields =
      R"({"results":[{"series":[{"name":"a.gauge","columns":["fieldKey","fieldType"],"values":[["value","integer"]]}]}]})";
  const std::string series =
      R"({"results":[{"series":[{"columns":["max-series-per-database"],"values":[[100]]}]},)"
      R"({"series":[{"tags":{"database":"metric"},"columns":["numSeries"],"values":[[96]]}]}]})";
  const Checked checked = check(
      {.url = "/", .username = "u", .password = "canary-1"},
      answers("1.6.7", {{"/ping", named(204, "1.6.7")},
                        {"/write", named(204, "1.6.7")},
                        {"/query?db=metric&q=SHOW%20FIELD", test::reply(200, fields)},
                        {"/query?db=metric&q=SHOW%20DIAGNOSTICS", test::reply(200, series)}}));
  REQUIRE(checked.requests.size() == 4);
  CHECK(checked.targets()[0] == "GET /ping");
  CHECK(checked.targets()[1] == "POST /write?db=metric&precision=s");
  CHECK(checked.requests[1].body.empty());
  for (std::size_t i = 1; i < 4; ++i)
    CHECK(checked.requests[i].headers.at("authorization") == "Basic dTpjYW5hcnktMQ==");
  REQUIRE(checked.findings.size() == 4);
  CHECK(has(checked.findings[0],
            "InfluxDB \"1.6.7\"; points go to POST /write?db=metric (API 1, found out)"));
  CHECK(has(checked.findings[1], "takes points"));
  CHECK(has(checked.findings[2], "field \"value\" of measurement \"a.gauge\" is integer"));
  CHECK(has(checked.findings[3], "96 series of the 100"));
  for (const Finding& finding : checked.findings) CHECK_FALSE(has(finding, "canary"));
}

TEST_CASE("check InfluxDB: a query that is refused, or answered with nonsense, is no finding") {
  for (const test::FakeReply& refusal :
       {test::reply(403, "{\"error\":\"requires READ\"}"), test::reply(200, "<html>"),
        test::cut("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")}) {
    CAPTURE(refusal.bytes);
    const Checked checked = check({.url = ""}, answers("1.6.7", {{"/ping", named(204, "1.6.7")},
                                                                 {"/write", named(204, "1.6.7")},
                                                                 {"/query", refusal}}));
    CHECK(checked.findings.size() == 2);
    CHECK(std::ranges::count(checked.findings, Level::well, &Finding::level) == 2);
  }
}

TEST_CASE("check InfluxDB: an answer of megabytes is read to 64 KiB, and what came is looked at") {
  std::string fields =
      R"({"results":[{"series":[{"name":"a.gauge","columns":["fieldKey","fieldType"],"values":[["value","integer"]]})";
  while (fields.size() < 4 << 20)
    fields +=
        R"(,{"name":"b.gauge","columns":["fieldKey","fieldType"],"values":[["value","float"]]})";
  const Checked checked = check(
      {.url = ""},
      answers("1.6.7", {{"/ping", named(204, "1.6.7")},
                        {"/write", named(204, "1.6.7")},
                        {"/query?db=metric&q=SHOW%20FIELD", test::reply(200, fields + "]}]}")}}));
  CHECK_MESSAGE(checked.mends().starts_with("field \"value\" of measurement \"a.gauge\""),
                checked.mends());
}

TEST_CASE("check InfluxDB: each API is tried in its own words, and nothing is stored or created") {
  const std::string old = "InfluxDB v0.8.8 (git: afde71e)";
  struct Row {
    std::string_view name;
    test::FakeServer::Script script;
    std::string trial, body;
    std::string_view says;
  };
  const std::vector<Row> rows = {
      {"0.8",
       answers(old, {{"/ping", named(200, old, "{\"status\":\"ok\"}")},
                     {"/db/metric/series", named(200, old)}}),
       "POST /db/metric/series?u=u&p=canary-2&time_precision=s", "[]", "takes points"},
      {"2.x",
       answers(
           "v2.7.1",
           {{"/ping", named(204, "v2.7.1")},
            {"/api/v2/write",
             test::reply(400, "{\"code\":\"invalid\",\"message\":\"writing requires points\"}")}}),
       "POST /api/v2/write?org=o&bucket=metric&precision=s", "", "bucket \"metric\" is there"},
      {"2.x that says so at /health only",
       answers("",
               {{"/ping", test::reply(204)},
                {"/health", test::reply(200, "{\"name\":\"influxdb\",\"version\":\"v2.0.4\"}")},
                {"/api/v2/write",
                 test::reply(404, "{\"code\":\"not found\",\"message\":\"bucket not found\"}")}}),
       "POST /api/v2/write?org=o&bucket=metric&precision=s", "", "influx bucket create"},
      {"3.x",
       answers("3.0.1", {{"/ping", test::reply(200, "{\"version\":\"3.0.1\"}")},
                         {"/api/v3/configure/database",
                          test::reply(200, "[{\"iox::database\":\"metric\"}]")}}),
       "GET /api/v3/configure/database?format=json", "", "database \"metric\" is there"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Checked checked =
        check({.url = "", .org = "o", .username = "u", .password = "canary-2", .token = "canary-3"},
              row.script);
    REQUIRE(checked.requests.size() >= 2);
    CHECK(checked.targets().back() == row.trial);
    CHECK(checked.requests.back().body == row.body);
    REQUIRE(checked.findings.size() == 2);
    CHECK_MESSAGE(has(checked.findings[1], row.says), checked.findings[1].text);
    for (const Finding& finding : checked.findings) CHECK_FALSE(has(finding, "canary"));
  }
}

TEST_CASE("check InfluxDB: the wrong API that is configured is named with the right one") {
  const Checked checked =
      check({.url = "", .api = Api::v0_8}, answers("1.6.7", {{"/ping", named(204, "1.6.7")}}));
  CHECK(has(checked.findings[0], "as configured; its own is 1"));
  CHECK_MESSAGE(
      checked.mends().find("the 0.8 API ended with InfluxDB 0.9; set influxdb.api = "
                           "\"1\" (POST /write?db=metric) or \"auto\"") != std::string::npos,
      checked.mends());
}

TEST_CASE("check InfluxDB: a server that names itself by its write only is tried again") {
  const Checked checked = check(
      {.url = "", .org = "o", .token = "t"},
      answers(
          "v2.7.1",
          {{"/ping", test::reply(404)},
           {"/health", test::reply(404)},
           {"/api/v2/write",
            test::reply(400, "{\"code\":\"invalid\",\"message\":\"writing requires points\"}")}}));
  CHECK(checked.targets() ==
        std::vector<std::string>{"GET /ping", "GET /health", "POST /write?db=metric&precision=s",
                                 "POST /api/v2/write?org=o&bucket=metric&precision=s"});
  CHECK(checked.mends().empty());
}

TEST_CASE("check InfluxDB: a clock that is wrong is told from the first answer") {
  const auto ping = test::reply(204, "",
                                "X-Influxdb-Version: 1.6.7\r\n"
                                "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
  const Checked checked =
      check({.url = ""}, answers("1.6.7", {{"/ping", ping}, {"/write", named(204, "1.6.7")}}));
  CHECK_MESSAGE(checked.mends().find("ahead of the server's") != std::string::npos,
                checked.mends());
}

TEST_CASE("check InfluxDB: who does not answer is asked once") {
  const Checked checked = check({.url = ""}, [](const auto&) { return test::cut("HTTP/1."); });
  CHECK(checked.requests.size() == 1);
  REQUIRE(checked.findings.size() == 1);
  CHECK(checked.findings[0].level == Level::mend);
  CHECK(has(checked.findings[0], "no whole answer"));
}

TEST_CASE("check InfluxDB: without a secret that can be read the server is still looked for") {
  const Checked checked =
      check({.url = "", .username = "u", .password_file = "/nowhere/secret"},
            answers("1.6.7", {{"/ping", named(204, "1.6.7")}, {"/write", named(401, "1.6.7")}}));
  CHECK(checked.targets() == std::vector<std::string>{"GET /ping"});
  REQUIRE(checked.findings.size() == 2);
  CHECK(has(checked.findings[0], "/nowhere/secret"));
  CHECK(checked.findings[1].level == Level::well);
}

TEST_CASE("check InfluxDB: a port where nobody listens is named with its cure") {
  const std::string url = "http://127.0.0.1:" + std::to_string(testing::free_tcp_port());
  const auto findings = find_influxdb_problems(Config{}, {.url = url});
  REQUIRE(findings.size() == 1);
  CHECK(
      findings[0].line().starts_with("influxdb " + url.substr(7) + ": nothing answers at " + url));
}
