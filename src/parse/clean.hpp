#pragma once
// Names as etsy's statsd keeps them: Sanitize::etsy of parse.hpp.

#include <string>
#include <string_view>

namespace tally {

/// Whether `clean` would leave `text` as it is.
bool is_clean(std::string_view text, std::string_view replaced);

/// What is left of `text`: runs of ASCII white space and each byte of `replaced` become '_', '/'
/// becomes '-', and what is then outside [a-zA-Z_\-0-9.;=] is dropped.
std::string clean(std::string_view text, std::string_view replaced);

}  // namespace tally
