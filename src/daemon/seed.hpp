#pragma once
// Chance, where someone outside could profit from knowing.

#include <cstdint>
#include <random>

namespace tally {

/// 64 bits that nobody can guess.
inline std::uint64_t random_seed() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

}  // namespace tally
