#include "spool/crc32c.hpp"

#include <array>
#include <cstddef>
#include <cstring>

#include "base/simd.hpp"

namespace tally {
namespace {

constexpr std::size_t word_bytes = 8;
constexpr std::uint32_t polynomial = 0x82F63B78;  // reflected

/// table[k][b]: what byte `b` does to the remainder k bytes further on ("slicing by eight",
/// M. Kounavis and F. Berry, 2005).
using Table = std::array<std::array<std::uint32_t, 256>, word_bytes>;

constexpr Table make_table() {
  Table table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t remainder = byte;
    for (int bit = 0; bit < 8; ++bit)
      remainder = (remainder >> 1) ^ ((remainder & 1) != 0 ? polynomial : 0);
    table[0][byte] = remainder;
  }
  for (std::size_t k = 1; k < word_bytes; ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = table[k - 1][byte];
      table[k][byte] = (before >> 8) ^ table[0][before & 0xFF];
    }
  }
  return table;
}

constexpr Table table = make_table();

std::uint32_t add_byte(std::uint32_t remainder, char byte) {
  return (remainder >> 8) ^ table[0][(remainder ^ static_cast<unsigned char>(byte)) & 0xFF];
}

std::uint32_t add_word(std::uint32_t remainder, const char* bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < word_bytes; ++i) {
    std::uint32_t byte = static_cast<unsigned char>(bytes[i]);
    if (i < sizeof remainder) byte ^= (remainder >> (8 * i)) & 0xFF;
    sum ^= table[word_bytes - 1 - i][byte];
  }
  return sum;
}

#ifdef TALLY_X86
__attribute__((target("sse4.2"))) std::uint32_t by_instruction(std::string_view bytes,
                                                               std::uint32_t before) {
  std::uint64_t remainder = ~before;
  while (bytes.size() >= word_bytes) {
    unsigned long long word = 0;  // the type that the intrinsic takes
    std::memcpy(&word, bytes.data(), word_bytes);
    remainder = _mm_crc32_u64(remainder, word);
    bytes.remove_prefix(word_bytes);
  }
  auto rest = static_cast<std::uint32_t>(remainder);
  for (const char byte : bytes) rest = _mm_crc32_u8(rest, static_cast<unsigned char>(byte));
  return ~rest;
}
#endif

}  // namespace

std::uint32_t crc32c_by_table(std::string_view bytes, std::uint32_t before) {
  std::uint32_t remainder = ~before;
  for (; bytes.size() >= word_bytes; bytes.remove_prefix(word_bytes))
    remainder = add_word(remainder, bytes.data());
  for (const char byte : bytes) remainder = add_byte(remainder, byte);
  return ~remainder;
}

std::uint32_t crc32c(std::string_view bytes, std::uint32_t before) {
#ifdef TALLY_X86
  if (__builtin_cpu_supports("sse4.2")) return by_instruction(bytes, before);
#endif
  return crc32c_by_table(bytes, before);
}

}  // namespace tally
