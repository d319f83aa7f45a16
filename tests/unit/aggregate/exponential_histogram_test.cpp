// The error promise is the test: on each kind of data the percentiles that a histogram gives are
// held against the exact ones.

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "naive.hpp"
#include "tally/exponential_histogram.hpp"

using namespace tally;
using namespace tally::testing;

namespace {

constexpr double promised_error = 0.011;

using Draw = std::function<double(std::mt19937_64&)>;
struct Data {
  const char* name;
  Draw draw;
};

template <class Distribution>
Draw from(Distribution distribution) {
  return [distribution](std::mt19937_64& random) mutable { return distribution(random); };
}

std::vector<Data> all_data() {
  return {
      {"uniform", from(std::uniform_real_distribution(0.0, 1000.0))},
      {"normal", from(std::normal_distribution(100.0, 15.0))},
      {"lognormal", from(std::lognormal_distribution(3.0, 1.0))},
      {"exponential", from(std::exponential_distribution(0.01))},
      {"pareto",
       [u = std::uniform_real_distribution(0.0, 1.0)](std::mt19937_64& random) mutable {
         return std::pow(1 - u(random), -1 / 1.1);
       }},
      {"bimodal",
       [a = std::normal_distribution(5.0, 0.5), b = std::normal_distribution(900.0, 40.0)](
           std::mt19937_64& random) mutable { return random() % 10 == 0 ? b(random) : a(random); }},
      {"around zero", from(std::normal_distribution(0.0, 10.0))},
      {"all negative", from(std::uniform_real_distribution(-500.0, -1.0))},
      {"integers with zeros", [](std::mt19937_64& random) { return double(random() % 20); }},
      {"one value", [](std::mt19937_64&) { return 12.25; }},
      {"60 binary orders", [u = std::uniform_real_distribution(-30.0, 30.0)](
                               std::mt19937_64& random) mutable { return std::exp2(u(random)); }},
  };
}

std::vector<Weighted> draw_values(const Draw& draw, std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Weighted> values;
  while (values.size() < count) values.push_back({draw(random), 1 + double(values.size() % 3)});
  return values;
}

ExponentialHistogram histogram_of(const std::vector<Weighted>& values) {
  ExponentialHistogram histogram;
  for (const Weighted& one : values) histogram.add(one.value, one.weight);
  return histogram;
}

/// The nearest-rank percentile of the buckets.
double percentile_of(const ExponentialHistogram& histogram, double percent) {
  std::vector<Weighted> buckets;
  for (const auto& bucket : histogram.ascending()) buckets.push_back({bucket.value, bucket.weight});
  return naive_percentile(buckets, percent);
}

bool is_within(double value, double exact, double error) {
  return std::abs(value - exact) <= error * std::abs(exact);
}

void check_equal(const ExponentialHistogram& a, const ExponentialHistogram& b) {
  CHECK(a.scale() == b.scale());
  const auto ours = a.ascending(), theirs = b.ascending();
  REQUIRE(ours.size() == theirs.size());
  for (std::size_t i = 0; i < ours.size(); ++i) {
    REQUIRE(ours[i].value == theirs[i].value);
    REQUIRE(is_within(ours[i].weight, theirs[i].weight, 1e-12));
  }
}

/// Any finite double, all magnitudes alike.
double any_double(std::mt19937_64& random) {
  while (true) {
    const std::uint64_t bits = random();
    double value = 0;
    std::memcpy(&value, &bits, sizeof value);
    if (std::isfinite(value)) return value;
  }
}

}  // namespace

