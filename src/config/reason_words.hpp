#pragma once
// Why a line was refused, for someone who wants to mend the sender.

#include <optional>
#include <string>
#include <string_view>

#include "tally/config.hpp"
#include "tally/sample.hpp"

namespace tally {

/// One sentence, without its end. `config` says what the limits are.
std::string in_words(Reason reason, const Config& config);

/// "bad_value" and so on, as `to_string` writes it.
std::optional<Reason> parse_reason(std::string_view name);

/// The reason, and below it the line with a caret under the byte that decided:
///
///     refused, bad_value: the value is no finite decimal number
///       "page.views:one|c"
///                   ^
///
/// Ends in a newline.
std::string describe(const Refusal& refusal, const Config& config);

}  // namespace tally
