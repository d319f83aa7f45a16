#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "naive.hpp"
#include "tally/carry.hpp"

using namespace tally;
using namespace tally::testing;
using namespace std::chrono_literals;

namespace {

constexpr double most = std::numeric_limits<double>::max();

/// Lines in, one window after the other closed: parse, table and carry as the daemon joins them.
class Windows {
 public:
  explicit Windows(CarryRules rules = {}, std::chrono::milliseconds interval = 10s)
      : carry_(std::move(rules)), table_(table_rules_), interval_(interval) {}

  /// Hears `lines`, then closes the window.
  const Snapshot& close(std::string_view lines = "") {
    table_.clear();
    Batch batch;
    parse_datagram(lines, {}, batch);
    REQUIRE(batch.refused.empty());
    for (const Sample& sample : batch.samples) {
      REQUIRE(table_.add(sample, batch.tags_of(sample), {}) <= Added::updated);
    }
    start_ += interval_;
    snapshot_ = carry_.close(table_, {start_, interval_});
    return snapshot_;
  }

  /// The value of a gauge in the window just closed; nothing if it was not written.
  std::optional<double> gauge(std::string_view name) const {
    for (const auto& point : snapshot_.gauges) {
      if (split_series_key(point.key).name == name) return point.value;
    }
    return std::nullopt;
  }

  const Carry& carry() const { return carry_; }

 private:
  TableRules table_rules_;
  Carry carry_;
  Table table_;
  std::chrono::milliseconds interval_;
  WallTime start_{};
  Snapshot snapshot_;
};

}  // namespace

TEST_CASE("carry: a counter has its count and its rate per second of the window") {
  struct Row {
    std::chrono::milliseconds interval;
    double rate;
  };
  for (const Row row : {Row{10s, 0.6}, Row{1s, 6}, Row{100ms, 60}, Row{1h, 6.0 / 3600}}) {
    Windows windows({}, row.interval);
    const Snapshot& snapshot = windows.close("hits:1|c\nhits:1|c|@0.2");
    REQUIRE(snapshot.counters.size() == 1);
    CHECK(snapshot.counters[0].count == 6);
    CHECK(snapshot.counters[0].rate == doctest::Approx(row.rate).epsilon(1e-14));
    CHECK(snapshot.span.interval == row.interval);
    CHECK(snapshot.points() == 1);
  }
}

TEST_CASE("carry: a timer has its moments and one value for each percent") {
  Windows windows({.percents = {10, 50, 90, 100}});
  const Snapshot& snapshot = windows.close("t:1:2:3:4:5:6:7:8:9:10|ms\nu:7|h|@0.1");
  CHECK(snapshot.percents == std::vector<double>{10, 50, 90, 100});
  REQUIRE(snapshot.timers.size() == 2);
  const Snapshot::Timer& t = snapshot.timers[0];
  CHECK(split_series_key(t.key).name == "t");
  CHECK(t.count == 10);
  CHECK(t.mean == 5.5);
  CHECK(t.min == 1);
  CHECK(t.max == 10);
  CHECK(t.sum == 55);
  CHECK(t.stddev == doctest::Approx(2.8722813232690143).epsilon(1e-14));
  REQUIRE(snapshot.percentiles.size() == 8);
  const double* read = snapshot.percentiles.data() + t.first_percentile;
  CHECK(std::vector<double>(read, read + 4) == std::vector<double>{1, 5, 9, 10});
  const Snapshot::Timer& u = snapshot.timers[1];
  CHECK(u.count == 10);
  CHECK(u.sum == 70);
  CHECK(u.mean == 7);
  CHECK(u.stddev == 0);
  CHECK(snapshot.percentiles[u.first_percentile] == 7);
}

TEST_CASE("carry: a set has the number of its members") {
  Windows windows;
  const Snapshot& snapshot = windows.close("u:1|s\nu:2|s\nu:1|s\nu:01|s");
  REQUIRE(snapshot.sets.size() == 1);
  CHECK(snapshot.sets[0].count == 3);
  CHECK(windows.carry().sets_estimated() == 0);
}

TEST_CASE("carry: counters, timers and sets that were not heard write nothing") {
  Windows windows;
  CHECK(windows.close("c:1|c\nt:1|ms\ns:1|s\nh:1|h\nd:1|d").points() == 5);
  CHECK(windows.close().points() == 0);
}

