#pragma once
// When windows end, and what they are stamped with. Pure: both clocks are arguments.

#include <chrono>
#include <cstdint>

#include "tally/time.hpp"

namespace tally {

/// Cuts time into aligned windows: [k * interval, (k+1) * interval) of the wall clock. A window is
/// stamped with its start, and each stamp is larger than the one before:
///
/// - A wall clock that steps back never rewrites history: stamps then go on by half an interval a
///   window until the clock has caught up with them. A step of more than an hour is believed
///   instead, and the new time taken (its points may overwrite old ones: the operator is told).
/// - A step forward is believed at once, with no burst of empty windows.
/// - A window that a stop cuts short is stamped with the millisecond of the stop, not with its
///   start: the next process writes the rest of the same window under the start, and a point of the
///   same series and stamp would overwrite the first half. Both lie inside the window.
class WindowClock {
 public:
  WindowClock(std::chrono::milliseconds interval, WallTime now);

  /// When the open window began.
  WallTime opened() const { return open_; }

  /// How long until the open window ends by the wall clock: above zero, at most 1.1 intervals.
  std::chrono::milliseconds until_boundary(WallTime now) const;

  /// What happened to the wall clock since the last window, for one log line.
  enum class Step : std::uint8_t { none, held_back, accepted_back, forward };

  struct Cut {
    Span span;
    Step step;
  };

  /// Ends the open window at its boundary and opens the next. Call it when `until_boundary` has
  /// passed.
  Cut cut(WallTime now);

  /// Ends the open window now, for the last time.
  Cut cut_short(WallTime now);

 private:
  WallTime floor(WallTime now) const;
  std::chrono::milliseconds slack() const;

  std::chrono::milliseconds interval_;
  WallTime open_;  // what the open window will be stamped with if the clock goes on evenly
};

}  // namespace tally
