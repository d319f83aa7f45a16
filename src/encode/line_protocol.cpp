// The words of line protocol: numbers and escaped names. tests/system/hostile_test.cpp holds them
// against a real influxd.

#include <fmt/format.h>

#include <cassert>
#include <cmath>
#include <cstdint>

#include "tally/encode.hpp"

namespace tally {
namespace {

// Up to here every whole double is an exact int64, and the digits are the shortest form as well.
constexpr double whole_max = 9007199254740992.0;  // 2^53

bool is_plain_integer(double value) {
  return std::fabs(value) < whole_max &&
         value == static_cast<double>(static_cast<std::int64_t>(value)) &&
         (value != 0 || !std::signbit(value));
}

// A rate of the default window, of 10 s, has one decimal. Below this no shorter text than that
// reads back to the same double, for no two texts of 15 digits read as one (DBL_DIG).
constexpr double tenths_max = 1e14;

bool append_tenths(std::string& out, double value) {
  if (!(std::fabs(value) < tenths_max)) return false;
  const auto tenths = static_cast<std::int64_t>(std::fabs(value) * 10 + 0.5);
  if (tenths == 0 || static_cast<double>(tenths) / 10 != std::fabs(value)) return false;
  const fmt::format_int whole(tenths / 10);
  if (value < 0) out.push_back('-');
  out.append(whole.data(), whole.size());
  const char decimal[] = {'.', static_cast<char>('0' + tenths % 10)};
  out.append(decimal, sizeof decimal);
  return true;
}

template <class IsSpecial>
void append_escaped(std::string& out, std::string_view text, IsSpecial is_special) {
  // Nearly all names have none, which a loop without an exit tells for sixteen bytes at once; with
  // a bool in place of a byte it takes three times as long.
  unsigned char special = 0;
  for (const char byte : text) special |= static_cast<unsigned char>(is_special(byte));
  if (special == 0) {
    out.append(text);
    return;
  }
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!is_special(text[at])) continue;
    out.append(text, done, at - done);
    out.push_back('\\');
    done = at;
  }
  out.append(text, done);
}

}  // namespace

void append_number(std::string& out, double value) {
  assert(std::isfinite(value));
  if (is_plain_integer(value)) {
    const fmt::format_int digits(static_cast<std::int64_t>(value));
    out.append(digits.data(), digits.size());
    return;
  }
  if (append_tenths(out, value)) return;
  // fmt, not std::to_chars: the latter takes the shorter text and writes 1e+06 for a million.
  char digits[32];
  const auto end = fmt::format_to(digits, "{}", value);
  out.append(digits, static_cast<std::size_t>(end - digits));
}

void append_string(std::string& out, std::string_view text) {
  out.push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(byte < 0x20 || byte == 0x7f ? '_' : c);
  }
  out.push_back('"');
}

void append_measurement(std::string& out, std::string_view text) {
  append_escaped(out, text, [](char byte) { return (byte == ',') | (byte == ' '); });
}

void append_key(std::string& out, std::string_view text) {
  append_escaped(out, text,
                 [](char byte) { return (byte == ',') | (byte == ' ') | (byte == '='); });
}

}  // namespace tally
