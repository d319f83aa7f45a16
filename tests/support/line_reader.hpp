#pragma once
// A strict reader of InfluxDB's line protocol: the judge of everything we write.
//
// It takes a line only if influxd 1.6.7 stores exactly what the line says, under the names it says,
// and its shard still opens after a restart (../shared/design/influxdb.md, 2.2 and 2.4, has the
// trials). So it refuses more than influxd does: comments, control bytes, invalid UTF-8,
// backslashes that stand for themselves, a tag named like a field, a missing stamp.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tally::testing {

/// A point, unescaped. Tags and fields in the order of the line.
struct ParsedPoint {
  std::string measurement;
  std::vector<std::pair<std::string, std::string>> tags;
  std::vector<std::pair<std::string, double>> fields;
  std::int64_t stamp = 0;

  /// The tag's value, or null.
  const std::string* tag(std::string_view key) const;
  /// The field's value, or null.
  const double* field(std::string_view key) const;

  friend bool operator==(const ParsedPoint&, const ParsedPoint&) = default;
};

/// Reads one line, without its '\n'. All fields must be floats.
std::optional<ParsedPoint> read_line(std::string_view line);

/// Reads a request's body: lines, each ended by '\n'. Nothing if one of them is refused.
std::optional<std::vector<ParsedPoint>> read_body(std::string_view body);

}  // namespace tally::testing
