#include "watch/pulse.hpp"

#include <doctest/doctest.h>

#include <chrono>

using namespace std::chrono_literals;
using namespace tally;

namespace {

Ledger ledger_at(std::uint64_t datagrams, std::uint64_t lines, std::uint64_t samples,
                 std::uint64_t written) {
  Ledger ledger;
  ledger.ingest.datagrams = datagrams;
  ledger.ingest.lines = lines;
  ledger.ingest.samples = samples;
  ledger.deliveries = {{.written = written}};
  return ledger;
}

}  // namespace

TEST_CASE("pulse: what came in since the last look, a second") {
  PulseMeter meter(10s);
  const Instant start{100s};
  CHECK_FALSE(meter.feed(ledger_at(10, 20, 30, 0), start));
  const auto rates = meter.feed(ledger_at(20, 50, 80, 0), start + 500ms);
  REQUIRE(rates);
  CHECK(rates->datagrams == 20);
  CHECK(rates->lines == 60);
  CHECK(rates->samples == 100);
  CHECK_FALSE(meter.feed(ledger_at(99, 99, 99, 99), start + 500ms));  // no time has passed
}

TEST_CASE("pulse: points go out once a window, and are shown over a whole one") {
  PulseMeter meter(10s);
  const Instant start{100s};
  std::vector<double> shown;
  for (int second = 0; second <= 40; ++second) {
    const auto written = static_cast<std::uint64_t>(second / 10 * 1000);
    const auto rates = meter.feed(ledger_at(0, 0, 0, written), start + second * 1s);
    if (second >= 20) shown.push_back(rates->points);
  }
  for (const double points : shown) CHECK(points == 100);
}

TEST_CASE("pulse: with windows of an hour it looks back a minute, and remembers no more") {
  PulseMeter meter(1h);
  Instant now{100s};
  meter.feed(ledger_at(0, 0, 0, 0), now);
  for (int second = 0; second < 3600; ++second) meter.feed(ledger_at(0, 0, 0, 0), now += 1s);
  const auto rates = meter.feed(ledger_at(0, 0, 0, 600), now += 1s);
  REQUIRE(rates);
  CHECK(rates->points == 10);
}

TEST_CASE("pulse: a receive thread that did not answer makes nothing negative") {
  PulseMeter meter(1s);
  meter.feed(ledger_at(10, 10, 10, 10), Instant(1s));
  const auto rates = meter.feed(ledger_at(5, 5, 5, 5), Instant(2s));
  REQUIRE(rates);
  CHECK(rates->datagrams == 0);
  CHECK(rates->points == 0);
}

TEST_CASE("pulse: its text") {
  LiveState live{.now = WallTime(1'700'000'000'000ms), .series = 12};
  live.ledger.ingest.kernel_drops = 3;
  CHECK(pulse_json(live, {.datagrams = 1.5, .lines = 2, .samples = 3, .points = 4}) ==
        R"({"now":1700000000000,"datagrams_s":1.5,"lines_s":2,"samples_s":3,"points_s":4,)"
        R"("kernel_drops":3,"lost":3,"balances":true,"series":12})");
}
