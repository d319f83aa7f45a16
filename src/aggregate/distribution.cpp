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
  const double before = value - mean_;
  mean_ += before * (weight / weight_);
  m2_ += weight * before * (value - mean_);

  if (samples_ > exact_max) {
    if (!exact_.empty()) spill();
    histogram_.add(value, weight);
  } else {
    exact_.push_back({value, weight});
  }
  return true;
}

void Distribution::spill() {
  for (const Value& each : exact_) histogram_.add(each.value, each.weight);
  exact_ = {};
}

void Distribution::merge(const Distribution& other) {
  if (other.empty()) return;
  min_ = empty() ? other.min_ : std::min(min_, other.min_);
  max_ = empty() ? other.max_ : std::max(max_, other.max_);
  const double weight = weight_ + other.weight_;
  const double difference = other.mean_ - mean_;
  m2_ += other.m2_ + difference * difference * (weight_ * (other.weight_ / weight));
  mean_ += difference * (other.weight_ / weight);
  weight_ = weight;
  sum_ += other.sum_;
  samples_ += other.samples_;
  merge_values(other);
}

// After the moments: `samples_` is already that of the whole.
void Distribution::merge_values(const Distribution& other) {
  if (is_exact()) {
    exact_.insert(exact_.end(), other.exact_.begin(), other.exact_.end());
    return;
  }
  spill();
  histogram_.merge(other.histogram_);
  for (const Value& each : other.exact_) histogram_.add(each.value, each.weight);
}

double Distribution::stddev() const {
  // Rounding can leave a trace below zero where all values are equal; minus infinity is no trace.
  const double m2 = m2_ < 0 && std::isfinite(m2_) ? 0 : m2_;
  return std::sqrt(m2 / weight_);
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
