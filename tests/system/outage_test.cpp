// What the log says when the database is another program, or refuses some points. The faults of the
// plan have their own tests, faults_*_test.cpp.

#include <doctest/doctest.h>

#include <string>
#include <utility>

#include "fake_server.hpp"
#include "rig.hpp"

using namespace tally::testing;
using namespace std::chrono_literals;
using tally::test::FakeReply;
using tally::test::FakeServer;
using tally::test::reply;

namespace {

std::string line_with(const std::string& text, std::string_view part) {
  const std::size_t at = text.find(part);
  const std::size_t begin = text.rfind('\n', at) + 1;
  return text.substr(begin, text.find('\n', at) - begin);
}

// A server that is no influxd 1.x, and has one answer to everything.
class Impostor {
 public:
  explicit Impostor(FakeReply answer)
      : server_(loop_, [answer = std::move(answer)](const auto&) { return answer; }) {
    server_.listen();
  }

  std::string url() const { return server_.url(); }
  bool serve_until_logged(const Tallyd& tallyd, std::string_view text) {
    const auto is_logged = [&] { return tallyd.log().find(text) != std::string::npos; };
    return tally::test::run_until(loop_, is_logged, patience);
  }

 private:
  tally::uv::Loop loop_;
  FakeServer server_;
};

}  // namespace

TEST_CASE("outage: a field of another type costs only its own points, and they are counted") {
  Influxd influxd;
  influxd.start();
  influxd.query("", "CREATE DATABASE metric");
  influxd.write(database, "clash.count count=\"a string\"");  // now: types are fixed a shard
  Tallyd tallyd({.influxdb_url = influxd.url(), .interval = "200ms"});
  StatsdSender sender(tallyd.port());
  sender.send("outage.hits:1|c\nclash:5|c\noutage.hits:1|c|#k:v");
  const auto is_told = [&] { return stored_sum(influxd, "tallyd.points.count", "dropped") == 1; };
  CHECK_MESSAGE(eventually(patience, is_told), tallyd.log());
  tallyd.stop();
  CHECK(stored_sum(influxd, "outage.hits.count") == 2);
  CHECK(tallyd.log().find("field type conflict") != std::string::npos);
  check_balances(influxd, {.datagrams = 1, .accepted = 3, .points_dropped = 1});
}

TEST_CASE("outage: no user where InfluxDB wants one has its own line") {
  Influxd influxd({.auth = true});
  influxd.start();
  Tallyd tallyd({.influxdb_url = influxd.url()});
  CHECK(tallyd.wait_for_log("wants a user and none is configured"));
}

TEST_CASE(
    "outage: 404 in plain text names the server's version, the API and the cure, in one line") {
  struct Server {
    const char* name;
    const char* version;
    const char* cure;
  };
  const Server servers[] = {
      {"0.8", "InfluxDB v0.8.8 (git: afde71e) (leveldb: 1.15)", "set influxdb.api = \"0.8\""},
      {"1.6 behind a path", "1.6.7~rc0", "without a path"},
  };
  for (const Server& server : servers) {
    CAPTURE(server.name);
    const std::string headers = "Content-Type: text/plain; charset=utf-8\r\nX-Influxdb-Version: " +
                                std::string(server.version) + "\r\n";
    Impostor other(reply(404, "404 page not found\n", headers));
    Tallyd tallyd({.influxdb_url = other.url(), .sets = {"influxdb.api=1"}});
    REQUIRE(other.serve_until_logged(tallyd, "404 page not found"));
    const std::string line = line_with(tallyd.log(), "404 page not found");
    CHECK_MESSAGE(line.find(server.version) != std::string::npos, line);
    CHECK_MESSAGE(line.find("POST /write?db=metric") != std::string::npos, line);
    CHECK_MESSAGE(line.find(server.cure) != std::string::npos, line);
    CHECK(occurrences(tallyd.log(), "404 page not found") == 1);
  }
}

TEST_CASE("outage: the real influxd below a wrong path is explained too") {
  Influxd influxd;
  influxd.start();
  Tallyd tallyd({.influxdb_url = influxd.url() + "/nowhere"});
  CHECK(tallyd.wait_for_log("is InfluxDB \"1.6.7"));
}
