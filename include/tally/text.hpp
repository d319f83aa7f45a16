#pragma once
// Foreign bytes on their way to a terminal, a log or JSON; and what is valid UTF-8.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tally {

/// Strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_valid_utf8(std::string_view text);

/// How many bytes of it are valid, up to the first character that is not.
std::size_t valid_utf8_bytes(std::string_view text);

/// Quotes what someone else wrote, for a log line: "..." with printable ASCII as it is, '"' and '\'
/// escaped, all else as \xNN, at most `bytes_max` bytes of it and then how many more there are.
std::string quote(std::string_view foreign, std::size_t bytes_max = 200);

/// For a column of a table, without quotes: printable ASCII as it is, all else as \xNN. What
/// `quote` made reads as it was.
std::string printable(std::string_view foreign, std::size_t bytes_max = 200);

/// Appends a JSON string, quotes included. Invalid UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);

/// A count with thousands separators: 1234567 -> 1,234,567.
std::string with_commas(std::uint64_t number);

/// A size as the config writes it: 33554432 -> 32MiB, 1500 -> 1500B.
std::string as_size(std::uint64_t bytes);

/// A size for a reader, to three digits: 851443712 -> 812MiB, 1500 -> 1.46KiB.
std::string about_size(std::uint64_t bytes);

/// A time for a reader: 45 -> 45 s, 150 -> 3 min, 5000 -> 1 h 23 min.
std::string about_time(std::chrono::seconds time);

/// The candidate nearest to `word` by edit distance, if it is near enough to be a slip; else "".
template <class Range>
std::string_view nearest(std::string_view word, const Range& candidates);

/// Levenshtein distance in bytes.
std::size_t edit_distance(std::string_view a, std::string_view b);

template <class Range>
std::string_view nearest(std::string_view word, const Range& candidates) {
  std::string_view best;
  std::size_t least = word.size() / 3 + 2;  // a third of the letters may be wrong, and one more
  for (std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace tally
