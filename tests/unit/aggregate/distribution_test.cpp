#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "naive.hpp"
#include "tally/distribution.hpp"

using namespace tally;
using namespace tally::testing;

namespace {

const std::vector<double> percents = {0.1, 10, 25, 50, 75, 90, 95, 99, 99.9, 100};

Distribution distribution_of(const std::vector<Weighted>& values) {
  Distribution distribution;
  for (const Weighted& one : values) REQUIRE(distribution.add(one.value, one.weight));
  return distribution;
}

std::vector<double> percentiles_of(const Distribution& distribution) {
  std::vector<double> read(percents.size(), -77);
  distribution.percentiles(percents, read.data());
  return read;
}

/// Values like response times, in weights as sample rates of 1, 0.5, 0.1 and 0.3 make them.
std::vector<Weighted> draw_values(std::size_t count, std::uint64_t seed) {
  constexpr double weights[] = {1, 2, 10, 1 / 0.3};
  std::mt19937_64 random(seed);
  std::lognormal_distribution<double> times(3, 1);
  std::vector<Weighted> values;
  while (values.size() < count) {
    const double sign = random() % 20 == 0 ? -1 : 1;
    values.push_back({sign * times(random), weights[random() % 4]});
  }
  return values;
}

bool is_near(double value, double exact, double error) {
  return std::abs(value - exact) <= error * std::abs(exact);
}

void check_moments(const Distribution& distribution, const std::vector<Weighted>& values) {
  const NaiveSummary exact = naive_summary(values);
  CHECK(is_near(distribution.count(), exact.count, 1e-12));
  CHECK(is_near(distribution.sum(), exact.sum, 1e-9));
  CHECK(is_near(distribution.mean(), exact.mean, 1e-9));
  CHECK(distribution.min() == exact.min);
  CHECK(distribution.max() == exact.max);
  CHECK(is_near(distribution.stddev(), exact.stddev, 1e-9));
}

void check_percentiles(const Distribution& distribution, const std::vector<Weighted>& values) {
  const auto read = percentiles_of(distribution);
  const double error = values.size() <= Distribution::exact_max ? 0 : 0.011;
  for (std::size_t i = 0; i < percents.size(); ++i) {
    const double exact = naive_percentile(values, percents[i]);
    INFO(percents[i], " % of ", values.size(), ": ", read[i], ", exactly ", exact);
    CHECK(is_near(read[i], exact, error));
  }
}

}  // namespace

