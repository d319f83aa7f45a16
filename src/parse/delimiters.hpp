#pragma once
// Where lines are cut: the places of '\n', ':' and '|' in a text, in one pass of 64 bytes at a
// time.

#include <cstddef>
#include <cstdint>
#include <span>

namespace tally {

inline constexpr std::size_t block_bytes = 64;

/// Places that may be written behind the last.
inline constexpr std::size_t spare_places = 16;

/// A text's blocks into the places of its delimiters, each plus `base`, from `out` on. Returns the
/// end of the places. REQUIRES: room for a place for each byte, and `spare_places`.
using FindDelimiters = std::uint32_t* (*)(const char* text, std::size_t blocks, std::uint32_t base,
                                          std::uint32_t* out);

/// One a kind of processor; all give the same places.
struct DelimiterFinder {
  const char* name;
  FindDelimiters find;
};

/// Those that this processor can run, the fastest first.
std::span<const DelimiterFinder> delimiter_finders();

}  // namespace tally
