#include "tally/distribution.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace tally {
namespace {

// Weights like 1/0.3 add up with rounding: a rank that is missed by a billionth is reached.
constexpr double nearly = 1 - 1e-9;

void take(double value, double weight, Lowest& share) {
  share.count += weight;
  share.sum += weight * value;
  share.sum_squares += weight * value * value;
  share.upper = value;
}

}  // namespace

// Here, where `add` can take it in.
inline void Distribution::keep(double value, double weight) {
  if (weight != 1) [[unlikely]] {
    rest().weights.resize(values_.size(), 1);
    rest_->weights.push_back(weight);
  }
  if (values_.empty()) values_.reserve(8);  // else the first eight would move three times
  values_.push_back(value);
}

bool Distribution::add(double value, double weight) {
  const double sum = sum_ + value * weight;
  if (!std::isfinite(sum)) return false;
  min_ = empty() ? value : std::min(min_, value);
  max_ = empty() ? value : std::max(max_, value);
  sum_ = sum;
  if (rest_ != nullptr || weight != 1 || samples_ == exact_max) [[unlikely]] {
    add_rarely(value, weight);
  } else {
    ++samples_;
    keep(value, 1);
  }
  return true;
}

void Distribution::add_rarely(double value, double weight) {
  rest().weight += weight;
  const bool is_full = values_.size() == (is_exact() ? exact_max : pouring_max);
  if (is_full) pour();
  ++samples_;
  keep(value, weight);
}

Distribution::Rest& Distribution::rest() {
  if (rest_ == nullptr)
    rest_ = std::make_unique<Rest>(Rest{
        .weight = static_cast<double>(samples_), .weights = {}, .histogram = {}, .poured = {}});
  return *rest_;
}

std::span<const double> Distribution::weights() const {
  if (rest_ == nullptr) return {};
  return rest_->weights;
}

double Distribution::weight_of(std::size_t i) const {
  return rest_ != nullptr && i < rest_->weights.size() ? rest_->weights[i] : 1;
}

void Distribution::Moments::add(double value, double each) {
  weight += each;
  const double before = value - mean;
  mean += before * (each / weight);
  m2 += each * before * (value - mean);
}

// Two passes, and what the first has missed of the mean is taken out of the second's squares.
Distribution::Moments Distribution::Moments::of(std::span<const double> values,
                                                std::span<const double> weights) {
  const auto for_each = [&](auto take) {
    for (std::size_t i = 0; i < weights.size(); ++i) take(values[i], weights[i]);
    for (const double value : values.subspan(weights.size())) take(value, 1);
  };
  Moments all;
  for_each([&](double, double each) { all.weight += each; });
  if (all.weight == 0) return all;
  // Divided before they are added up: the sum of a part may leave the range that the whole is in.
  const double share = 1 / all.weight;
  for_each([&](double value, double each) { all.mean += value * (each * share); });
  double missed = 0;
  for_each([&](double value, double each) {
    const double distance = value - all.mean;
    missed += each * distance;
    all.m2 += each * distance * distance;
  });
  all.m2 -= missed * share * missed;
  all.mean += missed * share;
  return all;
}

void Distribution::Moments::merge(const Moments& other) {
  if (other.weight == 0) return;
  if (weight == 0) {
    *this = other;
    return;
  }
  const double whole = weight + other.weight;
  const double difference = other.mean - mean;
  m2 += other.m2 + difference * difference * (weight * (other.weight / whole));
  mean += difference * (other.weight / whole);
  weight = whole;
}

// Two divisions a value, but few are left, and the last digit is right more often than by `of`. At
// the end of the window, which is another thread's.
Distribution::Moments Distribution::moments() const {
  Moments all = rest_ ? rest_->poured : Moments();
  for (std::size_t i = 0; i < values_.size(); ++i) all.add(values_[i], weight_of(i));
  return all;
}

void Distribution::pour() {
  rest().poured.merge(Moments::of(values_, weights()));
  rest_->histogram.add(values_, weights());
  if (values_.capacity() > pouring_max) values_ = {};
  values_.clear();
  rest_->weights = {};
}

