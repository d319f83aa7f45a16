#pragma once
// What a destination was last heard to say to a write.

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include "tally/destination_state.hpp"
#include "tally/time.hpp"

namespace tally {

/// One destination's answers, of which only the newest of each kind are remembered. Nothing until
/// there was one.
struct LastAnswer {
  bool is_failure = false;
  std::string words;  ///< what is wrong and what to do; else its status
  std::optional<Instant> at, success_at, failure_at;
  std::chrono::milliseconds took{0};  ///< the last that was written
  std::size_t bytes = 0;              ///< of its body

  void note(bool is_failed, std::string said, Instant now);

  /// Fills in what a state has of it. `now` and `wall` are one moment.
  void tell(DestinationState& state, Instant now, WallTime wall) const;
};

}  // namespace tally
