#pragma once
// A naming profile as data: which words stand around a series' name, and which numbers are written
// under which field. Adding a writer's names is adding a table in scheme.cpp.

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "tally/naming.hpp"
#include "tally/sample.hpp"

namespace tally {

/// A number that a point of any kind can have.
enum class Stat : std::uint8_t {
  value,  ///< of a gauge
  count,
  rate,  ///< count per second of the window
  mean,
  min,
  max,
  sum,
  stddev,
  median,
  sum_squares
};

/// A number for each of the configured percentiles. All but the first are of the lowest values up
/// to it (`Lowest`).
enum class PercentStat : std::uint8_t { percentile, count, mean, upper, sum, sum_squares };

/// `count` of `,count=`.
constexpr std::string_view name_in(std::string_view label) {
  return label.substr(1, label.size() - 2);
}

struct Field {
  Stat stat;
  std::string_view label;  ///< as it stands behind another field: `,count=`

  constexpr std::string_view name() const { return name_in(label); }
};

/// Its name is `before`, the percentile as the scheme writes it, `behind`.
struct PercentField {
  PercentStat stat;
  std::string_view before, behind;
};

struct KindScheme {
  std::string_view suffix;                       ///< of the measurement
  std::string_view type;                         ///< value of the type tag, if there is one
  std::span<const Field> fields;                 ///< in the order they are written
  std::span<const PercentField> of_percentiles;  ///< behind those, for each percentile
};

struct Scheme {
  std::array<KindScheme, value_kind_count> kinds;  ///< by Kind
  std::string (*percent)(double percent);          ///< as it stands in a field's name
  std::string_view type_tag;                       ///< "" if the kind of a metric stands in no tag
  std::string_view name_tag;        ///< the metric's name is this tag's value, the type the
                                    ///< measurement; "" if its name is the measurement
  bool renames_tags = true;         ///< a tag that has the name of a field gets '_' behind it
  bool underscores_dots = false;    ///< of the metric's name
  bool is_point_per_field = false;  ///< a measurement each: NAME, suffix, '.', field
};

std::string percentile_name(const Scheme& scheme, const PercentField& field, double percent);

const Scheme& scheme_of(Profile profile, MeasurementPer measurement);

}  // namespace tally
