#pragma once
// Hash and comparison of short names, inlined into the hot path.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace tally {

inline std::uint64_t word(const char* at) {
  std::uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

/// Where the sixteen bytes before the last sixteen begin: with the first and the last ones they are
/// all bytes of a name of 16 to 48. Such names, which most are, take one path in what follows:
/// lengths come at random, and a branch on them is guessed wrong.
inline std::size_t before_last_sixteen(std::size_t size) {
  return std::max<std::size_t>(size, 32) - 32;
}

/// The hash of short names, in the manner of wyhash (Wang Yi, 2019): words are multiplied to 128
/// bits and folded. Both factors are hidden by random words, so that no one who does not know them
/// can choose bytes that make one zero, or names that meet in one bucket.
class NameHash {
 public:
  explicit NameHash(std::uint64_t seed) : first_(spread(seed)), second_(spread(first_)) {}

  [[gnu::always_inline]] std::uint64_t operator()(std::string_view name, std::uint64_t salt) const {
    const char* const at = name.data();
    const std::size_t size = name.size();
    // Multiplied, or a bit of the name could undo one of the salt.
    std::uint64_t state = second_ + (salt + size) * odd;
    const auto add = [&](std::uint64_t a, std::uint64_t b) { state = fold(a ^ first_, b ^ state); };
    if (size >= 16) [[likely]] {
      add(word(at), word(at + 8));
      for (std::size_t i = 16; i + 32 < size; i += 16) add(word(at + i), word(at + i + 8));
      const std::size_t middle = before_last_sixteen(size);
      add(word(at + middle), word(at + middle + 8));
      add(word(at + size - 16), word(at + size - 8));
    } else if (size >= 8) {
      add(word(at), word(at + size - 8));
    } else {
      std::uint64_t few = 0;
      std::memcpy(&few, at, size);
      add(few, 0);
    }
    return state;
  }

 private:
  static constexpr std::uint64_t odd = 0x9e3779b97f4a7c15;  // 2^64 by the golden ratio

  static std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }
  // splitmix64 (Steele, Lea and Flood 2014), which makes something of any seed.
  static std::uint64_t spread(std::uint64_t seed) {
    std::uint64_t x = seed + odd;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return (x ^ x >> 31) | 1;
  }
  __extension__ using Wide = unsigned __int128;

  std::uint64_t first_;
  std::uint64_t second_;
};

/// memcmp as it is called costs more than it compares.
[[gnu::always_inline]] inline bool is_equal(const char* a, const char* b, std::size_t size) {
  // Two words in one register, where the processor has such: half of the instructions.
  using Sixteen = std::uint64_t __attribute__((vector_size(16)));
  const auto differ = [a, b](std::size_t at) {
    Sixteen of_a, of_b;
    std::memcpy(&of_a, a + at, sizeof of_a);
    std::memcpy(&of_b, b + at, sizeof of_b);
    return of_a ^ of_b;
  };
  if (size >= 16) [[likely]] {
    Sixteen difference = differ(0) | differ(before_last_sixteen(size)) | differ(size - 16);
    for (std::size_t at = 16; at + 32 < size; at += 16) difference |= differ(at);
    return (difference[0] | difference[1]) == 0;
  }
  if (size >= 8) return word(a) == word(b) && word(a + size - 8) == word(b + size - 8);
  for (std::size_t i = 0; i < size; ++i) {
    if (a[i] != b[i]) return false;
  }
  return true;
}

}  // namespace tally