TEST_CASE("distribution: moments and percentiles equal the twin's at every size") {
  for (const std::size_t size : {1U, 2U, 3U, 10U, 100U, 1023U, 1024U, 1025U, 1500U, 20'000U}) {
    INFO(size, " values");
    const auto values = draw_values(size, size);
    const Distribution distribution = distribution_of(values);
    CHECK(distribution.is_exact() == (size <= Distribution::exact_max));
    check_moments(distribution, values);
    check_percentiles(distribution, values);
  }
}

TEST_CASE("distribution: percentiles are nearest-rank for every number of values") {
  // Ranks in whole numbers: ceil(p * n / 1000) with p in tenths of a percent.
  const std::vector<double> asked = {10, 50, 75, 90, 95, 99, 99.9};
  constexpr int tenths[] = {100, 500, 750, 900, 950, 990, 999};
  Distribution distribution;
  for (int n = 1; n <= 1024; ++n) {
    REQUIRE(distribution.add(n, 1));  // the value is its own rank
    double read[7];
    distribution.percentiles(asked, read);
    for (std::size_t i = 0; i < asked.size(); ++i) {
      INFO(asked[i], " % of ", n);
      REQUIRE(read[i] == (tenths[i] * n + 999) / 1000);
    }
  }
}

TEST_CASE("distribution: a value of weight w counts as w values") {
  // The rows of the vectors: h 1, 2@0.5, 3@0.2, 10@0.5 (Datadog's own test).
  const std::vector<Weighted> values = {{1, 1}, {2, 2}, {3, 5}, {10, 2}};
  const Distribution distribution = distribution_of(values);
  CHECK(distribution.count() == 10);
  CHECK(distribution.sum() == 40);
  CHECK(distribution.mean() == 4);
  double read[4];
  distribution.percentiles({20, 50, 80, 95}, read);
  CHECK(read[0] == 2);
  CHECK(read[1] == 3);
  CHECK(read[2] == 3);
  CHECK(read[3] == 10);
}

TEST_CASE("distribution: the standard deviation is the population's") {
  CHECK(distribution_of({{100, 1}, {200, 1}, {300, 1}}).stddev() ==
        doctest::Approx(81.64965809277261).epsilon(1e-14));
  CHECK(distribution_of({{1, 1}, {11, 1}, {1, 1}, {1, 1}, {1, 1}}).stddev() ==
        doctest::Approx(4).epsilon(1e-14));
  CHECK(distribution_of({{42, 1}}).stddev() == 0);
  CHECK(distribution_of({{0.1, 3}, {0.1, 3}, {0.1, 1}}).stddev() ==
        doctest::Approx(0).epsilon(1e-9));
}

TEST_CASE("distribution: small spreads on large values keep their standard deviation") {
  std::vector<Weighted> values;
  for (int i = 0; i < 5'000; ++i) values.push_back({1e9 + i % 7, 1});
  check_moments(distribution_of(values), values);
}

TEST_CASE("distribution: merged parts equal the whole, however they are cut and ordered") {
  // The parts whose values come with weights of 1 only: what is not sampled is kept in less.
  for (const unsigned plain_parts : {0U, 1U, 3U, 6U, 7U}) {
    for (const std::size_t size : {6U, 900U, 1024U, 1030U, 3'000U, 9'000U}) {
      INFO(size, " values, plain parts ", plain_parts);
      auto values = draw_values(size, size + 1);
      std::vector<Weighted> cuts[3];
      for (std::size_t i = 0; i < size; ++i) {
        const std::size_t part = i * 2654435761U / 7 % 3;
        if ((plain_parts >> part & 1) != 0) values[i].weight = 1;
        cuts[part].push_back(values[i]);
      }
      const Distribution whole = distribution_of(values);
      const auto part = [&](std::size_t at) { return distribution_of(cuts[at]); };
      Distribution left = part(0), right = part(1), swapped = part(2);
      left.merge(part(1));
      left.merge(part(2));
      right.merge(part(2));
      Distribution nested = part(0);
      nested.merge(right);
      swapped.merge(part(1));
      swapped.merge(part(0));
      for (const Distribution* merged : {&left, &nested, &swapped}) {
        CHECK(merged->is_exact() == whole.is_exact());
        check_moments(*merged, values);
        CHECK(percentiles_of(*merged) == percentiles_of(whole));
      }
    }
  }
}

TEST_CASE("distribution: values of which only a part would leave the range are summarised") {
  // The last two alone come to 3e308.
  const Distribution distribution =
      distribution_of({{-1.5e308, 1}, {-1.5e306, 1}, {1.5e308, 1}, {1.5e308, 1}});
  CHECK(distribution.sum() == doctest::Approx(1.485e308));
  CHECK(distribution.mean() == doctest::Approx(1.485e308 / 4));
  // Squares that stay in the range, sums of squares as well.
  Distribution large = distribution_of({{1e150, 1}, {3e150, 1}});
  large.merge(distribution_of({{2e150, 1}}));
  CHECK(large.stddev() == doctest::Approx(std::sqrt(2.0 / 3) * 1e150));
  CHECK(large.sum_squares() == doctest::Approx(14e300));
}

TEST_CASE("distribution: many large values keep their standard deviation through every merge") {
  std::vector<Weighted> values;
  for (int i = 0; i < 3'000; ++i) values.push_back({(1 + i % 7) * 1e150, 1});
  Distribution empty, whole = distribution_of(values);
  empty.merge(whole);
  check_moments(whole, values);
  check_moments(empty, values);
}

TEST_CASE("distribution: the first sampled value may come at any time") {
  for (const std::size_t size : {3U, 1024U, 1025U}) {
    for (const std::size_t sampled : {std::size_t{0}, size / 2, size - 1}) {
      INFO(size, " values, sampled: ", sampled);
      auto values = draw_values(size, 5);
      for (Weighted& value : values) value.weight = 1;
      values[sampled].weight = 10;
      const Distribution distribution = distribution_of(values);
      check_moments(distribution, values);
      check_percentiles(distribution, values);
    }
  }
}

TEST_CASE("distribution: an empty one is neutral") {
  for (const std::size_t size : {5U, 2'000U}) {
    const auto values = draw_values(size, 3);
    Distribution left, right = distribution_of(values);
    CHECK(left.empty());
    left.merge(right);
    right.merge(Distribution());
    CHECK_FALSE(left.empty());
    check_moments(left, values);
    check_moments(right, values);
    CHECK(percentiles_of(left) == percentiles_of(right));
  }
}

TEST_CASE("distribution: percentiles stay between the least and the largest value") {
  std::vector<Weighted> values(2'000, {12.345, 1});
  const auto read = percentiles_of(distribution_of(values));
  for (const double value : read) CHECK(value == 12.345);
}

TEST_CASE("distribution: a sum that would overflow is refused and changes nothing") {
  constexpr double most = std::numeric_limits<double>::max();
  Distribution distribution = distribution_of({{most / 2, 1}, {1, 1}});
  const auto before = percentiles_of(distribution);
  const double stddev = distribution.stddev();
  CHECK_FALSE(distribution.add(most, 1));
  CHECK_FALSE(distribution.add(1e308, 1e6));
  CHECK(distribution.count() == 2);
  CHECK(distribution.sum() == most / 2);
  CHECK(distribution.max() == most / 2);
  CHECK(distribution.min() == 1);
  CHECK(distribution.stddev() == stddev);
  CHECK(percentiles_of(distribution) == before);
  CHECK(distribution.add(-1, 1));
  Distribution untouched;
  CHECK_FALSE(untouched.add(most, 2));
  CHECK(untouched.empty());
}

TEST_CASE(
    "distribution: a standard deviation that leaves the range is not finite, and never zero") {
  CHECK_FALSE(std::isfinite(distribution_of({{1e200, 1}, {-1e200, 1}}).stddev()));
  CHECK_FALSE(std::isfinite(distribution_of({{1e308, 1}, {-1e308, 1}}).stddev()));
  CHECK_FALSE(std::isfinite(distribution_of({{-1e308, 1}, {1e308, 1}, {0, 1}}).stddev()));
  Distribution merged = distribution_of({{1e308, 1}});
  merged.merge(distribution_of({{-1e308, 1}}));
  CHECK_FALSE(std::isfinite(merged.stddev()));
  CHECK(merged.mean() == 0);
}

TEST_CASE(
    "distribution: the lowest share, its sums and the median are those of the original StatsD") {
  struct Row {
    std::string_view name;
    std::vector<Weighted> values;
    double percent;
    Lowest lowest;
    double median, sum_squares;
  };
  std::vector<Weighted> ten;
  for (int i = 1; i <= 10; ++i) ten.push_back({static_cast<double>(11 - i), 1});
  const std::vector<Row> rows = {
      {"80 % of three is two",
       {{100, 1}, {300, 1}, {200, 1}},
       80,
       {2, 300, 50'000, 200},
       200,
       140'000},
      {"90 % of three is three",
       {{100, 1}, {300, 1}, {200, 1}},
       90,
       {3, 600, 140'000, 300},
       200,
       140'000},
      {"90 % of ten is nine", ten, 90, {9, 45, 285, 9}, 5.5, 385},
      {"10 % of four is none", {{5, 1}, {7, 1}, {9, 1}, {11, 1}}, 10, {}, 8, 276},
      {"12.5 % of four is one", {{5, 1}, {7, 1}, {9, 1}, {11, 1}}, 12.5, {1, 5, 25, 5}, 8, 276},
      {"a single value whatever the share", {{42, 1}}, 1, {1, 42, 1764, 42}, 42, 1764},
      {"the middle two of four",
       {{300, 1}, {200, 1}, {400, 1}, {100, 1}},
       50,
       {2, 300, 50'000, 200},
       250,
       300'000},
      {"a sampled value counts as many", {{1, 1}, {10, 9}}, 50, {5, 41, 401, 10}, 10, 901},
      {"a share that ends with a value", {{1, 5}, {10, 5}}, 50, {5, 5, 5, 1}, 5.5, 505},
      {"negative values", {{-3, 1}, {-1, 1}}, 50, {1, -3, 9, -3}, -2, 10},
      {"rates that no double holds",
       {{1, 1 / 0.3}, {2, 1 / 0.3}, {3, 1 / 0.3}, {4, 1 / 0.3}},
       100,
       {4 / 0.3, 10 / 0.3, 30 / 0.3, 4},
       2.5,
       100},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Distribution distribution = distribution_of(row.values);
    Lowest lowest;
    distribution.lowest({row.percent}, &lowest);
    CHECK(lowest.count == doctest::Approx(row.lowest.count));
    CHECK(lowest.sum == doctest::Approx(row.lowest.sum));
    CHECK(lowest.sum_squares == doctest::Approx(row.lowest.sum_squares));
    CHECK(lowest.upper == row.lowest.upper);
    CHECK(distribution.median() == row.median);
    CHECK(distribution.sum_squares() == doctest::Approx(row.sum_squares));
  }
}

TEST_CASE("distribution: shares of all percentages at once are those of each alone") {
  const Distribution distribution = distribution_of(draw_values(500, 7));
  const std::vector<double> asked = {0.1, 1, 25, 50, 50.1, 90, 99.9, 100};
  std::vector<Lowest> all(asked.size());
  distribution.lowest(asked, all.data());
  for (std::size_t i = 0; i < asked.size(); ++i) {
    CAPTURE(asked[i]);
    Lowest alone;
    distribution.lowest({asked[i]}, &alone);
    CHECK(all[i].count == alone.count);
    CHECK(all[i].sum == alone.sum);
    CHECK(all[i].sum_squares == alone.sum_squares);
    CHECK(all[i].upper == alone.upper);
  }
}

TEST_CASE("distribution: beyond what is kept exactly, shares are within what is promised") {
  Distribution distribution;
  for (int i = 10'000; i >= 1; --i) REQUIRE(distribution.add(i, 1));
  REQUIRE_FALSE(distribution.is_exact());
  Lowest shares[2];
  distribution.lowest({90, 100}, shares);
  CHECK(shares[0].count == 9000);
  CHECK(shares[0].upper == doctest::Approx(9000).epsilon(0.011));
  CHECK(shares[0].sum == doctest::Approx(9000.0 * 9001 / 2).epsilon(0.011));
  CHECK(shares[0].sum_squares == doctest::Approx(9000.0 * 9001 * 18001 / 6).epsilon(0.022));
  CHECK(shares[1].sum == 10'000.0 * 10'001 / 2);
  CHECK(shares[1].sum_squares == doctest::Approx(10'000.0 * 10'001 * 20'001 / 6));
  CHECK(shares[1].upper == 10'000);
  CHECK(distribution.median() == doctest::Approx(5000.5).epsilon(0.011));
}
