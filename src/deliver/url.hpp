#pragma once
// Names inside a url. Pure.

#include <string>
#include <string_view>

namespace tally {

/// Percent-encoding of all but the unreserved (RFC 3986 2.3).
std::string url_encoded(std::string_view text);

}  // namespace tally
