#include <doctest/doctest.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "aggregate/name_hash.hpp"
#include "guarded_buffer.hpp"

using tally::is_equal;
using tally::NameHash;
using tally::testing::GuardedBuffer;
#ifdef TALLY_X86
using tally::AesHash;
#endif

namespace {

// Beyond all lengths that have a path of their own.
constexpr std::size_t longest = 130;

std::string name_of(std::size_t size) {
  std::string name;
  for (std::size_t i = 0; i < size; ++i) name += static_cast<char>('a' + i % 23);
  return name;
}

}  // namespace

template <class Hash>
bool is_possible() {
  return true;
}
#ifdef TALLY_X86
template <>
bool is_possible<AesHash>() {
  return AesHash::is_possible();
}
#define HASHES NameHash, AesHash
#else
#define HASHES NameHash
#endif

TEST_CASE_TEMPLATE(
    "name hash: every byte of a name of any length counts, and none beside it is read", Hash,
    HASHES) {
  if (!is_possible<Hash>()) return;
  const Hash hash(7);
  for (std::size_t size = 0; size <= longest; ++size) {
    CAPTURE(size);
    const std::string name = name_of(size);
    const GuardedBuffer guarded(name);
    const std::uint64_t own = hash(guarded.view(), 0);
    CHECK(own == hash(name, 0));
    CHECK(is_equal(guarded.view().data(), name.data(), size));
    for (std::size_t at = 0; at < size; ++at) {
      for (int bit = 0; bit < 8; ++bit) {
        std::string other = name;
        other[at] = static_cast<char>(other[at] ^ (1 << bit));
        REQUIRE_MESSAGE(!is_equal(guarded.view().data(), other.data(), size), "byte " << at);
        REQUIRE_MESSAGE(hash(other, 0) != own, "byte " << at);
      }
    }
  }
}

TEST_CASE_TEMPLATE("name hash: kind, length and seed tell names apart that have the same bytes",
                   Hash, HASHES) {
  if (!is_possible<Hash>()) return;
  std::set<std::uint64_t> seen;
  std::size_t asked = 0;
  for (const std::uint64_t seed : {0U, 1U, 7U}) {
    const Hash hash(seed);
    for (std::uint64_t kind = 0; kind < 6; ++kind) {
      for (std::size_t size = 0; size <= longest; ++size, ++asked)
        seen.insert(hash(std::string(size, 'a'), kind << 8));
      for (std::size_t size = 1; size <= longest; ++size, ++asked)
        seen.insert(hash(std::string(size, '\0'), kind << 8));
    }
  }
  CHECK(seen.size() == asked);
}

TEST_CASE_TEMPLATE("name hash: the low bits spread names that differ in a number only", Hash,
                   HASHES) {
  if (!is_possible<Hash>()) return;
  const Hash hash(7);
  constexpr std::size_t names = 1 << 16, places = 1 << 13;  // 8 a place
  for (const char* prefix : {"a", "service.hits.", "a.service.of.some.length.requests."}) {
    CAPTURE(prefix);
    std::vector<std::size_t> filled(places);
    std::set<std::uint32_t> kept;
    for (std::size_t i = 0; i < names; ++i) {
      const std::uint64_t one = hash(prefix + std::to_string(i), 0);
      ++filled[one & (places - 1)];
      kept.insert(static_cast<std::uint32_t>(one));
    }
    // Poisson's distribution of mean 8: the sum of (n - 8)^2 / 8 is chi-squared with `places`
    // degrees of freedom, whose standard deviation is 128.
    double chi_squared = 0;
    for (const std::size_t count : filled) {
      const double off = static_cast<double>(count) - 8;
      chi_squared += off * off / 8;
    }
    CHECK(chi_squared < places + 6 * 128);
    // And the 32 bits that a slot keeps: by chance half a pair of these names has the same.
    CHECK(kept.size() + 4 >= names);
  }
}
