// `tallyd check` against a real influxd: what is wrong with user, right, database, field types and
// series is said with its cure, before a point is lost to it; and nothing is written.

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "rig.hpp"

using namespace tally::testing;

namespace {

struct Ended {
  int status;
  std::string output;
};

Ended check(const Influxd& influxd, std::vector<std::string> sets,
            std::vector<std::string> arguments = {}) {
  arguments.insert(arguments.begin(), "check");
  sets.insert(sets.begin(), {"listen.udp=[\"127.0.0.1:0\"]", "listen.receive_buffer=64KiB",
                             "http.listen=", "admin.listen=", "influxdb.url=" + influxd.url()});
  for (const std::string& set : sets) arguments.insert(arguments.end(), {"--set", set});
  Process process(Command{TALLYD, arguments, {}, ""});
  const auto status = process.wait(patience);
  REQUIRE(status);
  CHECK(process.log().empty());
  return {*status, process.output()};
}

bool has(const Ended& ended, std::string_view part) {
  return ended.output.find(part) != std::string::npos;
}

std::string series_lines(int from, int to) {
  std::string lines;
  for (int i = from; i < to; ++i) lines += "n.gauge,i=" + std::to_string(i) + " value=1\n";
  return lines;
}

}  // namespace

TEST_CASE("check: user, right and database are told before a point is written") {
  Influxd influxd({.auth = true});
  influxd.start();
  influxd.query("", "CREATE DATABASE metric");
  influxd.query("", "CREATE USER wr WITH PASSWORD 'canary-pw'");
  influxd.query("", "CREATE USER guest WITH PASSWORD 'canary-pw'");
  influxd.query("", "GRANT WRITE ON metric TO wr");
  struct Row {
    std::string_view name;
    std::vector<std::string> sets;
    int status;
    std::string_view says;
  };
  const std::vector<Row> rows = {
      {"all well",
       {"influxdb.username=wr", "influxdb.password=canary-pw"},
       0,
       "database \"metric\" is there and takes points"},
      {"no user", {}, 1, "wants a user and none is configured"},
      {"wrong password",
       {"influxdb.username=wr", "influxdb.password=canary-no"},
       1,
       "refused user \"wr\""},
      {"no right",
       {"influxdb.username=guest", "influxdb.password=canary-pw"},
       1,
       "GRANT WRITE ON \"metric\" TO \"guest\""},
      {"no database, to be created",
       {"influxdb.username=wr", "influxdb.password=canary-pw", "influxdb.database=none"},
       0,
       "has no database \"none\"; tallyd creates it"},
      {"no database",
       {"influxdb.username=wr", "influxdb.password=canary-pw", "influxdb.database=none",
        "influxdb.create_database=false"},
       1,
       "CREATE DATABASE \"none\" there"},
      {"no retention policy",
       {"influxdb.username=wr", "influxdb.password=canary-pw", "influxdb.retention_policy=none"},
       1,
       "has no such retention policy"},
      {"the old API",
       {"influxdb.username=wr", "influxdb.password=canary-pw", "influxdb.api=0.8"},
       1,
       "the 0.8 API ended with InfluxDB 0.9; set influxdb.api = \"1\""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Ended ended = check(influxd, row.sets);
    CHECK(ended.status == row.status);
    CHECK_MESSAGE(has(ended, row.says), ended.output);
    CHECK_MESSAGE(!has(ended, "canary"), ended.output);
  }
  CHECK(influxd.query("", "SHOW DATABASES").size() == 1);
  CHECK(influxd.query("metric", "SHOW SERIES").empty());
}

TEST_CASE("check: field types that conflict and a series limit that is near are to be mended") {
  Influxd influxd({.environment = {{"INFLUXDB_DATA_MAX_SERIES_PER_DATABASE", "100"}}});
  influxd.start();
  influxd.query("", "CREATE DATABASE metric");
  influxd.write("metric", "hits.count count=5i,rate=1\nother value=3i\n" + series_lines(2, 90));
  const Ended noted = check(influxd, {});
  CHECK(noted.status == 1);
  CHECK_MESSAGE(has(noted, "MEND  influxdb 127.0.0.1:" + std::to_string(influxd.port()) +
                               ": field \"count\" of measurement \"hits.count\" is integer"),
                noted.output);
  CHECK(has(noted, "note  influxdb"));
  CHECK_MESSAGE(has(noted, "has 90 series of the 100"), noted.output);
  CHECK(occurrences(noted.output, "MEND") == 1);

  influxd.write("metric", series_lines(90, 96));
  influxd.query("metric", "DROP MEASUREMENT \"hits.count\"");
  influxd.write("metric", "hits.count count=5\n");
  const Ended near = check(influxd, {});
  CHECK_MESSAGE(has(near, "has 96 series of the 100"), near.output);
  CHECK(has(near, "have tallyd's type, float"));
  CHECK(occurrences(near.output, "MEND") == 1);

  const Ended json = check(influxd, {}, {"--json"});
  CHECK(json.status == 1);
  CHECK(json.output.ends_with("],\"well\":false}\n"));
  CHECK(occurrences(json.output, "\"level\":\"mend\"") == 1);
}
