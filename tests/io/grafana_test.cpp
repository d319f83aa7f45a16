#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "tools_rig.hpp"

using namespace tally::testing;
using tally::test::FakeReply;
using tally::test::FakeRequest;
using tally::test::reply;

namespace {

/// A tallyd with so many counters, that writes to such a server.
class Daemon {
 public:
  std::size_t series = 2;
  std::string api = "1";
  std::string server = "InfluxDB 1.6.7";
  std::string config = "[flush]\\ninterval = \\\"5s\\\"\\n";

  FakeReply operator()(const FakeRequest& request) const {
    if (request.target == "/api/v1/config") return reply(200, "{\"config\":\"" + config + "\"}");
    if (request.target == "/api/v1/ledger")
      return reply(200,
                   R"({"destinations":[{"api":")" + api + R"(","server":")" + server + "\"}]}");
    return reply(200, page(request.target));
  }

 private:
  std::string page(const std::string& target) const {
    const std::size_t offset = std::stoul(target.substr(target.find("offset=") + 7));
    std::string rows;
    for (std::size_t i = offset; i < std::min(series, offset + 1000); ++i)
      rows += (rows.empty() ? "" : ",") + std::string(R"({"name":"m)") + std::to_string(i) +
              R"(","kind":"counter"})";
    return "{\"total\":1,\"series\":[" + rows + "]}";
  }
};

std::string contents(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("grafana: the dashboard goes to standard output, what it holds is told beside it") {
  ToolRig rig{Daemon()};
  const Ran ran = rig.run({"grafana", "--title", "My \"shop\""});
  CHECK(ran.status == 0);
  CHECK(ran.log == "tallyd: 2 panels, in influxql\n");
  CHECK(contains(ran.output, "{\"title\":\"My \\\"shop\\\"\","));
  CHECK(contains(ran.output, "FROM \\\"m1.count\\\""));
  CHECK(contains(ran.output, "\"interval\":\"5s\""));
}

TEST_CASE("grafana: --output writes a file, and what cannot be written is an error") {
  const TemporaryDirectory directory;
  ToolRig rig{Daemon()};
  const Ran ran = rig.run({"grafana", "--output", directory.path() + "/d.json"});
  CHECK(ran.status == 0);
  CHECK(ran.output == "");
  CHECK(contains(contents(directory.path() + "/d.json"), "\"tallyd: metrics\""));
  const Ran nowhere = rig.run({"grafana", "--output", "/nowhere/d.json"});
  CHECK(nowhere.status == 1);
  CHECK(nowhere.log == "tallyd: cannot write \"/nowhere/d.json\"; see --output\n");
  CHECK(rig.run({"grafana", "--output", "/dev/full"}).status == 1);
}

TEST_CASE("grafana: the language is that of the database, or the one that was named") {
  struct Row {
    std::string api, server, says;
  };
  for (const Row& row : std::vector<Row>{{"1", "InfluxDB 1.6.7", "influxql"},
                                         {"auto", "", "influxql"},
                                         {"2", "InfluxDB v2.7.1", "flux"},
                                         {"3", "InfluxDB 3.0.1", "sql"},
                                         {"1", "VictoriaMetrics", "metricsql"}}) {
    Daemon daemon;
    daemon.api = row.api;
    daemon.server = row.server;
    ToolRig rig{daemon};
    CHECK(rig.run({"grafana"}).log == "tallyd: 2 panels, in " + row.says + "\n");
    CHECK(rig.run({"grafana", "--language", "flux"}).log == "tallyd: 2 panels, in flux\n");
  }
  ToolRig rig{Daemon()};
  const Ran slip = rig.run({"grafana", "--language", "fluxx"});
  CHECK(slip.status == 2);
  CHECK(slip.log == "tallyd: --language knows influxql, flux, sql, metricsql, not \"fluxx\"\n");
}

TEST_CASE("grafana: many series are asked for page by page, panels are bounded") {
  Daemon daemon;
  daemon.series = 1500;
  ToolRig rig{daemon};
  CHECK(rig.run({"grafana", "--limit", "7"}).log ==
        "tallyd: 7 panels, in influxql\n"
        "tallyd: 1,493 less busy metrics are left out; --limit allows more\n");
  daemon.series = 100'000;
  ToolRig huge{daemon};
  const Ran ran = huge.run({"grafana"});
  CHECK(contains(ran.log, "only the 20,000 busiest series were looked at\n"));
  CHECK(huge.server().requests().size() == 22);
}

TEST_CASE("grafana: nothing to show, and answers that are none, are errors that say why") {
  Daemon empty;
  empty.series = 0;
  ToolRig rig{empty};
  const Ran ran = rig.run({"grafana"});
  CHECK(ran.status == 1);
  CHECK_MESSAGE(contains(ran.log, " has seen no metric within its last 60 windows: send some"),
                ran.log);

  Daemon newer;
  newer.config = "[flush]\\nrhythm = 7\\n";
  ToolRig other{newer};
  CHECK_MESSAGE(contains(other.run({"grafana"}).log, " is of another version than this one: "), "");

  ToolRig missing([](const FakeRequest&) { return reply(404, R"({"error":"no such page"})"); });
  CHECK_MESSAGE(contains(missing.run({"grafana"}).log, "does not know what was asked for"), "");
}
