#include "clean.hpp"

#include <algorithm>

namespace tally {
namespace {

constexpr bool is_white(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

constexpr bool is_kept(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '.' || c == ';' || c == '=';
}

}  // namespace

bool is_clean(std::string_view text, std::string_view replaced) {
  return std::ranges::all_of(text, is_kept) &&
         text.find_first_of(replaced) == std::string_view::npos;
}

std::string clean(std::string_view text, std::string_view replaced) {
  std::string left;
  bool was_white = false;
  for (const char c : text) {
    const bool white = is_white(c);
    if (replaced.find(c) != std::string_view::npos || (white && !was_white)) {
      left += '_';
    } else if (c == '/') {
      left += '-';
    } else if (is_kept(c)) {
      left += c;
    }
    was_white = white;
  }
  return left;
}

}  // namespace tally
