#include "deliver/refused_lines.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "deliver/body.hpp"

namespace tally {
namespace {

constexpr std::string_view quote_begin = "unable to parse '";
constexpr std::string_view quote_end = "': ";

using Lines = std::vector<std::pair<std::string_view, std::uint32_t>>;

/// The lines by their text.
Lines sorted_lines(std::string_view body) {
  Lines lines;
  for_each_line(body, [&](std::string_view line) {
    lines.emplace_back(line, static_cast<std::uint32_t>(lines.size()));
  });
  std::ranges::sort(lines);
  return lines;
}

/// Finds the line that `text` begins with, which the end of a quotation follows, and appends the
/// numbers of all lines like it. Returns its length; 0 if there is none.
std::size_t find_quoted(std::string_view text, const Lines& lines,
                        std::vector<std::uint32_t>& found) {
  // Names have no blank that is not escaped, so only a string can have in it what looks like the
  // end: a few tries suffice, and an answer cannot make this slow.
  constexpr int tries_max = 16;
  std::size_t end = text.find(quote_end);
  for (int i = 0; i < tries_max && end != std::string_view::npos; ++i) {
    const std::string_view line = text.substr(0, end);
    const std::size_t found_before = found.size();
    auto same = std::ranges::lower_bound(lines, std::pair(line, 0U));
    for (; same != lines.end() && same->first == line; ++same) found.push_back(same->second);
    if (found.size() > found_before) return end;
    end = text.find(quote_end, end + 1);
  }
  return 0;
}

void sort_once_each(std::vector<std::uint32_t>& numbers) {
  std::ranges::sort(numbers);
  // Not std::ranges::unique: clang 14 cannot compile libstdc++ 12's subrange.
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
}

/// `data[7].error_message` and `data.error_message` both end so.
bool is_of_data(const JsonValue& value, std::string_view key) {
  return value.path.starts_with("data") && value.path.ends_with(key);
}

}  // namespace

RefusedLines quoted_lines(std::string_view error, const Payload& payload) {
  RefusedLines refused;
  const Lines lines = sorted_lines(payload.body);
  for (std::size_t at = 0; (at = error.find(quote_begin)) != std::string_view::npos;) {
    ++refused.mentions;
    error.remove_prefix(at + quote_begin.size());
    // What a line says of other lines, in a string, is skipped with it.
    error.remove_prefix(find_quoted(error, lines, refused.lines));
  }
  sort_once_each(refused.lines);
  return refused;
}

RefusedLines numbered_lines(const Json& json, const Payload& payload) {
  RefusedLines refused;
  for (const JsonValue& value : json.values) {
    if (value.is_string && is_of_data(value, ".error_message")) {
      ++refused.mentions;
      if (refused.reason.empty()) refused.reason = value.text;
    } else if (!value.is_string && is_of_data(value, ".line_number")) {
      std::uint32_t number = 0;  // from 1
      std::from_chars(value.text.data(), value.text.data() + value.text.size(), number);
      if (number >= 1 && number <= payload.points) refused.lines.push_back(number - 1);
    }
  }
  sort_once_each(refused.lines);
  return refused;
}

}  // namespace tally
