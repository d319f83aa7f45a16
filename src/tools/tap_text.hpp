#pragma once
// A tapped line as tallyd tap prints it. Pure.

#include <string>
#include <string_view>

#include "tally/config.hpp"
#include "tools/json_view.hpp"

namespace tally {

/// An `event: line` of /api/v1/tap; `at` is its time for people.
///
///     12:00:01.123 127.0.0.1:4711 "api.hits:1|c"
///     12:00:01.124 127.0.0.1:4711 refused, bad_value: the value is no finite decimal number
///       "page.views:one|c"
///                   ^
///
/// Only printable ASCII. Ends in a newline. `config` says what limits are called.
std::string tap_text(const JsonView& line, std::string_view at, const Config& config);

}  // namespace tally
