#include "cli/arguments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace tally {

std::string Arguments::value(std::string_view flag, std::string_view otherwise) const {
  const auto found = flags.find(flag);
  return found == flags.end() ? std::string(otherwise) : found->second.back();
}

std::vector<std::string> Arguments::values(std::string_view flag) const {
  const auto found = flags.find(flag);
  return found == flags.end() ? std::vector<std::string>() : found->second;
}

Result<std::uint64_t> Arguments::number(std::string_view flag, const NumberRange& range) const {
  if (!has(flag)) return range.otherwise;
  const std::string text = value(flag);
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc() && stopped == end && number >= range.least && number <= range.most)
    return number;
  return Error{fmt::format("--{} wants a whole number from {} to {}, not {}", flag,
                           with_commas(range.least), with_commas(range.most), quote(text, 80))};
}

Result<std::string> Arguments::choice(std::string_view flag,
                                      const std::vector<std::string_view>& names) const {
  const std::string text = value(flag, names.front());
  if (std::ranges::find(names, text) != names.end()) return text;
  return Error{fmt::format("--{} knows {}, not {}", flag, fmt::join(names, ", "), quote(text, 80))};
}

}  // namespace tally
