#include "deliver/replay_pace.hpp"

#include <doctest/doctest.h>

using namespace tally;
using namespace std::chrono_literals;

namespace {

constexpr Instant start_of_time{1'000'000s};
constexpr double mib = 1 << 20;
constexpr std::size_t request = 1 << 20;

/// A pace and its clock.
struct Rig {
  explicit Rig(ReplayLimits limits = {}) : pace(limits) {}

  /// A request of the backlog, at the time that it may begin.
  void replay(std::chrono::milliseconds took) {
    now = std::max(now, pace.due());
    const Instant begun = now;
    now += took;
    pace.backlog_written(request, begun, now);
  }
  void live(std::chrono::milliseconds took, bool was_beside = true, std::size_t bytes = 10'000) {
    now += took;
    pace.live_written({.bytes = bytes, .took = took, .was_beside_backlog = was_beside}, now);
  }
  double rate() const { return pace.bytes_a_second(now); }

  ReplayPace pace;
  Instant now = start_of_time;
};

}  // namespace

TEST_CASE("replay pace: from the beginning of one request to that of the next the rate is kept") {
  struct Row {
    const char* name;
    std::chrono::milliseconds took;
    double rate;
  };
  for (const Row& row : {Row{"a server that takes 5 MiB/s", 200ms, 4 * mib},
                         Row{"one of 100 MiB/s gets a quarter of that", 10ms, 25 * mib},
                         Row{"one of 1 MiB/s is busy with it all the time", 1000ms, mib}}) {
    CAPTURE(row.name);
    Rig rig;
    rig.replay(row.took);  // it learns what the server takes
    const Instant begin = std::max(rig.now, rig.pace.due());
    for (int i = 0; i < 100; ++i) rig.replay(row.took);
    const std::chrono::duration<double> took = std::max(rig.now, rig.pace.due()) - begin;
    CHECK(100 * mib / took.count() == doctest::Approx(row.rate).epsilon(0.02));
  }
}

TEST_CASE(
    "replay pace: what is flushed now tells what the server takes too, but not if it is small") {
  Rig rig;
  rig.live(1ms, false, 2'000);
  CHECK(rig.rate() == 4 * mib);
  rig.live(10ms, false, request);
  CHECK(rig.rate() == 25 * mib);
}

TEST_CASE("replay pace: it is halved when what is flushed now takes twice as long beside it") {
  Rig rig({.share_of_capacity = 0});
  for (int i = 0; i < 5; ++i) rig.live(150ms, false);
  rig.replay(10ms);
  rig.live(295ms);
  CHECK(rig.rate() == 4 * mib);
  rig.live(305ms);
  CHECK(rig.rate() == 2 * mib);
  rig.live(500ms);  // of the same window: it says the same
  CHECK(rig.rate() == 2 * mib);
  rig.replay(10ms);
  rig.live(400ms);
  CHECK(rig.rate() == mib);
  for (int i = 0; i < 20; ++i) {
    rig.replay(10ms);
    rig.live(400ms);
  }
  CHECK(rig.rate() == 4 * mib / 16);
}

TEST_CASE("replay pace: it recovers by doubling each 30 s, up to where it was") {
  Rig rig({.share_of_capacity = 0});
  rig.live(50ms, false);
  for (int i = 0; i < 2; ++i) {
    rig.replay(10ms);
    rig.live(200ms);
  }
  CHECK(rig.rate() == mib);
  rig.now += 29s;
  CHECK(rig.rate() == mib);
  rig.now += 1s;
  CHECK(rig.rate() == 2 * mib);
  rig.now += 30s;
  CHECK(rig.rate() == 4 * mib);
  rig.now += 1h;
  CHECK(rig.rate() == 4 * mib);
  rig.replay(10ms);
  rig.live(200ms);
  CHECK(rig.rate() == 2 * mib);  // of what it is now
}

TEST_CASE("replay pace: slow for other reasons, too little to tell and other sizes are no sign") {
  Rig rig({.share_of_capacity = 0});
  rig.live(5ms, false);
  rig.replay(10ms);
  rig.live(100ms);  // twenty times as long, and 95 ms
  CHECK(rig.rate() == 4 * mib);
  rig.live(500ms, true, 4 << 20);  // never seen before: nobody knows how long it takes
  CHECK(rig.rate() == 4 * mib);
  rig.live(900ms, false);  // the backlog was not out
  CHECK(rig.rate() == 4 * mib);
  for (int i = 0; i < 30; ++i) rig.live(300ms, false);  // and now this is usual
  rig.replay(10ms);
  rig.live(500ms);
  CHECK(rig.rate() == 4 * mib);
  rig.live(700ms);
  CHECK(rig.rate() == 2 * mib);
}

TEST_CASE("replay pace: without a calm time the fastest is taken for usual") {
  Rig rig({.share_of_capacity = 0});
  rig.live(300ms);
  rig.replay(10ms);
  rig.live(100ms);
  CHECK(rig.rate() == 4 * mib);
  rig.live(300ms);
  CHECK(rig.rate() == 2 * mib);
}

TEST_CASE("replay pace: the time for a backlog is by its rate, and by what one request can do") {
  Rig rig;
  CHECK(rig.pace.time_for(0, rig.now) == 0s);
  CHECK(rig.pace.time_for(4 * mib, rig.now) == 1s);
  CHECK(rig.pace.time_for(400.5 * mib, rig.now) == 101s);
  rig.replay(1000ms);
  CHECK(rig.pace.time_for(100 * mib, rig.now) == 100s);
}
