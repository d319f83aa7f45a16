#pragma once
// How fast things come in and go out, from one look to the next. Pure.

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "tally/time.hpp"
#include "watch/insight.hpp"

namespace tally {

/// What happens a second.
struct Rates {
  double datagrams = 0;
  double lines = 0;
  double samples = 0;
  double points = 0;  ///< acknowledged, by all destinations together; over a whole window, for they
                      ///< go out once a window
};

/// Compares what it is fed, about once a second, with what it was fed before.
class PulseMeter {
 public:
  /// `interval` is that of windows.
  explicit PulseMeter(std::chrono::milliseconds interval);

  /// Nothing the first time, and when no time has passed.
  std::optional<Rates> feed(const Ledger& ledger, Instant now);

 private:
  struct Seen {
    Instant at;
    std::uint64_t datagrams, lines, samples, written;
  };

  std::chrono::milliseconds span_;
  std::deque<Seen> seen_;  // oldest first: of a window's length, at most a minute
};

/// The data of the event `pulse`.
std::string pulse_json(const LiveState& live, const Rates& rates);

}  // namespace tally
