#pragma once
// Where a number of a series stands in the database: for those who ask for it. Pure.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "encode/scheme.hpp"
#include "tally/naming.hpp"
#include "tally/series.hpp"

namespace tally {

/// As `encode_influx` writes it, without escapes: `tags` are those that tell a metric from others
/// in its measurement.
struct Place {
  std::string measurement;
  std::string field;
  std::vector<StaticTag> tags;

  friend bool operator==(const Place&, const Place&) = default;
};

/// Nothing where the naming has no word for that number.
std::optional<Place> place_of(const Naming& naming, Kind kind, std::string_view name, Stat stat);

/// The percentile itself; where a writer has none, the largest of the lowest values (`upper_95`),
/// which is nearly the same.
std::optional<Place> place_of_percentile(const Naming& naming, Kind kind, std::string_view name,
                                         double percent);

}  // namespace tally
