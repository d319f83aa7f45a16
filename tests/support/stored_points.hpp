#pragma once
// What a database holds after a series of writes, by its own rule for a point that comes twice.

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "line_reader.hpp"

namespace tally::testing {

/// What becomes of a second point of the same series and stamp.
enum class SamePoint : std::uint8_t {
  merged,  ///< InfluxDB: fields are put together, the last value of each wins
  kept     ///< VictoriaMetrics without deduplication: both stay
};

/// A ground truth without a database. Stamps are in nanoseconds.
class StoredPoints {
 public:
  explicit StoredPoints(SamePoint rule = SamePoint::merged) : rule_(rule) {}

  /// Stores a point. `sequence` tells points of InfluxDB 0.8 apart that share series and stamp.
  void store(const ParsedPoint& point, std::uint64_t sequence = 0);

  /// The sum of a field over all points of a measurement. Kept, not counted: tests that wait for it
  /// ask hundreds of times a second.
  double sum(std::string_view measurement, std::string_view field = "count") const;
  /// Of those that have a tag.
  double sum(std::string_view measurement, std::string_view field,
             const std::pair<std::string, std::string>& tag) const;

  std::size_t points() const { return points_.size(); }
  std::size_t points(std::string_view measurement) const;
  std::vector<ParsedPoint> points_of(std::string_view measurement) const;
  std::size_t series() const { return series_.size(); }
  bool has_series(const ParsedPoint& point) const { return series_.count(key_of(point)) != 0; }
  const std::map<std::string, int>& measurements() const { return measurements_; }

  std::set<std::int64_t> stamps() const;  ///< of all points

  /// How often a point came again as it was: what a resend does.
  std::uint64_t resent() const { return resent_; }
  /// How often a point came again with another value of a field that it had. A resend never does.
  std::uint64_t overwritten() const { return overwritten_; }
  /// Points that share series and stamp with another one that is held. 0 where they are merged,
  /// unless their sequence numbers differ.
  std::size_t doubled() const;

 private:
  struct Key {
    std::string series;
    std::int64_t stamp;
    std::uint64_t copy;  ///< the sequence number; where both stay, which of them
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  static std::string key_of(const ParsedPoint& point);
  void merge(ParsedPoint& held, const ParsedPoint& point);
  double& sum_of(const ParsedPoint& point, const std::string& field);

  SamePoint rule_;
  std::map<Key, ParsedPoint> points_;
  std::set<std::string> series_;
  std::map<std::string, int> measurements_;                     ///< and how many points each has
  std::map<std::pair<std::string, std::string>, double> sums_;  ///< of measurement and field
  std::uint64_t copies_ = 0;
  std::uint64_t resent_ = 0;
  std::uint64_t overwritten_ = 0;
};

}  // namespace tally::testing
