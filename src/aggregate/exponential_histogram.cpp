// Buckets are held in one vector sorted by value. A bucket is named by its order, an integer that
// ascends with the value: the index of |value| shifted to be positive, negated for negative values,
// and 0 for zero itself.
//
//     value     -8 .. -0.1   0   0.1 .. 8
//     order     -    ..  -   0   +  ..  +       |order| = index + index_offset
//
// One scale down, b becomes b^2 and (b^i, b^(i+1)] falls into bucket floor(i / 2).

#include "tally/exponential_histogram.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <utility>

namespace tally {
namespace {

// Larger than any index: 1,074 binary orders below 1 at 32 buckets each.
constexpr std::int32_t index_offset = 1 << 16;

// The i with b^i < magnitude <= b^(i+1). Near a border rounding may choose the neighbour, whose
// middle is then off by the promised error and one part in 10^13.
std::int32_t index_of(double magnitude, int scale) {
  int exponent = 0;
  const double mantissa =
      std::frexp(magnitude, &exponent);  // [0.5, 1) * 2^exponent: exact, also below 1e-308
  const double position = std::ldexp(std::log2(mantissa) + exponent, scale);
  return static_cast<std::int32_t>(std::ceil(position)) - 1;
}

std::int32_t order_of(double value, int scale) {
  if (value == 0) return 0;
  const std::int32_t order = index_of(std::abs(value), scale) + index_offset;
  return value < 0 ? -order : order;
}

std::int32_t coarser(std::int32_t order) {
  if (order == 0) return 0;
  const std::int32_t index = std::abs(order) - index_offset;
  const std::int32_t half = (index >> 1) + index_offset;  // arithmetic shift: floor
  return order < 0 ? -half : half;
}

double middle_of(std::int32_t order, int scale) {
  if (order == 0) return 0;
  const double index = std::abs(order) - index_offset;
  const double base = std::exp2(std::ldexp(1.0, -scale));
  const double middle = std::exp2(std::ldexp(index, -scale)) * (2 * base / (1 + base));
  const double finite = std::min(middle, std::numeric_limits<double>::max());
  return order < 0 ? -finite : finite;
}

}  // namespace

void ExponentialHistogram::add(double value, double weight) {
  const std::int32_t order = order_of(value, scale_);
  const auto at = std::ranges::lower_bound(buckets_, order, {}, &Slot::order);
  if (at != buckets_.end() && at->order == order) {
    at->weight += weight;
    return;
  }
  buckets_.insert(at, {order, weight});
  fit();
}

void ExponentialHistogram::merge(const ExponentialHistogram& other) {
  ExponentialHistogram theirs = other;
  const int scale = std::min(scale_, theirs.scale_);
  coarsen_to(scale);
  theirs.coarsen_to(scale);

  std::vector<Slot> merged;
  merged.reserve(buckets_.size() + theirs.buckets_.size());
  std::ranges::merge(buckets_, theirs.buckets_, std::back_inserter(merged), {}, &Slot::order,
                     &Slot::order);
  buckets_ = std::move(merged);
  join_equal();
  fit();
}

// Adds up neighbours of one order.
void ExponentialHistogram::join_equal() {
  std::size_t kept = 0;
  for (std::size_t i = 1; i < buckets_.size(); ++i) {
    if (buckets_[i].order == buckets_[kept].order) {
      buckets_[kept].weight += buckets_[i].weight;
    } else {
      buckets_[++kept] = buckets_[i];
    }
  }
  if (!buckets_.empty()) buckets_.resize(kept + 1);
}

void ExponentialHistogram::coarsen_to(int scale) {
  for (; scale_ > scale; --scale_) {
    for (Slot& slot : buckets_) slot.order = coarser(slot.order);
    join_equal();
  }
}

void ExponentialHistogram::fit() {
  while (buckets_.size() > buckets_max) coarsen_to(scale_ - 1);
}

double ExponentialHistogram::error_bound() const {
  const double base = std::exp2(std::ldexp(1.0, -scale_));
  return (base - 1) / (base + 1);
}

std::vector<ExponentialHistogram::Bucket> ExponentialHistogram::ascending() const {
  std::vector<Bucket> result;
  result.reserve(buckets_.size());
  for (const Slot& slot : buckets_) result.push_back({middle_of(slot.order, scale_), slot.weight});
  return result;
}

}  // namespace tally
