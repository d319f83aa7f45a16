#pragma once
// The two clocks and the window. Nothing in the pure code reads a clock: `now` is an argument.

#include <chrono>

namespace tally {

/// A moment of the monotonic clock: for intervals, back-off and order. Means nothing to a database.
using Instant = std::chrono::steady_clock::time_point;

/// A moment of the wall clock in whole milliseconds since 1970 (UTC): what a point is stamped with.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

/// When `then` was by the wall clock. `now` and `wall` are one moment.
inline WallTime wall_of(Instant then, Instant now, WallTime wall) {
  return wall - std::chrono::duration_cast<std::chrono::milliseconds>(now - then);
}

/// One window, [start, start + interval) of the wall clock.
///
/// `interval` is the configured length, also for a window that was cut short by a stop: rates are
/// per nominal second, so that rate * interval is always the count.
struct Span {
  WallTime start;                      ///< the timestamp of every point of the window
  std::chrono::milliseconds interval;  ///< 100 ms .. 1 h

  friend bool operator==(const Span&, const Span&) = default;
};

}  // namespace tally
