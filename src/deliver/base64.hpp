#pragma once
// Base64 (RFC 4648 section 4, with padding), for HTTP Basic. Pure.

#include <string>
#include <string_view>

namespace tally {

std::string base64(std::string_view bytes);

}  // namespace tally
