// The real VictoriaMetrics: tallyd finds out what it speaks, and what it stores is what was sent.

#include "victoria.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <set>
#include <string>

#include "faults_rig.hpp"
#include "http_client.hpp"

using namespace tally::testing;
using namespace std::chrono_literals;

namespace {

constexpr const char* hits_metric = "fault.hits.count_count";

bool all_is_stored(const VictoriaMetrics& victoria, const Load& load) {
  return eventually(patience,
                    [&] { return victoria.sum(hits_metric) == static_cast<double>(load.lines()); });
}

}  // namespace

TEST_SUITE_BEGIN("victoria" * doctest::skip(!VictoriaMetrics::is_installed()));

TEST_CASE("VictoriaMetrics: found out by api = auto, and its sums are what was sent") {
  VictoriaMetrics victoria;
  victoria.start();
  Tallyd tallyd({.influxdb_url = victoria.url(), .interval = "200ms"});
  Load load(tallyd.port());
  StatsdSender sender(tallyd.port());
  load.run(600ms);
  for (const char* line : {"fault.time:12|ms", "fault.time:30|ms|@0.5", "fault.level:17|g"})
    sender.send(line);
  load.run(600ms);
  CHECK_MESSAGE(all_is_stored(victoria, load), tallyd.log());
  tallyd.stop();
  CHECK(victoria.sum(hits_metric) == static_cast<double>(load.lines()));
  CHECK(victoria.sum("fault.time.timer_count") == 3);
  CHECK(victoria.sum("fault.time.timer_sum") == 72);
  CHECK(victoria.samples("fault.level.gauge_value").back().value == 17);
  std::set<std::string> shards;
  for (const VictoriaMetrics::Sample& sample : victoria.samples(hits_metric)) {
    shards.insert(sample.shard);
    CHECK(sample.host == "testhost");
    CHECK(sample.stamp_ms % 200 == 0);
  }
  CHECK(shards.size() == 5);
  CHECK(victoria.sum("tallyd.lines.count_count") ==
        static_cast<double>(load.lines() + sender.datagrams()));
  // A machine that stood still is none of VictoriaMetrics' doing.
  const std::string log = tallyd.log();
  CHECK_MESSAGE(occurrences(log, "warning") == occurrences(log, "one window is longer than"), log);
  CHECK_MESSAGE(occurrences(log, "error") == 0, log);
}

TEST_CASE("VictoriaMetrics: away for a while and back, it gets every window once") {
  VictoriaMetrics victoria;
  victoria.start();
  Lives lives({.influxdb_url = victoria.url()});
  Load load(lives.begin().port());
  load.run(600ms);
  victoria.stop();
  load.run(1s);
  CHECK(lives.tallyd().wait_for_log("nothing answers at"));
  victoria.start();
  load.run(400ms);
  CHECK_MESSAGE(all_is_stored(victoria, load), lives.tallyd().log());
  CHECK(is_emptied(lives.spool()));
  lives.stop();
  CHECK(victoria.sum(hits_metric) == static_cast<double>(load.lines()));
}

TEST_CASE("VictoriaMetrics: a resend is two samples, and one with -dedup.minScrapeInterval=1ms") {
  for (const bool dedups : {false, true}) {
    CAPTURE(dedups);
    VictoriaMetrics victoria(dedups ? std::vector<std::string>{"-dedup.minScrapeInterval=1ms"}
                                    : std::vector<std::string>{});
    victoria.start();
    Badflux between;
    between.listen();
    between.set_script([port = victoria.port(), is_lost = false](const HttpMessage& head) mutable {
      is_lost = !is_lost && head.path() == "/write";
      return is_lost ? proxy_and_swallow(port) : proxy(port);
    });
    Tallyd tallyd({.influxdb_url = between.url(), .interval = "200ms"});
    Load load(tallyd.port());
    CHECK(load.run_until([&] { return writes(between).size() >= 6; }));
    between.set_script(proxy(victoria.port()));
    const auto all = static_cast<double>(load.lines());
    CHECK_MESSAGE(eventually(patience, [&] { return victoria.sum(hits_metric) >= all; }),
                  tallyd.log());
    tallyd.stop();
    if (dedups)
      CHECK(victoria.sum(hits_metric) == all);
    else
      CHECK(eventually(patience, [&] { return victoria.sum(hits_metric) > all; }));
  }
}

TEST_CASE(
    "VictoriaMetrics: it skips a line that it cannot read and says 204, as the README warns") {
  VictoriaMetrics victoria;
  victoria.start();
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  const std::string stamp = " " + std::to_string(now.time_since_epoch().count()) + "\n";
  const HttpAnswer answer = http_request(
      {.url = victoria.url() + "/write?db=metric&precision=s",
       .form = "first count=1" + stamp + "bad count=" + stamp + "last count=2" + stamp});
  CHECK(answer.status == 204);
  CHECK(victoria.sum("first_count") == 1);
  CHECK(victoria.sum("last_count") == 2);
  CHECK(victoria.log().find("cannot unmarshal InfluxDB line \"bad count=") != std::string::npos);
}

TEST_SUITE_END();
