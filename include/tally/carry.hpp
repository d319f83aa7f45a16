#pragma once
// What outlives a window, and the closing of a window into finished numbers.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tally/snapshot.hpp"
#include "tally/table.hpp"
#include "tally/time.hpp"

namespace tally {

struct CarryRules {
  std::vector<double> percents = {50, 75, 95, 99, 99.9};        ///< ascending
  std::chrono::milliseconds gauge_ttl = std::chrono::hours(1);  ///< 0 keeps gauges for ever
  std::size_t gauges_max = 1'000'000;  ///< carried; past it a new gauge is written once, not again
  bool details = false;  ///< medians, sums of squares and shares of the lowest values too
};

/// Gauge values between windows. Owned by main.
class Carry {
 public:
  explicit Carry(CarryRules rules);

  /// Closes a window: rates, percentiles, gauges with their deltas applied; idle gauges again until
  /// they were idle for their ttl. Counters, timers and sets that were not heard give no point.
  /// The snapshot views `window` and this object until either changes.
  Snapshot close(const Table& window, const Span& span);

  /// The same in slices, so that a large window need not be turned into numbers all at once: the
  /// series [begin, end) of the window; and at the end, once, the idle gauges.
  Snapshot close_slice(const Table& window, const Span& span, std::size_t begin, std::size_t end);
  void close_idle(Snapshot& snapshot);

  /// Gauges that came when `gauges_max` were carried already (total).
  std::uint64_t gauges_not_carried() const { return gauges_not_carried_; }
  /// Sets and distributions that were written as estimates (total), and gauges that expired.
  std::uint64_t sets_estimated() const { return sets_estimated_; }
  std::uint64_t timers_estimated() const { return timers_estimated_; }
  std::uint64_t gauges_expired() const { return gauges_expired_; }

  std::size_t gauges() const { return gauges_.size(); }
  void each_gauge(const std::function<void(std::string_view key, double value)>& each) const;

  /// Carries them no longer. REQUIRES: no snapshot is in use, for it may view their keys.
  void forget_gauges(const std::function<bool(std::string_view key)>& is_meant);

 private:
  struct Held {
    double value = 0;
    std::chrono::milliseconds idle{0};
    bool heard = false;  // in the window being closed
  };
  void close_timer(std::string_view key, const Distribution& values, Snapshot& snapshot);
  void close_gauge(std::string_view key, const Gauge& gauge, Snapshot& snapshot);

  CarryRules rules_;
  std::map<std::string, Held, std::less<>> gauges_;  // node-based: snapshots view the keys
  std::uint64_t gauges_not_carried_ = 0;
  std::uint64_t sets_estimated_ = 0;
  std::uint64_t timers_estimated_ = 0;
  std::uint64_t gauges_expired_ = 0;
};

}  // namespace tally
