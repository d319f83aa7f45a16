#include "hello.hpp"

#include <algorithm>
#include <array>

namespace tally {
namespace {

// HTTP/2 without TLS begins with "PRI *".
constexpr std::array<std::string_view, 14> hellos = {
    "GET ",     "POST ",  "PUT ",  "HEAD ",        "DELETE ",      "OPTIONS ",     "PATCH ",
    "CONNECT ", "TRACE ", "PRI *", "\x16\x03\x01", "\x16\x03\x02", "\x16\x03\x03", "\x16\x03\x04",
};

}  // namespace

bool is_foreign_hello(std::string_view beginning) {
  return std::ranges::any_of(hellos, [&](auto hello) { return beginning.starts_with(hello); });
}

bool may_become_foreign_hello(std::string_view beginning) {
  return std::ranges::any_of(hellos, [&](auto hello) { return hello.starts_with(beginning); });
}

}  // namespace tally
