#pragma once
// DogStatsD's events and service checks: lines that say something instead of counting.

#include <optional>
#include <string_view>

#include "tally/sample.hpp"

namespace tally {

inline constexpr std::string_view event_mark = "_e{";
inline constexpr std::string_view check_mark = "_sc|";

struct ParsedNotice {
  Kind kind = Kind::event;
  std::string_view name;  ///< the event's title, the check's name
  Notice notice;
  std::string_view tags;  ///< behind the '#', not yet cut
};

/// Whether a line is meant as an event or a service check. `_e:1|c` is a counter.
bool is_notice_line(std::string_view line);

/// Reads such a line. Lengths are in bytes and must fit; a field that is unknown or makes no sense
/// is skipped, of one that comes twice the last stays.
///
///     _e{5,4}:title|text|d:1700000000|h:host|p:low|t:warning|k:key|s:source|#env:prod
///     _sc|name|0|d:1700000000|h:host|#env:prod|m:message
///
/// Returns the byte at which the line is wrong, if it is.
std::optional<const char*> parse_notice(std::string_view line, ParsedNotice& parsed);

}  // namespace tally
