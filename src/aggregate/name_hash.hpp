#pragma once
// Hash and comparison of short names, inlined into the hot path.

#include <cstdint>
#include <cstring>
#include <string_view>

namespace tally {

inline std::uint64_t word(const char* at) {
  std::uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
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
    std::uint64_t state = second_ + salt;
    if (size >= 16) {
      for (std::size_t i = 0; i + 16 < size; i += 16)
        state = fold(word(at + i) ^ first_, word(at + i + 8) ^ state);
      state = fold(word(at + size - 16) ^ first_, word(at + size - 8) ^ state);
    } else if (size >= 8) {
      state = fold(word(at) ^ first_, word(at + size - 8) ^ state);
    } else {
      std::uint64_t few = 0;
      std::memcpy(&few, at, size);
      state = fold(few ^ first_, state);
    }
    return fold(state ^ first_, second_ + size);
  }

 private:
  static std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }
  // splitmix64 (Steele, Lea and Flood 2014), which makes something of any seed.
  static std::uint64_t spread(std::uint64_t seed) {
    std::uint64_t x = seed + 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return (x ^ x >> 31) | 1;
  }
  __extension__ using Wide = unsigned __int128;

  std::uint64_t first_;
  std::uint64_t second_;
};

/// memcmp as it is called costs more than it compares. Sixteen bytes at a time, the last sixteen
/// overlapping those before: names of 16 to 32 bytes, which most are, meet no loop.
[[gnu::always_inline]] inline bool is_equal(const char* a, const char* b, std::size_t size) {
  const auto differ = [a, b](std::size_t at) {
    return (word(a + at) ^ word(b + at)) | (word(a + at + 8) ^ word(b + at + 8));
  };
  if (size >= 16) {
    std::uint64_t difference = differ(0) | differ(size - 16);
    for (std::size_t at = 16; at + 16 < size; at += 16) difference |= differ(at);
    return difference == 0;
  }
  if (size >= 8) return word(a) == word(b) && word(a + size - 8) == word(b + size - 8);
  for (std::size_t i = 0; i < size; ++i) {
    if (a[i] != b[i]) return false;
  }
  return true;
}

}  // namespace tally
