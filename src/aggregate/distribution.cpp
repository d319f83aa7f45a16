#include "tally/distribution.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tally {

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

double Distribution::stddev() const {
  const double m2 = moments().m2;
  // Rounding can leave a trace below zero where all values are equal; minus infinity is no trace.
  return std::sqrt((m2 < 0 && std::isfinite(m2) ? 0 : m2) / weight_);
}

void Distribution::percentiles(const std::vector<double>& percents, double* out) const {
  std::vector<Value> values = exact_;
  if (is_exact()) {
    std::ranges::sort(values, {}, &Value::value);
  } else {
    for (const auto& bucket : histogram_.ascending())
      values.push_back({bucket.value, bucket.weight});
  }
  std::size_t at = 0;
  double reached = values.front().weight;
  for (const double percent : percents) {
    // Weights like 1/0.3 add up with rounding: a rank that is missed by a billionth is reached.
    const double rank = percent * weight_ / 100 * (1 - 1e-9);
    while (reached < rank && at + 1 < values.size()) reached += values[++at].weight;
    *out++ = std::clamp(values[at].value, min_, max_);
  }
}

}  // namespace tally
