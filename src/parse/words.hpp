#pragma once
// The words of a line that both readers know: the parser, which reads every form, and the scanner,
// which reads the simple ones.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "base/simd.hpp"
#include "tally/sample.hpp"

namespace tally {

/// What a type stands for; nothing if it is none. Case matters.
constexpr std::optional<Kind> kind_of(std::string_view type) {
  if (type.size() == 2 && type[0] == 'm' && type[1] == 's') return Kind::timer;
  if (type.size() != 1) return std::nullopt;
  switch (type[0]) {
    case 'c':
      return Kind::counter;
    case 'g':
      return Kind::gauge;
    case 's':
      return Kind::set;
    case 'h':
      return Kind::histogram;
    case 'd':
      return Kind::distribution;
    default:
      return std::nullopt;
  }
}

/// Whether a field is one that DogStatsD defines and that means nothing here: container id,
/// external data, cardinality.
inline bool is_silent_field(std::string_view field) {
  return field.starts_with("c:") || field.starts_with("e:") || field.starts_with("card:");
}

inline constexpr std::array<double, 16> powers_of_ten = {
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

/// The number of eight digits, each a byte of 0 to 9, the first one lowest: neighbours become
/// numbers of four digits, and these of eight.
inline double number_of(std::uint64_t digits) {
#ifdef TALLY_X86
  // A third of the instructions less than below: two halves of up to 9999, and the last sum is
  // exact in doubles.
  __m128i words = _mm_cvtsi64_si128(static_cast<long long>(digits));
  words = _mm_unpacklo_epi8(words, _mm_setzero_si128());
  words = _mm_madd_epi16(words, _mm_setr_epi16(1000, 100, 10, 1, 1000, 100, 10, 1));
  words = _mm_madd_epi16(_mm_packs_epi32(words, words), _mm_set1_epi16(1));
  const __m128d halves = _mm_mul_pd(_mm_cvtepi32_pd(words), _mm_setr_pd(10000, 1));
  return _mm_cvtsd_f64(_mm_add_sd(halves, _mm_unpackhi_pd(halves, halves)));
#else
  constexpr std::uint64_t pairs = 0x000000ff000000ff;
  digits = digits * 10 + (digits >> 8);
  digits = ((digits & pairs) * (100 + (1000000ULL << 32)) +
            (digits >> 16 & pairs) * (1 + (10000ULL << 32))) >>
           32;
  return static_cast<double>(static_cast<std::uint32_t>(digits));
#endif
}

/// Reads digits with at most one point, 1 to 8 bytes in all, and all at once. Refuses anything
/// else, as `parse_short_decimal` does. REQUIRES: eight bytes may be read at `at`.
inline bool read_eight(const char* at, std::size_t size, double& value) {
  std::uint64_t digits;
  std::memcpy(&digits, at, sizeof digits);
  if constexpr (std::endian::native == std::endian::big) digits = __builtin_bswap64(digits);
  // What stands behind the number is shifted out, and zeros come in before it.
  digits = (digits ^ 0x3030303030303030) << (64 - 8 * size);
  // A bit for each byte above nine.
  const std::uint64_t others = ((digits + 0x7676767676767676) | digits) & 0x8080808080808080;
  std::size_t fraction = 0;
  if (others != 0) [[unlikely]] {
    const auto place = static_cast<unsigned>(std::countr_zero(others)) & ~7U;
    const bool is_point = (others & (others - 1)) == 0 && size > 1 &&
                          (digits >> place & 0xff) == (static_cast<unsigned>('.') ^ 0x30);
    if (!is_point) return false;
    // The digits before the point take its place.
    const std::uint64_t before = (std::uint64_t{1} << place) - 1;
    digits = (digits & before) << 8 | (digits & ~(before | std::uint64_t{0xff} << place));
    fraction = 7 - place / 8;
  }
  value = number_of(digits);
  if (fraction > 0) value /= powers_of_ten[fraction];
  return true;
}

/// Reads digits with at most one point, 1 to 15 bytes in all. Refuses anything else, good numbers
/// too: `parse_number` reads those. Inline, for nearly all values of nearly all lines end here.
inline bool parse_short_decimal(std::string_view text, double& value) {
  if (text.empty() || text.size() > 15) return false;
  const char* at = text.data();
  const char* const end = at + text.size();
  std::uint64_t mantissa = 0;
  const auto read_digits = [&] {
    for (; at != end; ++at) {
      const auto digit = static_cast<unsigned>(static_cast<unsigned char>(*at)) - '0';
      if (digit > 9) return;
      mantissa = mantissa * 10 + digit;
    }
  };
  read_digits();
  value = static_cast<double>(mantissa);
  if (at == end) return true;
  if (*at != '.' || text.size() == 1) return false;
  const char* const fraction = ++at;
  read_digits();
  if (at != end) return false;
  value = static_cast<double>(mantissa) / powers_of_ten[static_cast<std::size_t>(end - fraction)];
  return true;
}

}  // namespace tally
