// Numbers as StatsD clients write them. Nearly all are short decimals: up to 15 digits fit a
// double's mantissa and 10^15 is exact too, so one division gives the correctly rounded value.
// from_chars does the rest, not strtod: strtod obeys the locale, reads hex and needs a NUL we do
// not have.

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include "tally/parse.hpp"

namespace tally {
namespace {

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

constexpr std::array<double, 16> powers_of_ten = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                  1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

// Digits with at most one point, 1 to 15 digits in all. Anything else is left to from_chars.
bool parse_short_decimal(std::string_view text, double& value) {
  std::uint64_t mantissa = 0;
  std::size_t digits = 0;
  std::size_t fraction = 0;
  bool seen_point = false;
  for (const char c : text) {
    if (is_digit(c)) {
      if (++digits > 15) return false;
      mantissa = mantissa * 10 + static_cast<std::uint64_t>(c - '0');
      fraction += seen_point;
    } else if (c == '.' && !seen_point) {
      seen_point = true;
    } else {
      return false;
    }
  }
  if (digits == 0) return false;
  value = static_cast<double>(mantissa) / powers_of_ten[fraction];
  return true;
}

// from_chars does not say whether a number was too large or too small. The power of ten of its
// first digit that is not zero does. A double ends beyond 1e308 and below 1e-308: the power's sign
// is enough.
bool underflows(std::string_view text) {
  const std::size_t exponent_at = std::min(text.find_first_of("eE"), text.size());
  const std::string_view mantissa = text.substr(0, exponent_at);
  const std::size_t first = mantissa.find_first_of("123456789");
  if (first == std::string_view::npos) return true;
  const std::size_t point = std::min(mantissa.find('.'), mantissa.size());
  const auto power = static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first);
  if (exponent_at == text.size()) return power < 0;

  std::string_view digits = text.substr(exponent_at + 1);
  if (digits.front() == '+') digits.remove_prefix(1);
  std::int64_t exponent = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
  // Beyond 64 bits it outweighs any mantissa.
  if (read.ec != std::errc{}) return digits.front() == '-';
  return exponent < -power;
}

}  // namespace

bool parse_number(std::string_view text, double& value) {
  if (text.empty()) return false;
  const bool negative = text.front() == '-';
  if (negative || text.front() == '+') text.remove_prefix(1);
  // Keeps from_chars away from "inf", "nan" and a second sign.
  if (text.empty() || !(is_digit(text.front()) || text.front() == '.')) return false;

  double magnitude = 0;
  if (!parse_short_decimal(text, magnitude)) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), magnitude);
    if (end != text.data() + text.size() || error == std::errc::invalid_argument) return false;
    if (error == std::errc::result_out_of_range) {
      if (!underflows(text)) return false;
      magnitude = 0;
    }
  }
  value = negative ? -magnitude : magnitude;
  return true;
}

}  // namespace tally
