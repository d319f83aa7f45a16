#pragma once
// Hash and comparison of short names, inlined into the hot path.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/simd.hpp"

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

inline constexpr std::uint64_t odd_for_hash = 0x9e3779b97f4a7c15;  // 2^64 by the golden ratio

/// A random word of another: splitmix64 (Steele, Lea and Flood 2014), which makes something of any
/// seed.
inline std::uint64_t spread(std::uint64_t seed) {
  std::uint64_t x = seed + odd_for_hash;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return (x ^ x >> 31) | 1;
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
    std::uint64_t state = second_ + (salt + size) * odd_for_hash;
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
  static std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }
  __extension__ using Wide = unsigned __int128;

  std::uint64_t first_;
  std::uint64_t second_;
};

#ifdef TALLY_X86
/// Another one, by the rounds of AES that processors have, in the manner of aHash (Tom Kaitchuck,
/// 2019): half of the instructions. Two rounds, after which each byte has changed all others, lie
/// between any two blocks of a name, and three behind the last: with two, four bytes of the hash
/// take but eight bits of each four of the name. Their keys are random words, as above.
class AesHash {
 public:
  static bool is_possible() {
    return __builtin_cpu_supports("aes") != 0 && __builtin_cpu_supports("avx2") != 0;
  }

  explicit AesHash(std::uint64_t seed)
      : first_(spread(seed)), second_(spread(first_)), third_(spread(second_)) {}

  /// REQUIRES: is_possible().
  [[gnu::target("aes,avx2")]] std::uint64_t operator()(std::string_view name,
                                                       std::uint64_t salt) const {
    return inlined(name, salt);
  }

  /// The same, for callers with the same target.
  [[gnu::target("aes,avx2"), gnu::always_inline]] std::uint64_t inlined(std::string_view name,
                                                                        std::uint64_t salt) const {
    const char* const at = name.data();
    const std::size_t size = name.size();
    const __m128i keys = pair(first_, second_);
    __m128i state = pair(third_ + (salt + size) * odd_for_hash, 0);
    if (size >= 16) [[likely]] {
      state = _mm_xor_si128(state, sixteen(at));
      for (std::size_t i = 16; i + 32 < size; i += 16) state = mixed(state, keys, sixteen(at + i));
      state = mixed(state, keys, sixteen(at + before_last_sixteen(size)));
      state = mixed(state, keys, sixteen(at + size - 16));
    } else if (size >= 8) {
      state = _mm_xor_si128(state, pair(word(at), word(at + size - 8)));
    } else {
      std::uint64_t few = 0;
      std::memcpy(&few, at, size);
      state = _mm_xor_si128(state, pair(few, 0));
    }
    state = _mm_aesenc_si128(mixed(state, keys, keys), keys);
    return static_cast<std::uint64_t>(_mm_cvtsi128_si64(state));
  }

 private:
  [[gnu::target("aes,avx2"), gnu::always_inline]] static __m128i mixed(__m128i state, __m128i keys,
                                                                       __m128i block) {
    return _mm_aesenc_si128(_mm_aesenc_si128(state, keys), block);
  }
  [[gnu::target("aes,avx2"), gnu::always_inline]] static __m128i sixteen(const char* at) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  }
  [[gnu::target("aes,avx2"), gnu::always_inline]] static __m128i pair(std::uint64_t low,
                                                                      std::uint64_t high) {
    return _mm_set_epi64x(static_cast<long long>(high), static_cast<long long>(low));
  }

  std::uint64_t first_;
  std::uint64_t second_;
  std::uint64_t third_;
};
#endif

/// memcmp as it is called costs more than it compares.
[[gnu::always_inline]] inline bool is_equal(const char* a, const char* b, std::size_t size) {
  if (size >= 16) [[likely]] {
#ifdef TALLY_X86
    const auto same = [a, b](std::size_t at) {
      return _mm_cmpeq_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(a + at)),
                            _mm_loadu_si128(reinterpret_cast<const __m128i*>(b + at)));
    };
    __m128i all = same(0) & same(before_last_sixteen(size)) & same(size - 16);
    for (std::size_t at = 16; at + 32 < size; at += 16) all &= same(at);
    return _mm_movemask_epi8(all) == 0xffff;
#else
    const auto differ = [a, b](std::size_t at) {
      return (word(a + at) ^ word(b + at)) | (word(a + at + 8) ^ word(b + at + 8));
    };
    std::uint64_t difference = differ(0) | differ(before_last_sixteen(size)) | differ(size - 16);
    for (std::size_t at = 16; at + 32 < size; at += 16) difference |= differ(at);
    return difference == 0;
#endif
  }
  if (size >= 8) return word(a) == word(b) && word(a + size - 8) == word(b + size - 8);
  for (std::size_t i = 0; i < size; ++i) {
    if (a[i] != b[i]) return false;
  }
  return true;
}

}  // namespace tally