void Distribution::merge(const Distribution& other) {
  if (other.empty()) return;
  min_ = empty() ? other.min_ : std::min(min_, other.min_);
  max_ = empty() ? other.max_ : std::max(max_, other.max_);
  const bool is_plain = rest_ == nullptr && other.rest_ == nullptr;
  const double weight = count() + other.count();
  sum_ += other.sum_;
  const bool stays_exact = samples_ + other.samples_ <= exact_max;
  if (!is_plain || !stays_exact) rest().weight = weight;
  samples_ += other.samples_;
  if (stays_exact) {
    for (std::size_t i = 0; i < other.values_.size(); ++i)
      keep(other.values_[i], other.weight_of(i));
    return;
  }
  pour();
  rest_->poured.merge(other.moments());
  if (other.rest_) rest_->histogram.merge(other.rest_->histogram);
  rest_->histogram.add(other.values_, other.weights());
}

std::vector<double> Distribution::kept_values() const {
  return is_exact() ? values_ : std::vector<double>();
}

double Distribution::stddev() const {
  const double m2 = moments().m2;
  // Rounding can leave a trace below zero where all values are equal; minus infinity is no trace.
  return std::sqrt((m2 < 0 && std::isfinite(m2) ? 0 : m2) / count());
}

std::vector<Distribution::Value> Distribution::ascending() const {
  std::vector<Value> values;
  if (is_exact()) {
    values.reserve(values_.size());
    for (std::size_t i = 0; i < values_.size(); ++i) values.push_back({values_[i], weight_of(i)});
    std::ranges::sort(values, {}, &Value::value);
  } else {
    ExponentialHistogram all = rest_->histogram;
    all.add(values_, weights());
    for (const auto& bucket : all.ascending())
      values.push_back({std::clamp(bucket.value, min_, max_), bucket.weight});
  }
  return values;
}

void Distribution::percentiles(const std::vector<double>& percents, double* out) const {
  const std::vector<Value> values = ascending();
  std::size_t at = 0;
  double reached = values.front().weight;
  for (const double percent : percents) {
    const double rank = percent * count() / 100 * nearly;
    while (reached < rank && at + 1 < values.size()) reached += values[++at].weight;
    *out++ = values[at].value;
  }
}

double Distribution::median() const {
  const std::vector<Value> values = ascending();
  const double half = count() / 2;
  std::size_t at = 0;
  double reached = values.front().weight;
  while (reached < half * nearly && at + 1 < values.size()) reached += values[++at].weight;
  const bool is_between = reached * nearly <= half && at + 1 < values.size();
  return is_between ? std::midpoint(values[at].value, values[at + 1].value) : values[at].value;
}

double Distribution::sum_squares() const {
  if (is_exact()) {
    double sum = 0;
    for (std::size_t i = 0; i < values_.size(); ++i) sum += weight_of(i) * values_[i] * values_[i];
    return sum;
  }
  const Moments all = moments();
  return all.m2 + all.weight * all.mean * all.mean;
}

void Distribution::lowest(const std::vector<double>& percents, Lowest* out) const {
  const std::vector<Value> values = ascending();
  std::size_t at = 0;
  Lowest whole{.upper = values.front().value};  // of the values before `at`
  const double weight = this->count();
  for (const double percent : percents) {
    const bool is_all = samples_ == 1 || percent == 100;
    const double count = is_all ? weight : std::floor(percent * weight / 100 + 0.5);
    if (count >= weight) {
      *out++ = {.count = weight, .sum = sum_, .sum_squares = sum_squares(), .upper = max_};
      continue;
    }
    for (; at + 1 < values.size(); ++at) {
      if ((whole.count + values[at].weight) * nearly > count) break;
      take(values[at].value, values[at].weight, whole);
    }
    Lowest share = whole;
    if (count * nearly > share.count) take(values[at].value, count - share.count, share);
    *out++ = count > 0 ? share : Lowest{};
  }
}

}  // namespace tally
