// Numbers as StatsD clients write them. Nearly all are short decimals: up to 15 digits fit a
// double's mantissa and 10^15 is exact too, so one division gives the correctly rounded value.
// from_chars does the rest, not strtod: strtod obeys the locale, reads hex and needs a NUL we do
// not have.

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "tally/parse.hpp"
#include "words.hpp"

namespace tally {
namespace {

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
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

// Any number without a sign.
bool parse_any_decimal(std::string_view text, double& value) {
  // Keeps from_chars away from "inf", "nan" and a second sign.
  if (text.empty() || !(is_digit(text.front()) || text.front() == '.')) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size() || error == std::errc::invalid_argument) return false;
  if (error == std::errc::result_out_of_range) {
    if (!underflows(text)) return false;
    value = 0;
  }
  return true;
}

}  // namespace

bool parse_number(std::string_view text, double& value) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  double magnitude = 0;
  if (!parse_short_decimal(text, magnitude) && !parse_any_decimal(text, magnitude)) return false;
  value = negative ? -magnitude : magnitude;
  return true;
}

}  // namespace tally
