#pragma once
// Lines as tallyd send writes them. Pure.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tally/config.hpp"
#include "tally/result.hpp"

namespace tally {

/// What the command line says of one value.
struct LineParts {
  std::string kind;  ///< "counter", "gauge", "timer", "set", "histogram", "distribution"
  std::string name;
  std::string value;
  std::string rate;               ///< "" is none
  std::vector<std::string> tags;  ///< "key:value" or "key"
};

/// The type of a kind as a line has it: "c" of "counter"; "" of what is no kind of value.
std::string_view type_of_kind(std::string_view kind);

/// `name:value|c|@rate|#key:value,key`. An error where a part holds what separates parts: StatsD
/// has no way to write it.
Result<std::string> value_line(const LineParts& parts);

/// `_e{5,4}:title|text|#key:value`. A line end becomes the two characters `\n`, as DogStatsD has
/// it.
Result<std::string> event_line(std::string_view title, std::string_view text,
                               const std::vector<std::string>& tags);

/// What tallyd with this configuration says to a line that it refuses: the reason, and a caret
/// under the byte that decided. Ends in a newline.
std::optional<std::string> why_refused(std::string_view line, const Config& config);

}  // namespace tally
