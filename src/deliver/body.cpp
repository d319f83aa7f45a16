#include "deliver/body.hpp"

#include <algorithm>

namespace tally {
namespace {

/// Where the line begins that `lines` lines precede.
std::size_t offset_of(std::string_view body, std::uint32_t lines) {
  std::size_t at = 0;
  for (; lines > 0 && at < body.size(); --lines)
    at = std::min(body.find('\n', at), body.size() - 1) + 1;
  return at;
}

/// Where to cut so that at most `bytes_max` stand before it, but one line at least.
std::size_t cut_within(std::string_view body, std::size_t bytes_max) {
  if (body.size() <= bytes_max) return body.size();
  const std::size_t before = bytes_max == 0 ? body.npos : body.rfind('\n', bytes_max - 1);
  return before == body.npos ? offset_of(body, 1) : before + 1;
}

/// Cuts wherever `cut(rest)` says.
template <typename Cut>
std::vector<std::string> cut_up(std::string_view body, Cut cut) {
  std::vector<std::string> bodies;
  while (!body.empty()) {
    bodies.emplace_back(body.substr(0, cut(body)));
    body.remove_prefix(bodies.back().size());
  }
  return bodies;
}

}  // namespace

std::uint32_t count_lines(std::string_view body) {
  return static_cast<std::uint32_t>(std::count(body.begin(), body.end(), '\n'));
}

std::string_view series_of(std::string_view line) {
  std::size_t blank = line.find(' ');
  while (blank != line.npos && blank > 0 && line[blank - 1] == '\\')
    blank = line.find(' ', blank + 1);
  return line.substr(0, blank);
}

std::vector<std::string> cut_after(std::string_view body, std::uint32_t lines) {
  const std::size_t cut = offset_of(body, lines);
  return {std::string(body.substr(0, cut)), std::string(body.substr(cut))};
}

std::vector<std::string> cut_to_size(std::string_view body, std::size_t bytes_max) {
  return cut_up(body, [&](std::string_view rest) { return cut_within(rest, bytes_max); });
}

std::vector<std::string> cut_to_lines(std::string_view body, std::uint32_t lines_max) {
  return cut_up(body, [&](std::string_view rest) { return offset_of(rest, lines_max); });
}

Sorted take_lines(std::string_view body, const std::vector<std::uint32_t>& numbers) {
  Sorted sorted;
  sorted.rest.reserve(body.size());
  std::uint32_t number = 0;
  auto wanted = numbers.begin();
  for_each_line(body, [&](std::string_view line) {
    if (wanted != numbers.end() && *wanted == number) {
      ++wanted;
      sorted.taken.push_back(line);
    } else {
      sorted.rest.append(line) += '\n';
    }
    ++number;
  });
  return sorted;
}

}  // namespace tally
