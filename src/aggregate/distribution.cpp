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

bool Distribution::add(double value, double weight) {
  const double sum = sum_ + value * weight;
  if (!std::isfinite(sum)) return false;
  min_ = empty() ? value : std::min(min_, value);
  max_ = empty() ? value : std::max(max_, value);
  ++samples_;
  sum_ = sum;
  weight_ += weight;
  if (samples_ <= exact_max) {
    if (exact_.empty()) exact_.reserve(8);  // else the first eight would move three times
    exact_.push_back({value, weight});
    return true;
  }
  if (!exact_.empty()) spill();
  spilled_.add(value, weight);
  histogram_.add(value, weight);
  return true;
}

void Distribution::Moments::add(double value, double each) {
  weight += each;
  const double before = value - mean;
  mean += before * (each / weight);
  m2 += each * before * (value - mean);
}

void Distribution::Moments::merge(const Moments& other) {
  if (other.weight == 0) return;
  const double whole = weight + other.weight;
  const double difference = other.mean - mean;
  m2 += other.m2 + difference * difference * (weight * (other.weight / whole));
  mean += difference * (other.weight / whole);
  weight = whole;
}

// Two divisions a sample: left to the end of the window, which is another thread's.
Distribution::Moments Distribution::moments() const {
  Moments all = spilled_;
  for (const Value& each : exact_) all.add(each.value, each.weight);
  return all;
}

void Distribution::spill() {
  for (const Value& each : exact_) {
    spilled_.add(each.value, each.weight);
    histogram_.add(each.value, each.weight);
  }
  exact_ = {};
}

void Distribution::merge(const Distribution& other) {
  if (other.empty()) return;
  min_ = empty() ? other.min_ : std::min(min_, other.min_);
  max_ = empty() ? other.max_ : std::max(max_, other.max_);
  weight_ += other.weight_;
  sum_ += other.sum_;
  samples_ += other.samples_;
  if (is_exact()) {
    exact_.insert(exact_.end(), other.exact_.begin(), other.exact_.end());
    return;
  }
  spill();
  spilled_.merge(other.moments());
  histogram_.merge(other.histogram_);
  for (const Value& each : other.exact_) histogram_.add(each.value, each.weight);
}

std::vector<double> Distribution::kept_values() const {
  std::vector<double> values;
  for (const Value& each : exact_) values.push_back(each.value);
  return values;
}

double Distribution::stddev() const {
  const double m2 = moments().m2;
  // Rounding can leave a trace below zero where all values are equal; minus infinity is no trace.
  return std::sqrt((m2 < 0 && std::isfinite(m2) ? 0 : m2) / weight_);
}

std::vector<Distribution::Value> Distribution::ascending() const {
  std::vector<Value> values = exact_;
  if (is_exact()) {
    std::ranges::sort(values, {}, &Value::value);
  } else {
    for (const auto& bucket : histogram_.ascending())
      values.push_back({std::clamp(bucket.value, min_, max_), bucket.weight});
  }
  return values;
}

void Distribution::percentiles(const std::vector<double>& percents, double* out) const {
  const std::vector<Value> values = ascending();
  std::size_t at = 0;
  double reached = values.front().weight;
  for (const double percent : percents) {
    const double rank = percent * weight_ / 100 * nearly;
    while (reached < rank && at + 1 < values.size()) reached += values[++at].weight;
    *out++ = values[at].value;
  }
}

double Distribution::median() const {
  const std::vector<Value> values = ascending();
  const double half = weight_ / 2;
  std::size_t at = 0;
  double reached = values.front().weight;
  while (reached < half * nearly && at + 1 < values.size()) reached += values[++at].weight;
  const bool is_between = reached * nearly <= half && at + 1 < values.size();
  return is_between ? std::midpoint(values[at].value, values[at + 1].value) : values[at].value;
}

double Distribution::sum_squares() const {
  if (is_exact()) {
    double sum = 0;
    for (const Value& each : exact_) sum += each.weight * each.value * each.value;
    return sum;
  }
  const Moments all = moments();
  return all.m2 + all.weight * all.mean * all.mean;
}

void Distribution::lowest(const std::vector<double>& percents, Lowest* out) const {
  const std::vector<Value> values = ascending();
  std::size_t at = 0;
  Lowest whole{.upper = values.front().value};  // of the values before `at`
  for (const double percent : percents) {
    const bool is_all = samples_ == 1 || percent == 100;
    const double count = is_all ? weight_ : std::floor(percent * weight_ / 100 + 0.5);
    if (count >= weight_) {
      *out++ = {.count = weight_, .sum = sum_, .sum_squares = sum_squares(), .upper = max_};
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
