#pragma once
// Reads back the line protocol that src/encode writes, for APIs that do not take it. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tally {

struct PointField {
  std::string key;
  std::string value;       ///< a string without quotes and escapes, or a number as it was written
  bool is_string = false;  ///< else a number of JSON's grammar
  friend bool operator==(const PointField&, const PointField&) = default;
};

/// One line, names and strings without their escapes, in the order of the line.
struct Point {
  std::string measurement;
  std::vector<std::pair<std::string, std::string>> tags;
  std::vector<PointField> fields;
  std::int64_t stamp = 0;
  friend bool operator==(const Point&, const Point&) = default;
};

/// Reads a line without its '\n'. Nothing for what our encoders do not write: integers with an `i`,
/// booleans, a missing stamp, doubled blanks. A backslash escapes what the encoders escape and else
/// stands for itself, as in influxd.
std::optional<Point> read_point(std::string_view line);

}  // namespace tally
