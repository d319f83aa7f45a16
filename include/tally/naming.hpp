#pragma once
// How series are called in the database.

#include <cstdint>
#include <string>
#include <vector>

#include "tally/series.hpp"

namespace tally {

/// Whose names are written: `output.naming`. Measurements, tags and fields are those that this
/// writer gives to InfluxDB, so that dashboards made for it go on.
enum class Profile : std::uint8_t { native, go_metrics, telegraf, gostatsd, etsy };

/// Whether its timers need `CarryRules::details`, which cost a second sorting of their values.
constexpr bool needs_details(Profile profile) {
  return profile == Profile::telegraf || profile == Profile::gostatsd || profile == Profile::etsy;
}

/// What makes a measurement of its own: `output.measurement`. `type` puts a metric's name into the
/// tag `metric`, for databases that bear few measurements (InfluxDB 3 takes 2,000).
enum class MeasurementPer : std::uint8_t { metric, type };

/// What is written around a series' own name and tags.
struct Naming {
  std::string prefix;  ///< in front of every measurement; with `MeasurementPer::type` of the name
  std::vector<StaticTag>
      static_tags;  ///< on every point, sorted by key; a metric's own tag of that key wins
  Profile profile = Profile::native;
  MeasurementPer measurement = MeasurementPer::metric;  ///< `type` goes with `native` only
};

}  // namespace tally