TEST_CASE("histogram: percentiles are within 1.1 % of the exact ones on every kind of data") {
  for (const Data& data : all_data()) {
    INFO(std::string(data.name));
    const auto values = draw_values(data.draw, 20'000, 5);
    const ExponentialHistogram histogram = histogram_of(values);
    CHECK(histogram.scale() == ExponentialHistogram::scale_max);
    CHECK(histogram.error_bound() <= promised_error);
    for (const double percent : {0.1, 1.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 100.0}) {
      const double exact = naive_percentile(values, percent);
      INFO(percent, " %: ", percentile_of(histogram, percent), ", exactly ", exact);
      CHECK(is_within(percentile_of(histogram, percent), exact, promised_error));
    }
  }
}

TEST_CASE("histogram: no weight is lost") {
  for (const Data& data : all_data()) {
    INFO(std::string(data.name));
    const auto values = draw_values(data.draw, 5'000, 6);
    double added = 0, kept = 0;
    for (const Weighted& one : values) added += one.weight;
    for (const auto& bucket : histogram_of(values).ascending()) kept += bucket.weight;
    CHECK(kept == added);
  }
}

TEST_CASE("histogram: a value reads back within the bound at every power of two") {
  for (int exponent = -1022; exponent <= 1023; ++exponent) {
    for (const double factor : {1.0, 1 + 1e-15, 1.5, 2 - 1e-15}) {
      const double value = std::ldexp(factor, exponent);
      for (const double signed_value : {value, -value}) {
        ExponentialHistogram histogram;
        histogram.add(signed_value, 1);
        REQUIRE(histogram.ascending().size() == 1);
        const double read = histogram.ascending()[0].value;
        INFO(signed_value, " reads ", read);
        REQUIRE(std::isfinite(read));
        REQUIRE(is_within(read, signed_value, histogram.error_bound() * (1 + 1e-9)));
      }
    }
  }
}

TEST_CASE("histogram: the least and the largest doubles have finite buckets") {
  for (const double value : {std::numeric_limits<double>::denorm_min(), 1e-310,
                             std::numeric_limits<double>::max(), 0.0}) {
    ExponentialHistogram histogram;
    histogram.add(value, 1);
    histogram.add(-value, 1);
    for (const auto& bucket : histogram.ascending()) CHECK(std::isfinite(bucket.value));
    CHECK(histogram.ascending().size() == (value == 0 ? 1 : 2));
  }
}

TEST_CASE("histogram: buckets ascend and each is there once") {
  std::mt19937_64 random(8);
  ExponentialHistogram histogram;
  for (int i = 0; i < 3'000; ++i) histogram.add(any_double(random), 1);
  const auto buckets = histogram.ascending();
  for (std::size_t i = 1; i < buckets.size(); ++i) REQUIRE(buckets[i - 1].value < buckets[i].value);
}

TEST_CASE("histogram: a merged histogram equals that of the whole, in any order") {
  for (const Data& data : all_data()) {
    INFO(std::string(data.name));
    const auto values = draw_values(data.draw, 3'000, 9);
    ExponentialHistogram parts[3];
    for (std::size_t i = 0; i < values.size(); ++i) {
      parts[i * i % 3].add(values[i].value, values[i].weight);
    }
    ExponentialHistogram forwards, backwards;
    for (int i = 0; i < 3; ++i) forwards.merge(parts[i]);
    for (int i = 2; i >= 0; --i) backwards.merge(parts[i]);
    check_equal(forwards, histogram_of(values));
    check_equal(backwards, histogram_of(values));
  }
}

TEST_CASE("histogram: an empty one is neutral") {
  const auto values = draw_values(all_data()[2].draw, 500, 10);
  ExponentialHistogram left, right = histogram_of(values);
  left.merge(right);
  right.merge(ExponentialHistogram());
  check_equal(left, histogram_of(values));
  check_equal(right, histogram_of(values));
  CHECK(ExponentialHistogram().ascending().empty());
}

TEST_CASE("histogram: hostile input cannot make it grow, and the bound stays honest") {
  std::mt19937_64 random(12);
  ExponentialHistogram histogram;
  std::vector<Weighted> values;
  for (int i = 0; i < 30'000; ++i) {
    values.push_back({any_double(random), 1});
    histogram.add(values.back().value, 1);
    REQUIRE(histogram.buckets() <= ExponentialHistogram::buckets_max);
  }
  CHECK(histogram.scale() < 0);
  CHECK(histogram.error_bound() > promised_error);
  for (const double percent : {1.0, 10.0, 40.0, 60.0, 90.0, 99.9}) {
    const double exact = naive_percentile(values, percent);
    INFO(percent, " %: ", percentile_of(histogram, percent), ", exactly ", exact);
    CHECK(is_within(percentile_of(histogram, percent), exact, histogram.error_bound()));
  }
}

TEST_CASE("histogram: many values at once are what they are one by one") {
  std::vector<Data> data = all_data();
  data.push_back({"any double", any_double});
  // 2,047 buckets are filled, then 30 new ones and zero come together.
  data.push_back({"to the brim", [i = 0](std::mt19937_64&) mutable {
                    const int at = i++;
                    if (at < 2047) return std::exp2((at + 0.5) / 32);
                    return at % 2 == 0 ? 0 : std::exp2(-(at % 60 + 0.5) / 32);
                  }});
  for (const Data& one : data) {
    INFO(std::string(one.name));
    const auto values = draw_values(one.draw, 6'000, 14);
    // In blocks as they come: of no value, of one, of some thousand; the first of them weighted.
    ExponentialHistogram at_once, one_by_one;
    std::size_t begin = 0;
    for (const std::size_t count : {0U, 1U, 2'046U, 255U, 256U, 257U, 3'000U}) {
      std::vector<double> block, weights;
      for (std::size_t i = begin; i < begin + count; ++i) {
        block.push_back(values[i].value);
        if (i < begin + count / 3) weights.push_back(values[i].weight);
        one_by_one.add(values[i].value, i < begin + count / 3 ? values[i].weight : 1);
      }
      at_once.add(block, weights);
      begin += count;
      check_equal(at_once, one_by_one);
    }
  }
}

TEST_CASE("histogram: a bucket is the logarithm's, at any magnitude") {
  std::mt19937_64 random(15);
  for (int i = 0; i < 20'000; ++i) {
    const double value = std::abs(any_double(random));
    const double position = std::log2(value) * 32;
    if (value == 0 || std::abs(position - std::round(position)) < 1e-9) continue;
    ExponentialHistogram histogram;
    histogram.add(value, 1);
    const double middle = std::log2(histogram.ascending()[0].value) * 32;
    INFO(value, " at ", position, ", its bucket's middle at ", middle);
    REQUIRE(std::ceil(position) == std::ceil(middle));
  }
}

TEST_CASE("histogram: hostile parts merge to what the whole would have been") {
  std::mt19937_64 random(13);
  std::vector<Weighted> values;
  for (int i = 0; i < 6'000; ++i) values.push_back({any_double(random), 1});
  for (int i = 0; i < 2'000; ++i)
    values.push_back({1 + i * 1e-4, 1});  // fine until it meets the rest
  ExponentialHistogram parts[2];
  for (std::size_t i = 0; i < values.size(); ++i) parts[i < 6'000 ? 0 : 1].add(values[i].value, 1);
  CHECK(parts[0].scale() < parts[1].scale());
  ExponentialHistogram merged = parts[1];
  merged.merge(parts[0]);
  check_equal(merged, histogram_of(values));
  parts[0].merge(parts[1]);
  check_equal(parts[0], histogram_of(values));
}

TEST_CASE("histogram: the scale is lowered no more than the data needs") {
  // 2,048 buckets of 1/32 binary order fill 64 orders to the brim; one more costs a scale.
  ExponentialHistogram histogram;
  for (int i = 0; i < 2048; ++i) histogram.add(std::exp2((i + 0.5) / 32), 1);
  CHECK(histogram.scale() == ExponentialHistogram::scale_max);
  CHECK(histogram.buckets() == 2048);
  histogram.add(std::exp2((2048 + 0.5) / 32), 1);
  CHECK(histogram.scale() == ExponentialHistogram::scale_max - 1);
  CHECK(histogram.buckets() == 1025);
  CHECK(histogram.error_bound() == doctest::Approx(0.02166).epsilon(0.001));
}
