#pragma once
// The parser against its naive twin, on one datagram: the step that the property test and the
// fuzzer repeat.

#include <optional>
#include <string>
#include <string_view>

namespace tally::testing {

/// Parses `datagram` both ways. Returns what differs, or which promise of parse.hpp is broken, in
/// words; nothing if all is well. The datagram is copied against an unreadable page first.
///
/// Both must take the same lines with the same samples and refuse the same lines. Of a line with
/// several faults either may be the reason.
std::optional<std::string> parse_disagreement(std::string_view datagram);

}  // namespace tally::testing
