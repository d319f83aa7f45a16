#pragma once
// Plain finished numbers of one window, with names and a time span. What encoders read.

#include <chrono>
#include <cstdint>
#include <deque>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "tally/distribution.hpp"
#include "tally/time.hpp"

namespace tally {

/// The points of one window. `key` fields are series keys (series.hpp) that view the closed Table,
/// the Carry or `owned_keys`: a Snapshot lives for one flush and dies before those change.
///
/// Numbers are finite or left out by the encoder; `Carry::close` never makes a non-finite count,
/// rate or value, but a stddev can be infinite.
struct Snapshot {
  struct Counter {
    std::string_view key;
    double count;              ///< scaled up by the sample rates
    double rate;               ///< per second of the nominal window
    std::uint16_t sender = 0;  ///< who sent last, as the window's Senders number them
  };
  struct Timer {  ///< also histograms and distributions: the key's kind tells
    std::string_view key;
    double count, mean, min, max, sum, stddev;
    std::size_t first_percentile;  ///< in `percentiles`, as many as `percents`
    /// Not a number where they were not asked for (`CarryRules::details`).
    double median = std::numeric_limits<double>::quiet_NaN();
    double sum_squares = std::numeric_limits<double>::quiet_NaN();
    std::uint16_t sender = 0;
  };
  struct Gauge {
    std::string_view key;
    double value;
    std::uint16_t sender = 0;           ///< 0 of an idle one too
    std::chrono::milliseconds idle{0};  ///< since the start of the window that last heard it
  };
  struct Set {
    std::string_view key;
    double count;
    std::uint16_t sender = 0;
  };

  Span span{};
  std::vector<double> percents;  ///< ascending: 50, 75, 99.9 ..
  std::vector<Counter> counters;
  std::vector<Timer> timers;
  std::vector<Gauge> gauges;
  std::vector<Set> sets;
  std::vector<double> percentiles;  ///< of all timers, `percents.size()` each
  std::vector<Lowest> lowest;       ///< beside `percentiles`; empty where not asked for
  std::deque<std::string> owned_keys;

  std::size_t points() const {
    return counters.size() + timers.size() + gauges.size() + sets.size();
  }
};

}  // namespace tally
