#pragma once
// The parser against its naive twin, on one datagram: the step that the property test and the
// fuzzer repeat.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tally/parse.hpp"

namespace tally::testing {

inline constexpr std::uint32_t rule_sets = 1024;

/// The set of rules with a number below `rule_sets`: each bit takes a dialect away or turns a rule
/// on, so 0 is the default and every combination has its number. The limits are the default's.
ParseRules rules_of(std::uint32_t number);

/// Parses `datagram` both ways. Returns what differs, or which promise of parse.hpp is broken, in
/// words; nothing if all is well. The datagram is copied against an unreadable page first.
///
/// Both must take the same lines with the same samples and refuse the same lines. Of a line with
/// several faults either may be the reason.
std::optional<std::string> parse_disagreement(std::string_view datagram,
                                              const ParseRules& rules = {});

}  // namespace tally::testing
