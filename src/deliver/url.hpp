#pragma once
// Pieces of urls. Pure.

#include <string>
#include <string_view>

namespace tally {

/// Percent-encoding of all but the unreserved (RFC 3986 2.3).
std::string url_encoded(std::string_view text);

/// What a path is put behind.
std::string_view without_end_slashes(std::string_view url);

}  // namespace tally
