#pragma once
// Patterns of names, as an operator types them.

#include <string_view>

namespace tally {

/// Whether all of `text` matches: `*` stands for any bytes, `?` for one, all else for itself. In
/// time `pattern` by `text` at worst: only the last `*` is ever tried again.
bool matches_glob(std::string_view pattern, std::string_view text);

}  // namespace tally
