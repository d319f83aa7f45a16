// F1-F3: the real influxd comes late, dies again and again, or stands still under load.

#include <doctest/doctest.h>

#include <algorithm>

#include "faults_rig.hpp"

using namespace tally::testing;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

TEST_CASE("F1: without a server tallyd starts at once, and the backlog is written within 10 s") {
  Influxd influxd;
  const TallydOptions options{.influxdb_url = influxd.url()};
  Clock::duration start = 1h;
  for (int i = 0; i < 3; ++i) {  // the best of three: other processes of the machine are no fault
    const auto begin = Clock::now();
    const Tallyd tallyd(options);
    start = std::min(start, Clock::now() - begin);
  }
  if (!is_sanitized) CHECK(start < 200ms);

  Tallyd tallyd(options);
  Load load(tallyd.port());
  load.run(2s);
  CHECK(occurrences(tallyd.log(), "nothing answers at " + influxd.url()) == 1);
  influxd.start();
  const auto begin = Clock::now();
  CHECK(all_is_stored(influxd, load));
  CHECK(Clock::now() - begin < 10s);
  CHECK(tallyd.wait_for_log("takes points again after"));
  finish(tallyd, influxd, load);
}

TEST_CASE("F2: a server killed and restarted five times under load loses and doubles nothing") {
  Influxd influxd;
  influxd.start();
  Tallyd tallyd({.influxdb_url = influxd.url(), .interval = "200ms"});
  Load load(tallyd.port());
  for (int round = 0; round < 5; ++round) {
    load.run(600ms);
    influxd.kill();
    load.run(800ms);
    influxd.start();
  }
  load.run(400ms);
  finish(tallyd, influxd, load);
}

TEST_CASE("F3: writes that timed out at a stopped server and were stored are not doubled") {
  Influxd influxd;
  influxd.start();
  Tallyd tallyd(
      {.influxdb_url = influxd.url(), .interval = "200ms", .sets = {"influxdb.timeout=1s"}});
  Load load(tallyd.port());
  load.run(600ms);
  influxd.pause();
  load.run(outage_wanted(3s));
  CHECK(tallyd.wait_for_log("did not answer"));
  influxd.resume();
  load.run(400ms);
  finish(tallyd, influxd, load);
}