TEST_CASE("carry: what was written as an estimate is counted") {
  Windows windows;
  std::string lines;
  for (int i = 0; i < 4'097; ++i) lines += "s:m" + std::to_string(i) + "|s\n";
  for (int i = 0; i < 1'025; ++i) lines += "t:" + std::to_string(i) + "|ms\n";
  windows.close(lines);
  CHECK(windows.carry().sets_estimated() == 1);
  CHECK(windows.carry().timers_estimated() == 1);
  windows.close("s:1|s\nt:1|ms");
  CHECK(windows.carry().sets_estimated() == 1);
  CHECK(windows.carry().timers_estimated() == 1);
}

TEST_CASE("carry: a gauge is written again each window while it is idle") {
  Windows windows;
  windows.close("g:70|g");
  for (int i = 0; i < 5; ++i) {
    windows.close("other:1|c");
    CHECK(windows.gauge("g") == 70);
  }
}

TEST_CASE("carry: a point says how long its gauge has been idle") {
  Windows windows;
  CHECK(windows.close("g:70|g").gauges.at(0).idle == 0s);
  CHECK(windows.close().gauges.at(0).idle == 10s);
  CHECK(windows.close().gauges.at(0).idle == 20s);
  CHECK(windows.close("g:+1|g").gauges.at(0).idle == 0s);
  CHECK(windows.close().gauges.at(0).idle == 10s);
}

TEST_CASE("carry: deltas go on from the kept value, from 0 where there is none") {
  Windows windows;
  windows.close("g:5|g\nn:-3|g");
  windows.close("g:+0.5|g\ng:-10|g\nn:+1|g");
  CHECK(windows.gauge("g") == -4.5);
  CHECK(windows.gauge("n") == -2);
  windows.close("g:100|g\ng:+1|g");
  CHECK(windows.gauge("g") == 101);
  windows.close();
  CHECK(windows.gauge("g") == 101);
  windows.close("g:+1|g");
  CHECK(windows.gauge("g") == 102);
}

TEST_CASE("carry: a gauge is set below zero by 0 and a delta") {
  Windows windows;
  windows.close("g:12|g");
  windows.close("g:0|g\ng:-3|g");
  CHECK(windows.gauge("g") == -3);
}

TEST_CASE("carry: an idle gauge is written until it was idle for its ttl") {
  Windows windows({.gauge_ttl = 30s});
  windows.close("g:1|g");
  for (int i = 0; i < 3; ++i) {
    windows.close();
    CHECK(windows.gauge("g") == 1);
  }
  CHECK(windows.carry().gauges_expired() == 0);
  windows.close();
  CHECK_FALSE(windows.gauge("g"));
  CHECK(windows.carry().gauges() == 0);
  CHECK(windows.carry().gauges_expired() == 1);
  windows.close("g:+4|g");
  CHECK(windows.gauge("g") == 4);  // from 0: the old value is forgotten
}

TEST_CASE("carry: a gauge that is heard, if only by a delta, starts its idle time anew") {
  Windows windows({.gauge_ttl = 20s});
  windows.close("g:1|g");
  for (int i = 0; i < 6; ++i) {
    windows.close();
    windows.close();
    CHECK(windows.gauge("g"));
    windows.close(i % 2 == 0 ? "g:+1|g" : "g:1|g");
  }
  CHECK(windows.carry().gauges_expired() == 0);
}

TEST_CASE("carry: a ttl below the interval writes a gauge once, a ttl of 0 for ever") {
  Windows once({.gauge_ttl = 5s}), always({.gauge_ttl = 0s}, 1h);
  once.close("g:1|g");
  CHECK(once.gauge("g") == 1);
  once.close();
  CHECK_FALSE(once.gauge("g"));
  always.close("g:1|g");
  for (int i = 0; i < 1'000; ++i) always.close();
  CHECK(always.gauge("g") == 1);
}

TEST_CASE("carry: past its bound a new gauge is written once, counted and not carried") {
  Windows windows({.gauge_ttl = 20s, .gauges_max = 2});
  windows.close("a:1|g\nb:2|g\nc:3|g");
  CHECK(windows.gauge("c") == 3);
  CHECK(windows.carry().gauges() == 2);
  CHECK(windows.carry().gauges_not_carried() == 1);
  windows.close("a:+1|g");
  CHECK(windows.gauge("a") == 2);
  CHECK(windows.gauge("b") == 2);
  CHECK_FALSE(windows.gauge("c"));
  windows.close("c:+4|g");
  CHECK(windows.gauge("c") == 4);
  CHECK(windows.carry().gauges_not_carried() == 2);
  windows.close();
  windows.close();  // all are idle for longer than 20 s now, and make room
  windows.close("c:9|g");
  windows.close();
  CHECK(windows.gauge("c") == 9);
}

TEST_CASE("carry: gauges of one name and other tags are other gauges") {
  Windows windows;
  windows.close("g:1|g|#k:a\ng:2|g|#k:b\ng:3|g");
  const Snapshot& snapshot = windows.close("g:+10|g|#k:b");
  std::map<std::string, double> values;
  for (const auto& point : snapshot.gauges)
    values[describe(as_naive_series(point.key))] = point.value;
  CHECK(values ==
        std::map<std::string, double>{{"gauge g #k=a", 1}, {"gauge g #k=b", 12}, {"gauge g", 3}});
}

TEST_CASE("carry: what leaves the range of a double is written as a finite number") {
  Windows windows({}, 100ms);
  const std::string huge = "17976931348623157e292";  // the largest double
  windows.close("g:" + huge + "|g\nc:" + huge + "|c");
  const Snapshot& snapshot = windows.close("g:+" + huge + "|g\nc:" + huge + "|c");
  CHECK(snapshot.gauges[0].value == most);
  CHECK(snapshot.counters[0].count == most);
  CHECK(std::isfinite(snapshot.counters[0].rate));
  windows.close("g:-" + huge + "|g");
  CHECK(std::isfinite(windows.gauge("g").value_or(INFINITY)));
}
