#include "tally/window_clock.hpp"

#include <algorithm>

namespace tally {

using std::chrono::milliseconds;

namespace {

// Further back than this, the clock was wrong before and is right now.
constexpr milliseconds step_held = std::chrono::hours(1);

}  // namespace

WindowClock::WindowClock(milliseconds interval, WallTime now)
    : interval_(interval), open_(floor(now)) {}

WallTime WindowClock::floor(WallTime now) const {
  return WallTime(now.time_since_epoch() / interval_ * interval_);
}

// A timer may fire a little before the wall clock reaches the boundary, as NTP slews it.
milliseconds WindowClock::slack() const {
  return interval_ / 10;
}

milliseconds WindowClock::until_boundary(WallTime now) const {
  const milliseconds rest = open_ + interval_ - now;
  if (rest > milliseconds(0) && rest <= interval_ + slack()) return rest;
  return floor(now) + interval_ - now;  // the clock was stepped: align anew
}

WindowClock::Cut WindowClock::cut(WallTime now) {
  const Span span{open_, interval_};
  const WallTime next = floor(now + slack());
  Step step = Step::none;
  if (next > open_) {
    step = next > open_ + interval_ ? Step::forward : Step::none;
    open_ = next;
  } else if (open_ - next > step_held) {
    step = Step::accepted_back;
    open_ = next;
  } else {
    step = Step::held_back;
    open_ += interval_ / 2;
  }
  return {span, step};
}

WindowClock::Cut WindowClock::cut_short(WallTime now) {
  const WallTime stamp =
      std::clamp(now, open_ + milliseconds(1), open_ + interval_ - milliseconds(1));
  return {{stamp, interval_}, Step::none};
}

}  // namespace tally
