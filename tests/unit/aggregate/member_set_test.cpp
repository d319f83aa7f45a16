#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "tally/member_set.hpp"

using namespace tally;

namespace {

std::string member(std::uint64_t number) {
  return "user-" + std::to_string(number);
}

/// The members first .. last - 1.
MemberSet range(std::uint64_t first, std::uint64_t last, std::uint64_t seed,
                std::size_t exact = 4096) {
  MemberSet set(exact, seed);
  for (std::uint64_t i = first; i < last; ++i) set.add(member(i));
  return set;
}

}  // namespace

TEST_CASE("set: counts distinct members exactly up to its limit") {
  MemberSet set(4096, 1);
  CHECK(set.count() == 0);
  for (std::uint64_t i = 0; i < 4096; ++i) {
    set.add(member(i));
    set.add(member(i / 2));
    REQUIRE(set.count() == static_cast<double>(i + 1));
  }
  CHECK(set.is_exact());
  set.add(member(17));
  CHECK(set.is_exact());
  set.add("one more");
  CHECK_FALSE(set.is_exact());
  CHECK(set.count() == doctest::Approx(4097).epsilon(0.05));
}

TEST_CASE("set: members are compared as bytes") {
  MemberSet set(10, 1);
  for (const char* text : {"1", "01", "1.0", "a:b", "a", "A", " a"}) set.add(text);
  set.add(std::string_view("a\0", 2));
  CHECK(set.count() == 8);
}

TEST_CASE("set: an estimate is within 5 % from 10,000 to 1,000,000 members at every seed") {
  for (const std::uint64_t seed : {1ULL, 2ULL, 3ULL, 0xdeadbeefULL, 0xffffffffffffffffULL}) {
    MemberSet set(4096, seed);
    std::uint64_t added = 0;
    for (const std::uint64_t size :
         {5'000U, 10'000U, 12'000U, 20'000U, 50'000U, 100'000U, 300'000U, 1'000'000U}) {
      for (; added < size; ++added) set.add(member(added));
      INFO(size, " members, seed ", seed, ": ", set.count());
      CHECK(set.count() == doctest::Approx(static_cast<double>(size)).epsilon(0.05));
    }
  }
}

TEST_CASE("set: repeated members do not move an estimate") {
  MemberSet set = range(0, 20'000, 4);
  const double before = set.count();
  for (std::uint64_t i = 0; i < 20'000; ++i) set.add(member(i));
  CHECK(set.count() == before);
}

TEST_CASE("set: merged parts count what the whole would have counted") {
  struct Row {
    std::uint64_t middle, end;
  };
  for (const Row row : {Row{0, 100}, Row{50, 100}, Row{2'000, 4'096}, Row{2'000, 4'097},
                        Row{100, 9'000}, Row{20'000, 20'100}, Row{30'000, 70'000}}) {
    INFO(row.middle, " of ", row.end);
    const MemberSet whole = range(0, row.end, 5);
    // They overlap by half of the first one.
    const MemberSet first = range(0, row.middle, 5), second = range(row.middle / 2, row.end, 5);
    MemberSet left = first, right = second;
    left.merge(second);
    right.merge(first);
    CHECK(left.count() == whole.count());
    CHECK(right.count() == whole.count());
    CHECK(left.is_exact() == whole.is_exact());
    CHECK(right.is_exact() == whole.is_exact());
  }
}

TEST_CASE("set: merging is associative, an empty set neutral") {
  const MemberSet a = range(0, 3'000, 6), b = range(2'000, 5'000, 6), c = range(4'000, 9'000, 6);
  MemberSet left = a, inner = b, right = a;
  left.merge(b);
  left.merge(c);
  inner.merge(c);
  right.merge(inner);
  CHECK(left.count() == right.count());
  const double before = left.count();
  left.merge(MemberSet(4096, 6));
  CHECK(left.count() == before);
  MemberSet empty(4096, 6);
  empty.merge(a);
  CHECK(empty.count() == a.count());
}

TEST_CASE("set: a limit of nothing estimates from the first member") {
  const MemberSet set = range(0, 100, 7, 0);
  CHECK_FALSE(set.is_exact());
  CHECK(set.count() == doctest::Approx(100).epsilon(0.05));
}
