#pragma once
// How test data writes bytes: \n \t \r \\ \" and \xNN; any other character is itself.

#include <optional>
#include <string>
#include <string_view>

namespace tally::testing {

/// The bytes that `text` stands for; nothing if it holds another escape.
std::optional<std::string> unescape(std::string_view text);

/// Writes bytes so that `unescape` gives them back: all outside 0x20..0x7e, and '\', escaped.
std::string escape(std::string_view bytes);

}  // namespace tally::testing
