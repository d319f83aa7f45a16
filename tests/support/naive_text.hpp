#pragma once
// What is valid UTF-8 and what is a decimal number, written down a second time: slow, obvious and
// without a line in common with src/, so that a mistake there cannot hide here.

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace tally::testing {

/// Strict UTF-8 (RFC 3629), one code point after the other.
inline bool naive_is_utf8(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto lead = static_cast<unsigned char>(text[at]);
    if (lead < 0x80) {
      ++at;
      continue;
    }
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc0 || lead >= 0xf8 || at + length > text.size()) return false;
    std::uint32_t point = lead & (0xffU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
      const auto byte = static_cast<unsigned char>(text[at + i]);
      if ((byte & 0xc0) != 0x80) return false;
      point = point << 6 | (byte & 0x3fU);
    }
    const std::uint32_t least = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000;
    if (point < least || point > 0x10ffff) return false;
    if (point >= 0xd800 && point <= 0xdfff) return false;
    at += length;
  }
  return true;
}

/// Whether `text` is [+-] digits [. digits] [e [+-] digits] with a digit before or after the point.
inline bool naive_is_decimal(const std::string& text) {
  std::size_t at = 0;
  auto one_of = [&](std::string_view set) {
    if (at >= text.size() || set.find(text[at]) == std::string_view::npos) return false;
    ++at;
    return true;
  };
  auto digits = [&] {
    const std::size_t from = at;
    while (one_of("0123456789")) {
    }
    return at - from;
  };
  one_of("+-");
  std::size_t mantissa = digits();
  if (one_of(".")) mantissa += digits();
  if (mantissa == 0) return false;
  if (one_of("eE")) {
    one_of("+-");
    if (digits() == 0) return false;
  }
  return at == text.size();
}

/// Reads such a number; false for any other text and for what overflows. strtod is trusted with the
/// rounding only: what it would take beyond the grammar (hex, inf, white space) never reaches it.
inline bool naive_number(const std::string& text, double& value) {
  if (!naive_is_decimal(text)) return false;
  const double read = std::strtod(text.c_str(), nullptr);
  if (!std::isfinite(read)) return false;
  value = read;
  return true;
}

}  // namespace tally::testing
