#include "deliver/known_series.hpp"

#include <doctest/doctest.h>

#include <random>
#include <set>
#include <string>

using tally::KnownSeries;

TEST_CASE("known series: what was learned is known whatever its values, and nothing else") {
  KnownSeries known(100, 1);
  known.begin();
  CHECK_FALSE(known.knows("m,a=b v=1 1"));
  known.learn("m,a=b v=1 1\nn\\ n v=1 1\n");
  CHECK(known.size() == 2);
  CHECK(known.knows("m,a=b w=2 77"));
  CHECK(known.knows("n\\ n v=1 1"));
  CHECK_FALSE(known.knows("m,a=c v=1 1"));
  CHECK_FALSE(known.knows("m v=1 1"));
  CHECK_FALSE(known.knows("n\\ v=1 1"));
  known.forget("m,a=b v=3 3\nunheard v=1 1\n");
  CHECK_FALSE(known.knows("m,a=b v=1 1"));
  CHECK(known.size() == 1);
}

TEST_CASE("known series: until it is needed it learns nothing and takes no memory") {
  KnownSeries known(100, 1);
  known.learn("m v=1 1\n");
  CHECK_FALSE(known.knows("m v=2"));
  CHECK(known.not_learned() == 0);
}

TEST_CASE("known series: a full set keeps what it has and counts what it does not learn") {
  KnownSeries known(2, 1);
  known.begin();
  known.learn("a v=1\nb v=1\nc v=1\nc v=1\na v=1\n");
  CHECK(known.size() == 2);
  CHECK(known.not_learned() == 2);
  CHECK(known.knows("a v=1"));
  CHECK_FALSE(known.knows("c v=1"));
  known.forget("a v=1\n");
  known.learn("c v=1\n");
  CHECK(known.knows("c v=1"));
}

TEST_CASE("known series: a series costs at most 16 bytes") {
  KnownSeries known(1 << 20, 1);
  known.begin();
  for (int i = 0; i < 100'000; ++i) {
    known.learn("m" + std::to_string(i) + " v=1\n");
    if (known.size() >= 32) REQUIRE(known.memory_bytes() <= known.size() * 16);
  }
  CHECK(known.size() == 100'000);
}

TEST_CASE("known series: a random walk agrees with a set of strings") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    KnownSeries known(1'000, seed);
    known.begin();
    std::set<std::string> naive;
    for (int step = 0; step < 3'000; ++step) {
      // Few names, so that the array is nearly full and deletions meet long runs.
      const std::string series = "m" + std::to_string(random() % 150);
      const std::string line = series + " v=1 " + std::to_string(step) + "\n";
      if (random() % 2 == 0) {
        known.learn(line);
        naive.insert(series);
      } else {
        known.forget(line);
        naive.erase(series);
      }
      REQUIRE(known.size() == naive.size());
      const std::string other = "m" + std::to_string(random() % 150);
      REQUIRE(known.knows(other + " v=1") == (naive.count(other) == 1));
    }
    for (int i = 0; i < 150; ++i) {
      const std::string series = "m" + std::to_string(i);
      REQUIRE(known.knows(series + " v=2") == (naive.count(series) == 1));
    }
  }
}
