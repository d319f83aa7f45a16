#pragma once
// What was written behind a verb.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tally/result.hpp"
#include "tally/text.hpp"

namespace tally {

/// What a number on the command line may be.
struct NumberRange {
  std::uint64_t otherwise;  ///< if none was given
  std::uint64_t least, most;
};

/// Words and flags of one verb. Which ones it takes was settled before (verbs.hpp); what they say
/// is read by the verb itself.
struct Arguments {
  std::vector<std::string> words;
  /// By name without its dashes: each value as often as it was given, "" of a flag without one.
  std::map<std::string, std::vector<std::string>, std::less<>> flags;

  bool has(std::string_view flag) const { return flags.contains(flag); }
  /// The value that was given last.
  std::string value(std::string_view flag, std::string_view otherwise = {}) const;
  /// All of them, in their order.
  std::vector<std::string> values(std::string_view flag) const;
  /// A whole number. The error names the flag and what is allowed.
  Result<std::uint64_t> number(std::string_view flag, const NumberRange& range) const;
  /// One of `names`. The error names the nearest.
  Result<std::string> choice(std::string_view flag,
                             const std::vector<std::string_view>& names) const;

  friend bool operator==(const Arguments&, const Arguments&) = default;
};

/// `; did you mean "config"?`, or where to look if nothing known is near.
template <class Range>
std::string did_you_mean(std::string_view word, const Range& known) {
  const std::string_view near = nearest(word, known);
  return near.empty() ? "; see tallyd --help" : "; did you mean \"" + std::string(near) + "\"?";
}

}  // namespace tally
