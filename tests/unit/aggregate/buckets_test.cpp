#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <random>
#include <unordered_map>
#include <vector>

#include "aggregate/buckets.hpp"

using tally::Bucket;
using tally::Buckets;

namespace {

#ifdef TALLY_X86
[[gnu::target("avx2")]] unsigned equal_by_avx2(const Bucket& bucket, std::uint32_t wanted) {
  return bucket.equal_by_avx2(wanted);
}
#endif

// The numbers in slots with this hash, as the table looks for them.
std::vector<std::uint32_t> found(const Buckets& buckets, std::uint64_t hash) {
  std::vector<std::uint32_t> numbers;
  for (const Bucket* at = buckets.first(hash);; at = buckets.next(at)) {
    unsigned equal = at->equal(static_cast<std::uint32_t>(hash));
    for (; equal != 0; equal &= equal - 1) {
      const std::uint32_t number = at->cell[std::countr_zero(equal)];
      if (number != 0) numbers.push_back(number);
    }
    if (!at->is_full()) return numbers;
  }
}

bool holds(const Buckets& buckets, std::uint64_t hash, std::uint32_t number) {
  return std::ranges::count(found(buckets, hash), number) == 1;
}

// Keys that were put in, one after the other; number i + 1 belongs to keys[i].
void check_all(const Buckets& buckets, const std::vector<std::uint64_t>& keys) {
  std::size_t missing = 0;
  for (std::uint32_t i = 0; i < keys.size(); ++i) missing += !holds(buckets, keys[i], i + 1);
  CHECK(missing == 0);
}

/// Puts in so many keys, and returns them.
std::vector<std::uint64_t> fill(Buckets& buckets, std::uint32_t count, std::mt19937_64& random) {
  std::vector<std::uint64_t> keys;
  for (std::uint32_t i = 1; i <= count; ++i) {
    keys.push_back(random());
    buckets.insert(keys.back(), i);
  }
  return keys;
}

struct Filling {
  const char* name;
  std::uint64_t (*hash)(std::uint64_t random);
};

constexpr Filling fillings[] = {
    {"spread over all buckets", [](std::uint64_t random) { return random; }},
    // Runs of full buckets, and the last of them spill over the end of the array.
    {"into the last buckets", [](std::uint64_t random) { return random | 0x38; }},
    {"into the first buckets", [](std::uint64_t random) { return random & ~std::uint64_t{0x38}; }},
    {"into a few places", [](std::uint64_t random) { return random & 0xffff0f0f; }},
};

}  // namespace

TEST_CASE("buckets: whatever was put in is found, at every moment of growing") {
  for (const Filling& filling : fillings) {
    CAPTURE(filling.name);
    std::mt19937_64 random(7);
    Buckets buckets;
    std::vector<std::uint64_t> keys;
    bool has_grown_midway = false;
    while (keys.size() < 6000) {
      keys.push_back(filling.hash(random()));
      buckets.insert(keys.back(), static_cast<std::uint32_t>(keys.size()));
      // All of them often while it grows, for then each insertion moves others.
      const bool is_due = keys.size() % 512 == 0 || (buckets.is_growing() && keys.size() % 7 == 0);
      has_grown_midway = has_grown_midway || buckets.is_growing();
      if (is_due) check_all(buckets, keys);
    }
    check_all(buckets, keys);
    CHECK(has_grown_midway);
    CHECK(buckets.size() == keys.size());
  }
}

TEST_CASE("buckets: what was not put in is not found, and the search ends") {
  std::mt19937_64 random(11);
  Buckets buckets;
  std::unordered_map<std::uint32_t, bool> known;
  for (std::uint32_t i = 1; i <= 100'000; ++i) {
    const std::uint64_t hash = random();
    known[static_cast<std::uint32_t>(hash)] = true;
    buckets.insert(hash, i);
    const std::uint64_t other = random();
    if (!known.contains(static_cast<std::uint32_t>(other))) CHECK(found(buckets, other).empty());
  }
}

TEST_CASE("buckets: growing is shared out among insertions and keeps every bucket reachable") {
  std::mt19937_64 random(3);
  Buckets buckets;
  std::size_t insertions_while_growing = 0, growths = 0;
  bool was_growing = false;
  for (std::uint32_t i = 1; i <= 200'000; ++i) {
    buckets.insert(random(), i);
    growths += buckets.is_growing() && !was_growing;
    insertions_while_growing += buckets.is_growing();
    was_growing = buckets.is_growing();
    REQUIRE(buckets.size() <= Bucket::slots * buckets.capacity());
  }
  CHECK(growths >= 8);
  // An insertion moves two buckets or three, and the last growth had 16,384 to move.
  CHECK(insertions_while_growing > 5'000);
}

TEST_CASE("buckets: cleared in the middle of growing they are empty and take everything anew") {
  std::mt19937_64 random(5);
  for (const std::uint32_t count : {1U, 385U, 400U, 100'000U, 393'300U, 400'000U}) {
    CAPTURE(count);
    Buckets buckets;
    const std::vector<std::uint64_t> keys = fill(buckets, count, random);
    const std::size_t capacity = buckets.capacity();
    buckets.clear();
    CHECK(buckets.size() == 0);
    CHECK_FALSE(buckets.is_growing());
    CHECK(buckets.capacity() == capacity);
    std::size_t left = 0;
    for (const std::uint64_t key : keys) left += !found(buckets, key).empty();
    CHECK(left == 0);
    for (std::uint32_t i = 0; i < keys.size(); ++i) buckets.insert(keys[i], i + 1);
    check_all(buckets, keys);
  }
}

TEST_CASE("buckets: growing that is finished at once leaves one array, and everything in it") {
  std::mt19937_64 random(6);
  for (const std::uint32_t count : {384U, 385U, 400U, 393'217U, 400'000U}) {
    CAPTURE(count);
    Buckets buckets;
    const std::vector<std::uint64_t> keys = fill(buckets, count, random);
    const std::size_t capacity = buckets.capacity();
    buckets.finish_growing();
    CHECK_FALSE(buckets.is_growing());
    CHECK(buckets.capacity() == capacity);
    CHECK(buckets.size() == count);
    check_all(buckets, keys);
  }
}

TEST_CASE("buckets: room that was expected is there, and what a burst left is given back") {
  Buckets buckets;
  buckets.expect(1'000'000);
  const std::size_t large = buckets.capacity();
  CHECK(large * Bucket::slots >= 1'333'333);
  std::mt19937_64 random(9);
  for (std::uint32_t i = 1; i <= 1'000'000; ++i) {
    buckets.insert(random(), i);
    REQUIRE_FALSE(buckets.is_growing());
  }
  buckets.clear();
  buckets.expect(900'000);
  CHECK(buckets.capacity() == large);
  buckets.expect(1000);
  CHECK(buckets.capacity() < large / 100);
  buckets.reserve(1'000'000);
  CHECK(buckets.capacity() == large);
  buckets.reserve(1000);  // there is room
  CHECK(buckets.capacity() == large);
}

#ifdef TALLY_X86
TEST_CASE("buckets: slots compared by AVX2 are the same") {
  if (__builtin_cpu_supports("avx2") == 0) return;
  std::mt19937 random(5);
  for (int i = 0; i < 10'000; ++i) {
    Bucket bucket{};
    for (std::uint32_t& hash : bucket.hash) hash = 0x7ffffffeU + random() % 4;
    for (std::uint32_t wanted = 0x7ffffffeU; wanted < 0x80000003U; ++wanted)
      REQUIRE(equal_by_avx2(bucket, wanted) == bucket.equal(wanted));
  }
}
#endif
