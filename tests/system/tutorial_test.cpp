// The tutorial, end to end: the demo is asked six times, and InfluxDB knows it.

#include <doctest/doctest.h>

#include <set>

#include "http_client.hpp"
#include "rig.hpp"

using namespace tally::testing;

namespace {

// From the line "listening on http://127.0.0.1:40002".
std::string url_of_demo(Process& demo) {
  const std::string mark = "listening on ";
  REQUIRE_MESSAGE(demo.wait_for_log(mark, patience), demo.log());
  const std::string log = demo.log();
  const std::size_t at = log.find("http://", log.find(mark));
  return log.substr(at, log.find_first_of(" \n", at) - at) + "/";
}

}  // namespace

TEST_CASE(
    "tutorial: six requests are six counts and six timings in InfluxDB, and its queries answer") {
  Influxd influxd;
  influxd.start();
  Tallyd tallyd({.influxdb_url = influxd.url(), .interval = "1s"});
  const std::string daemon = "127.0.0.1:" + std::to_string(tallyd.port());
  Process demo({.path = TALLYD_DEMO, .arguments = {"--listen", "127.0.0.1:0", "--statsd", daemon}});
  const std::string url = url_of_demo(demo);

  for (int i = 0; i < 6; ++i) {
    const HttpAnswer answer = http_get(url);
    CHECK(answer.status == 200);
    CHECK(answer.body.starts_with("Hello World!"));
  }

  const auto six_are_there = [&] {
    // Before the first window the database is missing, and the query's answer empty.
    return influxd.value(database, "SELECT sum(\"count\") FROM \"count_request.count\"", "sum") ==
           "6";
  };
  REQUIRE_MESSAGE(eventually(patience, six_are_there), tallyd.log());
  CHECK(stored_sum(influxd, "response_time.timer") == 6);

  std::set<std::string> series;
  for (const Row& row : influxd.query(database, "SHOW SERIES")) series.insert(row.at("key"));
  CHECK(series.contains("count_request.count,host=testhost"));
  CHECK(series.contains("response_time.timer,host=testhost"));

  const std::string last_hour = " WHERE time > now() - 1h GROUP BY time(30s) fill(none)";
  const std::vector<Row> means =
      influxd.query(database, "SELECT mean(\"count\") FROM \"response_time.timer\"" + last_hour);
  REQUIRE(!means.empty());
  for (const Row& row : means) CHECK(number_in(row, "mean") >= 1);
  const std::vector<Row> counts =
      influxd.query(database, "SELECT sum(\"count\") FROM \"count_request.count\"" + last_hour);
  CHECK(!counts.empty());

  // The tutorial's own code measured nothing. Ours sleeps no time either, but no handler takes
  // none.
  for (const Row& row : influxd.query(database, "SELECT * FROM \"response_time.timer\"")) {
    CHECK(number_in(row, "mean") > 0);
    CHECK(number_in(row, "min") <= number_in(row, "p50"));
    CHECK(number_in(row, "p999") <= number_in(row, "max"));
  }
  tallyd.stop();
}
