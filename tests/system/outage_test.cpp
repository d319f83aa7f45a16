// The database comes late, dies, hangs, refuses, or is another program: nothing is lost or doubled,
// and each case has its own line in the log.

#include <doctest/doctest.h>

#include <string>
#include <thread>
#include <utility>

#include "fake_server.hpp"
#include "rig.hpp"

using namespace tally::testing;
using namespace std::chrono_literals;
using tally::test::FakeReply;
using tally::test::FakeServer;
using tally::test::reply;

namespace {

// Lines at a steady pace over several windows.
class Load {
 public:
  explicit Load(std::uint16_t port) : sender_(port) {}

  void run(std::chrono::milliseconds duration) {
    const auto end = std::chrono::steady_clock::now() + duration;
    while (std::chrono::steady_clock::now() < end) {
      for (int i = 0; i < 20; ++i)
        sender_.send_packed("outage.hits:1|c|#shard:" + std::to_string(i % 5));
      sender_.flush();
      std::this_thread::sleep_for(20ms);  // the pace of the load; nothing waits for it
    }
  }
  std::uint64_t lines() const { return sender_.lines(); }
  std::uint64_t datagrams() const { return sender_.datagrams(); }

 private:
  StatsdSender sender_;
};

bool all_is_stored(const Influxd& influxd, const Load& load) {
  return eventually(patience, [&] {
    return stored_sum(influxd, "outage.hits.count") == static_cast<double>(load.lines());
  });
}

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

void send_one(const Tallyd& tallyd) {
  StatsdSender(tallyd.port()).send("outage.hits:1|c");
}

bool one_is_stored(const Influxd& influxd) {
  return eventually(patience, [&] { return stored_sum(influxd, "outage.hits.count") == 1; });
}

}  // namespace

TEST_CASE("outage: InfluxDB started 5 s after tallyd loses nothing") {
  Influxd influxd;
  Tallyd tallyd({.influxdb_url = influxd.url()});
  Load load(tallyd.port());
  load.run(5s);
  CHECK(tallyd.log().find("nothing answers at " + influxd.url()) != std::string::npos);
  influxd.start();
  CHECK(all_is_stored(influxd, load));
  tallyd.stop();
  CHECK(all_is_stored(influxd, load));
}

TEST_CASE("outage: InfluxDB killed and restarted under load loses and doubles nothing") {
  Influxd influxd;
  influxd.start();
  Tallyd tallyd({.influxdb_url = influxd.url(), .interval = "200ms"});
  Load load(tallyd.port());
  for (int round = 0; round < 3; ++round) {
    load.run(700ms);
    influxd.kill();
    load.run(700ms);
    influxd.start();
  }
  load.run(500ms);
  CHECK(all_is_stored(influxd, load));
  tallyd.stop();
  CHECK(all_is_stored(influxd, load));
  check_balances(influxd, {.datagrams = load.datagrams(), .accepted = load.lines()});
}

TEST_CASE("outage: writes that timed out and were stored all the same are not doubled") {
  Influxd influxd;
  influxd.start();
  Tallyd tallyd({.influxdb_url = influxd.url(), .sets = {"influxdb.timeout=1s"}});
  Load load(tallyd.port());
  load.run(1s);
  influxd.pause();
  load.run(1s);
  CHECK(tallyd.wait_for_log("did not answer"));
  influxd.resume();
  load.run(1s);
  CHECK(all_is_stored(influxd, load));
  tallyd.stop();
  CHECK(all_is_stored(influxd, load));
}

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

TEST_CASE("outage: a missing database is created, and another one only if that is wanted") {
  Influxd influxd;
  influxd.start();
  {
    Tallyd tallyd({.influxdb_url = influxd.url(), .sets = {"influxdb.database=made.by us"}});
    const auto is_created = [&] {
      for (const Row& row : influxd.query("", "SHOW DATABASES")) {
        if (row.at("name") == "made.by us") return true;
      }
      return false;
    };
    CHECK(eventually(patience, is_created));
    tallyd.stop();
  }
  Tallyd tallyd({.influxdb_url = influxd.url(), .sets = {"influxdb.create_database=false"}});
  send_one(tallyd);
  CHECK(tallyd.wait_for_log("has no database \"metric\""));
  influxd.query("", "CREATE DATABASE metric");
  CHECK(one_is_stored(influxd));
}

TEST_CASE(
    "outage: a wrong password has its own line, is never printed, and is read again once mended") {
  Influxd influxd({.auth = true});
  influxd.start();
  TemporaryDirectory directory;
  const std::string file = directory.write("password", "canary-7\n");
  Tallyd tallyd({.influxdb_url = influxd.url(),
                 .sets = {"influxdb.username=root", "influxdb.password_file=" + file}});
  send_one(tallyd);
  CHECK(tallyd.wait_for_log("refused user \"root\""));
  directory.write("password", "secret\n");
  CHECK(one_is_stored(influxd));
  CHECK(tallyd.log().find("canary-7") == std::string::npos);
  CHECK(tallyd.log().find("secret") == std::string::npos);
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
      {"0.8", "InfluxDB v0.8.8 (git: afde71e) (leveldb: 1.15)", "upgrade the server to 1.x"},
      {"1.6 behind a path", "1.6.7~rc0", "without a path"},
  };
  for (const Server& server : servers) {
    CAPTURE(server.name);
    const std::string headers = "Content-Type: text/plain; charset=utf-8\r\nX-Influxdb-Version: " +
                                std::string(server.version) + "\r\n";
    Impostor other(reply(404, "404 page not found\n", headers));
    Tallyd tallyd({.influxdb_url = other.url()});
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

TEST_CASE("outage: a web page that answers 200 is not a success") {
  Impostor page(reply(200, "<html>", "Content-Type: text/html\r\n"));
  Tallyd tallyd({.influxdb_url = page.url()});
  CHECK(page.serve_until_logged(tallyd, "this is a web page, not a write API"));
  tallyd.stop();
  CHECK(tallyd.log().find(" 0 written") != std::string::npos);
}
