#pragma once
// A body of line protocol as lines, each ended by '\n': counting them, cutting between them.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tally {

std::uint32_t count_lines(std::string_view body);

/// Calls `use` with every line, without its end, in order.
template <typename Use>
void for_each_line(std::string_view body, Use use) {
  while (!body.empty()) {
    const std::size_t end = body.find('\n');
    use(body.substr(0, end));
    body.remove_prefix(end == std::string_view::npos ? body.size() : end + 1);
  }
}

/// The series a line is of: up to the first blank that no backslash escapes.
std::string_view series_of(std::string_view line);

/// Two bodies, the first with the first `lines`. REQUIRES: 0 < `lines` < those of `body`.
std::vector<std::string> cut_after(std::string_view body, std::uint32_t lines);

/// As few bodies of at most `bytes_max` as whole lines allow; a longer line is a body of its own.
std::vector<std::string> cut_to_size(std::string_view body, std::size_t bytes_max);

/// Bodies of at most `lines_max` lines. REQUIRES: it is not 0.
std::vector<std::string> cut_to_lines(std::string_view body, std::uint32_t lines_max);

/// A body without some of its lines, and these.
struct Sorted {
  std::string rest;
  std::vector<std::string_view> taken;  ///< of the body it came from, without their ends
};

/// Takes out lines by number from 0. REQUIRES: `numbers` ascend. One that is past the end is
/// ignored.
Sorted take_lines(std::string_view body, const std::vector<std::uint32_t>& numbers);

}  // namespace tally
