#include "tally/glob.hpp"

#include <cstddef>

namespace tally {

bool matches_glob(std::string_view pattern, std::string_view text) {
  constexpr std::size_t none = std::string_view::npos;
  std::size_t at = 0, in_text = 0;
  std::size_t star = none, taken = 0;  // the last '*', and where what it leaves begins
  while (in_text < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      taken = in_text;
    } else if (at < pattern.size() && (pattern[at] == '?' || pattern[at] == text[in_text])) {
      ++at;
      ++in_text;
    } else if (star != none) {
      at = star + 1;  // the '*' takes one more
      in_text = ++taken;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == none;
}

}  // namespace tally
