#include "delimiters.hpp"

#include <array>
#include <bit>

#include "base/simd.hpp"

namespace tally {
namespace {

#ifdef TALLY_X86
// The place of the lowest bit; of none, anything. Not std::countr_zero, for that asks whether there
// is one, and then gcc leaves the loop below at the first that is not. Processors without tzcnt
// read it as bsf, which differs only there.
[[gnu::always_inline]] inline std::uint32_t lowest(std::uint64_t mask) {
  std::uint64_t place;
  asm("tzcnt %1, %0" : "=r"(place) : "r"(mask) : "cc");
  return static_cast<std::uint32_t>(place);
}

// Each bit of the mask becomes a place. Eight are written whether they are there or not: how many
// there are differs from block to block, and a loop that ends elsewhere each time is guessed wrong.
// The idea is simdjson's (Langdale and Lemire 2019).
[[gnu::always_inline]] inline std::uint32_t* write_places(std::uint64_t mask, std::uint32_t base,
                                                          std::uint32_t* out) {
  constexpr std::size_t at_once = 8;
  static_assert(at_once <= spare_places);
  std::uint32_t* const end = out + std::popcount(mask);
  do {
    for (std::size_t i = 0; i < at_once; ++i, mask &= mask - 1) out[i] = base + lowest(mask);
    out += at_once;
  } while (mask != 0);
  return end;
}

std::uint32_t* find_by_sse2(const char* text, std::size_t blocks, std::uint32_t base,
                            std::uint32_t* out) {
  const __m128i line_end = _mm_set1_epi8('\n');
  const __m128i colon = _mm_set1_epi8(':');
  const __m128i pipe = _mm_set1_epi8('|');
  for (; blocks > 0; --blocks, text += block_bytes, base += block_bytes) {
    std::uint64_t mask = 0;
    for (int quarter = 3; quarter >= 0; --quarter) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text + 16 * quarter));
      const __m128i found =
          _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, line_end), _mm_cmpeq_epi8(bytes, colon)),
                       _mm_cmpeq_epi8(bytes, pipe));
      mask = mask << 16 | static_cast<unsigned>(_mm_movemask_epi8(found));
    }
    out = write_places(mask, base, out);
  }
  return out;
}

[[gnu::target("avx2,bmi,popcnt")]] std::uint32_t* find_by_avx2(const char* text, std::size_t blocks,
                                                               std::uint32_t base,
                                                               std::uint32_t* out) {
  const __m256i line_end = _mm256_set1_epi8('\n');
  const __m256i colon = _mm256_set1_epi8(':');
  const __m256i pipe = _mm256_set1_epi8('|');
  for (; blocks > 0; --blocks, text += block_bytes, base += block_bytes) {
    std::uint64_t mask = 0;
    for (int half = 1; half >= 0; --half) {
      const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text + 32 * half));
      const __m256i found = _mm256_or_si256(
          _mm256_or_si256(_mm256_cmpeq_epi8(bytes, line_end), _mm256_cmpeq_epi8(bytes, colon)),
          _mm256_cmpeq_epi8(bytes, pipe));
      mask = mask << 32 | static_cast<unsigned>(_mm256_movemask_epi8(found));
    }
    out = write_places(mask, base, out);
  }
  return out;
}

[[gnu::target("avx512bw,avx512vl,avx512vbmi2,popcnt"), gnu::always_inline]] inline void
write_sixteen(std::uint32_t* out, __m128i places, __m512i base) {
  _mm512_storeu_si512(out, _mm512_add_epi32(_mm512_cvtepu8_epi32(places), base));
}

// One instruction draws the places together (vpcompressb): a block takes a third of the
// instructions. Sixteen are written whether they are there or not, more where there are more.
[[gnu::target("avx512bw,avx512vl,avx512vbmi2,popcnt")]] std::uint32_t* find_by_avx512(
    const char* text, std::size_t blocks, std::uint32_t base, std::uint32_t* out) {
  alignas(64) static constexpr std::array<std::uint8_t, block_bytes> counting = [] {
    std::array<std::uint8_t, block_bytes> numbers{};
    for (std::size_t i = 0; i < block_bytes; ++i) numbers[i] = static_cast<std::uint8_t>(i);
    return numbers;
  }();
  const __m512i numbers = _mm512_load_si512(counting.data());
  const __m512i line_end = _mm512_set1_epi8('\n');
  const __m512i colon = _mm512_set1_epi8(':');
  const __m512i pipe = _mm512_set1_epi8('|');
  for (; blocks > 0; --blocks, text += block_bytes, base += block_bytes) {
    const __m512i bytes = _mm512_loadu_si512(text);
    const __mmask64 mask = _mm512_cmpeq_epi8_mask(bytes, line_end) |
                           _mm512_cmpeq_epi8_mask(bytes, colon) |
                           _mm512_cmpeq_epi8_mask(bytes, pipe);
    const __m512i places = _mm512_maskz_compress_epi8(mask, numbers);
    const __m512i all_base = _mm512_set1_epi32(static_cast<int>(base));
    const int count = std::popcount(mask);
    write_sixteen(out, _mm512_castsi512_si128(places), all_base);
    if (count > 16) [[unlikely]] {
      write_sixteen(out + 16, _mm512_extracti32x4_epi32(places, 1), all_base);
      write_sixteen(out + 32, _mm512_extracti32x4_epi32(places, 2), all_base);
      write_sixteen(out + 48, _mm512_extracti32x4_epi32(places, 3), all_base);
    }
    out += count;
  }
  return out;
}
#else
std::uint32_t* find_plainly(const char* text, std::size_t blocks, std::uint32_t base,
                            std::uint32_t* out) {
  for (std::size_t i = 0; i < blocks * block_bytes; ++i) {
    const char c = text[i];
    if (c == '\n' || c == ':' || c == '|') *out++ = base + static_cast<std::uint32_t>(i);
  }
  return out;
}
#endif

}  // namespace

std::span<const DelimiterFinder> delimiter_finders() {
#ifdef TALLY_X86
  static constexpr DelimiterFinder finders[] = {
      {"avx512", find_by_avx512}, {"avx2", find_by_avx2}, {"sse2", find_by_sse2}};
  static const std::size_t first = [] {
    const bool has_popcnt = __builtin_cpu_supports("popcnt") != 0;
    const bool has_avx512 = has_popcnt && __builtin_cpu_supports("avx512bw") != 0 &&
                            __builtin_cpu_supports("avx512vl") != 0 &&
                            __builtin_cpu_supports("avx512vbmi2") != 0;
    const bool has_avx2 =
        has_popcnt && __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("bmi") != 0;
    return has_avx512 ? std::size_t{0} : has_avx2 ? std::size_t{1} : std::size_t{2};
  }();
  return std::span(finders).subspan(first);
#else
  static constexpr DelimiterFinder finders[] = {{"plain", find_plainly}};
  return finders;
#endif
}

}  // namespace tally
