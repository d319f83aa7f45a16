#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <set>

#include "tally/window_clock.hpp"

using namespace tally;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

const WallTime noon = WallTime(1'700'000'000s - 800s);  // whole hours since 1970

bool is_aligned(WallTime time, milliseconds interval) {
  return time.time_since_epoch() % interval == milliseconds(0);
}

/// A clock that goes on evenly, is stepped, and is looked at by a timer that is a little late.
class Simulation {
 public:
  Simulation(milliseconds interval, std::uint64_t seed)
      : interval_(interval),
        random_(seed),
        wall_(noon + below(interval)),
        clock_(interval, wall_) {}

  /// Lives through one window in which the wall clock is stepped by `step`.
  WindowClock::Cut next(milliseconds step) {
    const milliseconds until = clock_.until_boundary(wall_);
    CHECK(until > 0ms);
    CHECK(until <= interval_ + interval_ / 10);
    wall_ += until + step + below(interval_ / 20);
    return clock_.cut(wall_);
  }

  milliseconds below(milliseconds limit) {
    return milliseconds(
        static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(limit.count())));
  }

  WallTime wall() const { return wall_; }
  WindowClock& clock() { return clock_; }
  std::mt19937_64& random() { return random_; }

 private:
  milliseconds interval_;
  std::mt19937_64 random_;
  WallTime wall_;
  WindowClock clock_;
};

}  // namespace

