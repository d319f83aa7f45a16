#include "tally/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <numeric>
#include <vector>

namespace tally {
namespace {

/// Well-formed UTF-8 by the Unicode standard's table 3-7: the first byte gives the length and
/// narrows the range of the second (no overlong form, no surrogate, nothing above U+10FFFF).
struct Form {
  std::uint8_t first_min, first_max;
  std::uint8_t second_min, second_max;
  std::uint8_t bytes;
};
constexpr std::array<Form, 8> forms{{
    {0xC2, 0xDF, 0x80, 0xBF, 2},
    {0xE0, 0xE0, 0xA0, 0xBF, 3},
    {0xE1, 0xEC, 0x80, 0xBF, 3},
    {0xED, 0xED, 0x80, 0x9F, 3},
    {0xEE, 0xEF, 0x80, 0xBF, 3},
    {0xF0, 0xF0, 0x90, 0xBF, 4},
    {0xF1, 0xF3, 0x80, 0xBF, 4},
    {0xF4, 0xF4, 0x80, 0x8F, 4},
}};

bool is_within(char c, std::uint8_t least, std::uint8_t most) {
  const auto byte = static_cast<std::uint8_t>(c);
  return byte >= least && byte <= most;
}

/// Bytes of the character that `text` begins with; 0 if it is none. REQUIRES: not empty.
std::size_t character_bytes(std::string_view text) {
  if (is_within(text[0], 0x00, 0x7F)) return 1;
  const auto form = std::find_if(forms.begin(), forms.end(), [&](const Form& candidate) {
    return is_within(text[0], candidate.first_min, candidate.first_max);
  });
  if (form == forms.end() || text.size() < form->bytes) return 0;
  if (!is_within(text[1], form->second_min, form->second_max)) return 0;
  for (std::size_t at = 2; at < form->bytes; ++at) {
    if (!is_within(text[at], 0x80, 0xBF)) return 0;
  }
  return form->bytes;
}

/// Length of the ASCII that `text` begins with, looked for in words: nearly every name is all
/// ASCII.
std::size_t ascii_prefix(std::string_view text) {
  std::size_t at = 0;
  for (std::uint64_t word = 0; text.size() - at >= sizeof word; at += sizeof word) {
    std::memcpy(&word, text.data() + at, sizeof word);
    if ((word & 0x8080808080808080U) != 0) break;
  }
  while (at < text.size() && is_within(text[at], 0x00, 0x7F)) ++at;
  return at;
}

bool is_printable_ascii(char c) {
  return is_within(c, 0x20, 0x7E);
}

void append_printable(std::string& out, char c) {
  if (is_printable_ascii(c))
    out += c;
  else
    fmt::format_to(std::back_inserter(out), "\\x{:02X}", static_cast<unsigned char>(c));
}

void append_more(std::string& out, std::size_t bytes, std::size_t bytes_max) {
  if (bytes > bytes_max)
    fmt::format_to(std::back_inserter(out), " and {} more bytes", bytes - bytes_max);
}

void append_json_ascii(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      break;
    case '\\':
      out += "\\\\";
      break;
    case '\n':
      out += "\\n";
      break;
    case '\r':
      out += "\\r";
      break;
    case '\t':
      out += "\\t";
      break;
    default:
      if (is_printable_ascii(c)) {
        out += c;
      } else {
        fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned char>(c));
      }
  }
}

}  // namespace

std::size_t valid_utf8_bytes(std::string_view text) {
  std::size_t valid = ascii_prefix(text);
  while (valid < text.size()) {
    const std::size_t bytes = character_bytes(text.substr(valid));
    if (bytes == 0) break;
    valid += bytes;
    valid += ascii_prefix(text.substr(valid));
  }
  return valid;
}

bool is_valid_utf8(std::string_view text) {
  return valid_utf8_bytes(text) == text.size();
}

std::string quote(std::string_view foreign, std::size_t bytes_max) {
  std::string out = "\"";
  for (const char c : foreign.substr(0, bytes_max)) {
    if (c == '"' || c == '\\') out += '\\';
    append_printable(out, c);
  }
  out += '"';
  append_more(out, foreign.size(), bytes_max);
  return out;
}

std::string printable(std::string_view foreign, std::size_t bytes_max) {
  std::string out;
  for (const char c : foreign.substr(0, bytes_max)) append_printable(out, c);
  append_more(out, foreign.size(), bytes_max);
  return out;
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const std::size_t bytes = character_bytes(text);
    if (bytes == 0) {
      out += "\xEF\xBF\xBD";
    } else if (bytes == 1) {
      append_json_ascii(out, text[0]);
    } else {
      out += text.substr(0, bytes);
    }
    text.remove_prefix(std::max<std::size_t>(bytes, 1));
  }
  out += '"';
}

std::string with_commas(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string as_size(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 4> units{"B", "KiB", "MiB", "GiB"};
  if (bytes == 0) return "0";
  std::size_t unit = 0;
  for (; bytes % 1024 == 0 && unit + 1 < units.size(); ++unit) bytes /= 1024;
  return fmt::format("{}{}", bytes, units[unit]);
}

std::string about_size(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> units{"B", "KiB", "MiB", "GiB", "TiB"};
  auto size = static_cast<double>(bytes);
  std::size_t unit = 0;
  // 1000, not 1024: never four digits.
  for (; size >= 999.5 && unit + 1 < units.size(); ++unit) size /= 1024;
  const int decimals = unit == 0 || size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f}{}", size, decimals, units[unit]);
}

std::string about_time(std::chrono::seconds time) {
  const auto minutes = std::chrono::round<std::chrono::minutes>(time).count();
  if (time < std::chrono::seconds(100)) return fmt::format("{} s", time.count());
  if (minutes < 60) return fmt::format("{} min", minutes);
  return fmt::format("{} h {} min", minutes / 60, minutes % 60);
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Row by row of the Wagner-Fischer table; row[j] is the distance of a's prefix to b[0..j).
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace tally
