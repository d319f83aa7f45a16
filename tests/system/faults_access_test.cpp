// F18-F21: the real influxd wants another password, right, database or size. The points wait.

#include <doctest/doctest.h>

#include <algorithm>

#include "faults_rig.hpp"

using namespace tally::testing;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

TEST_CASE("F18: a wrong password is named, never printed, and read again once its file is mended") {
  Influxd influxd({.auth = true});
  influxd.start();
  const TemporaryDirectory directory;
  const std::string file = directory.write("password", "canary-18\n");
  Tallyd tallyd({.influxdb_url = influxd.url(),
                 .interval = "200ms",
                 .sets = {"influxdb.username=root", "influxdb.password_file=" + file}});
  Load load(tallyd.port());
  load.run(700ms);
  CHECK(tallyd.wait_for_log("refused user \"root\""));
  directory.write("password", "secret\n");
  CHECK(all_is_stored(influxd, load));
  load.run(300ms);
  finish(tallyd, influxd, load);
  CHECK(tallyd.log().find("canary-18") == std::string::npos);
  CHECK(tallyd.log().find("secret") == std::string::npos);
}

TEST_CASE(
    "F19: a user without the right to write is named with the database, until it is granted") {
  Influxd influxd({.auth = true});
  influxd.start();
  influxd.query("", "CREATE DATABASE metric");
  influxd.query("", "CREATE USER wr WITH PASSWORD 'canary-19'");
  Tallyd tallyd({.influxdb_url = influxd.url(),
                 .interval = "200ms",
                 .sets = {"influxdb.username=wr", "influxdb.password=canary-19"}});
  Load load(tallyd.port());
  load.run(500ms);
  REQUIRE(tallyd.wait_for_log("does not let user"));
  const std::string line = line_with(tallyd.log(), "does not let user");
  CHECK_MESSAGE(line.find("\"wr\"") != std::string::npos, line);
  CHECK_MESSAGE(line.find("\"metric\"") != std::string::npos, line);
  influxd.query("", "GRANT WRITE ON metric TO wr");
  CHECK(all_is_stored(influxd, load));
  finish(tallyd, influxd, load);
  CHECK(tallyd.log().find("canary-19") == std::string::npos);
}

TEST_CASE("F20: a missing database is waited for, and drained into within 5 s of its creation") {
  Influxd influxd;
  influxd.start();
  Tallyd tallyd({.influxdb_url = influxd.url(),
                 .interval = "200ms",
                 .sets = {"influxdb.create_database=false"}});
  Load load(tallyd.port());
  load.run(500ms);
  CHECK(tallyd.wait_for_log("has no database \"metric\""));
  load.run(3s);  // by then the back-off is seconds long
  influxd.query("", "CREATE DATABASE metric");
  const auto begin = Clock::now();
  CHECK(all_is_stored(influxd, load));
  CHECK(Clock::now() - begin < 5s);
  finish(tallyd, influxd, load);
}

TEST_CASE("F20: a missing database is created once") {
  Badflux server(ServerKind::influx_1, {.databases = {}});
  server.listen();
  Tallyd tallyd({.influxdb_url = server.url(), .interval = "200ms"});
  Load load(tallyd.port());
  load.run(1s);
  finish(tallyd, server, load);
  const auto requests = server.requests();
  CHECK(std::count_if(requests.begin(), requests.end(),
                      [](const auto& request) { return request.path() == "/query"; }) == 1);
}

TEST_CASE("F20: the real influxd gets its missing database by the name that is configured") {
  Influxd influxd;
  influxd.start();
  Tallyd tallyd({.influxdb_url = influxd.url(), .sets = {"influxdb.database=made.by \"us\""}});
  CHECK(eventually(patience, [&] {
    const auto rows = influxd.query("", "SHOW DATABASES");
    return std::any_of(rows.begin(), rows.end(),
                       [](const Row& row) { return row.at("name") == "made.by \"us\""; });
  }));
}

TEST_CASE("F21: a request that the real influxd finds too large is halved until it fits") {
  Influxd influxd({.environment = {{"INFLUXDB_HTTP_MAX_BODY_SIZE", "20000"}}});
  influxd.start();
  Tallyd tallyd(
      {.influxdb_url = influxd.url(), .interval = "500ms", .sets = {"influxdb.gzip=false"}});
  Load load(tallyd.port(), 2000);  // some 150 KB of text
  for (int i = 0; i < 3; ++i) load.one_each();
  CHECK(tallyd.wait_for_log("takes no request of"));
  finish(tallyd, influxd, load);
}