TEST_CASE("window clock: the first window ends at the next boundary and carries its own start") {
  WindowClock clock(10s, noon + 3'250ms);
  CHECK(clock.until_boundary(noon + 3'250ms) == 6'750ms);
  const auto cut = clock.cut(noon + 10'002ms);
  CHECK(cut.span == Span{noon, 10s});
  CHECK(cut.step == WindowClock::Step::none);
  CHECK(clock.until_boundary(noon + 10'002ms) == 9'998ms);
  CHECK(clock.cut(noon + 20s).span.start == noon + 10s);
}

TEST_CASE("window clock: on the boundary itself a whole window lies ahead") {
  const WindowClock clock(10s, noon);
  CHECK(clock.until_boundary(noon) == 10s);
  CHECK(clock.until_boundary(noon + 9'999ms) == 1ms);
}

TEST_CASE("window clock: a timer that fires a little early or late makes no other stamps") {
  for (const milliseconds shift : {-900ms, -1ms, 0ms, 1ms, 900ms, 5'000ms}) {
    WindowClock clock(10s, noon);
    for (int i = 1; i <= 20; ++i) {
      const auto cut = clock.cut(noon + i * 10s + shift);
      CHECK(cut.span.start == noon + (i - 1) * 10s);
      CHECK(cut.step == WindowClock::Step::none);
      CHECK(clock.until_boundary(noon + i * 10s + shift) == 10s - shift);
    }
  }
}

TEST_CASE("window clock: a step forward, or a pause, is believed at once with one window for all") {
  WindowClock clock(10s, noon);
  clock.cut(noon + 10s);
  const auto cut = clock.cut(noon + 7h + 3s);
  CHECK(cut.step == WindowClock::Step::forward);
  CHECK(cut.span.start == noon + 10s);
  CHECK(clock.until_boundary(noon + 7h + 3s) == 7s);
  const auto after = clock.cut(noon + 7h + 10s);
  CHECK(after.span.start == noon + 7h);
  CHECK(after.step == WindowClock::Step::none);
}

TEST_CASE("window clock: a step back never stamps twice, and the stamps are caught up with") {
  WindowClock clock(10s, noon);
  WallTime wall = noon, last = noon - 10s;
  int held = 0;
  for (int i = 0; i < 200; ++i) {
    wall += clock.until_boundary(wall);
    if (i == 20) wall -= 5min;
    const auto cut = clock.cut(wall);
    CHECK(cut.span.start > last);
    last = cut.span.start;
    held += cut.step == WindowClock::Step::held_back;
  }
  CHECK(held >= 30);
  CHECK(held <= 62);  // 5 minutes at 5 s a window
  CHECK(is_aligned(last, 10s));
  CHECK(last == wall - 10s);
}

TEST_CASE("window clock: a step back by more than an hour is believed") {
  WindowClock clock(10s, noon);
  clock.cut(noon + 10s);
  const WallTime earlier = noon - 2h + 4s;
  const auto cut = clock.cut(earlier);
  CHECK(cut.step == WindowClock::Step::accepted_back);
  CHECK(cut.span.start == noon + 10s);
  CHECK(clock.until_boundary(earlier) == 6s);
  CHECK(clock.cut(noon - 2h + 10s).span.start == noon - 2h);
}

TEST_CASE("window clock: over 1,000 windows of random steps stamps rise and are aligned") {
  for (const milliseconds interval : {100ms, 1'000ms, 10'000ms, 60'000ms}) {
    for (const std::uint64_t seed : {1U, 2U, 3U}) {
      Simulation simulation(interval, seed);
      WallTime last = noon - 24h;
      milliseconds behind{0};  // the clock against what it was at most: stays within the hour
      auto before = WindowClock::Step::none;
      for (int i = 0; i < 1'000; ++i) {
        milliseconds step{0};
        const auto dice = simulation.random()() % 40;
        if (dice == 0) step = simulation.below(20min);
        if (dice == 1) step = -simulation.below(3 * interval);
        if (dice == 2) step = -std::min(simulation.below(10min), milliseconds(50min) - behind);
        behind = std::max(0ms, behind - step);
        const auto cut = simulation.next(step);
        INFO(interval.count(), " ms, window ", i, ", step ", step.count());
        REQUIRE(cut.span.start > last);
        REQUIRE(cut.span.interval == interval);
        REQUIRE(cut.step != WindowClock::Step::accepted_back);
        // Only stamps that were held back stand between the boundaries.
        if (before != WindowClock::Step::held_back) REQUIRE(is_aligned(cut.span.start, interval));
        before = cut.step;
        last = cut.span.start;
      }
    }
  }
}

TEST_CASE("window clock: with an even clock every stamp is the next boundary") {
  for (const milliseconds interval : {100ms, 1'000ms, 10'000ms, 3'600'000ms}) {
    Simulation simulation(interval, 9);
    WallTime expected(noon);
    for (int i = 0; i < 1'000; ++i, expected += interval) {
      const auto cut = simulation.next(0ms);
      REQUIRE(cut.span == Span{expected, interval});
      REQUIRE(cut.step == WindowClock::Step::none);
    }
  }
}

TEST_CASE("window clock: a window cut short is stamped inside itself and never as a neighbour") {
  for (const milliseconds interval : {100ms, 1'000ms, 10'000ms}) {
    for (milliseconds stop{0}; stop < interval; stop += std::max(1ms, interval / 97)) {
      WindowClock clock(interval, noon - 3 * interval);
      std::set<WallTime> stamps;
      for (int i = -2; i <= 0; ++i) stamps.insert(clock.cut(noon + i * interval).span.start);
      const WallTime now = noon + stop;
      const auto cut = clock.cut_short(now);
      INFO(interval.count(), " ms, stopped after ", stop.count(), " ms");
      CHECK(cut.span.start > noon);
      CHECK(cut.span.start < noon + interval);
      CHECK(cut.span.interval == interval);
      // The next process, started at once.
      WindowClock successor(interval, now);
      stamps.insert(successor.cut(noon + interval).span.start);
      stamps.insert(successor.cut(noon + 2 * interval).span.start);
      CHECK_FALSE(stamps.contains(cut.span.start));
    }
  }
}

TEST_CASE("window clock: a stop while the clock is wrong still stamps inside the window") {
  for (const milliseconds wrong : std::initializer_list<milliseconds>{-2h, -5min, -1s, 1s, 2h}) {
    WindowClock clock(10s, noon);
    const WallTime last = clock.cut(noon + 10s).span.start;
    const auto cut = clock.cut_short(noon + 12s + wrong);
    CHECK(cut.span.start > last);
    CHECK(cut.span.start > noon + 10s);
    CHECK(cut.span.start < noon + 20s);
  }
}
