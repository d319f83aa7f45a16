#pragma once
// How clients begin that are none of ours. Pure.

#include <cstddef>
#include <string_view>

namespace tally {

/// Enough bytes of a stream to judge it.
inline constexpr std::size_t hello_bytes_max = 8;

/// Whether a stream begins as HTTP or TLS does. A web page can make a browser send requests to any
/// port, with lines of its choice in the body: who begins so is hung up on.
bool is_foreign_hello(std::string_view beginning);

/// Whether more bytes could still make it one.
bool may_become_foreign_hello(std::string_view beginning);

}  // namespace tally
