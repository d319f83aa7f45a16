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
#include <array>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <utility>

namespace tally {
namespace {

// Values that are added at once, and the orders that they may span for it: 32 binary ones, as far
// as an hour is from a microsecond.
constexpr std::size_t block_values = 256;
constexpr std::int64_t block_orders = 1024;

// Larger than any index: 1,074 binary orders below 1 at 32 buckets each.
constexpr std::int32_t index_offset = 1 << 16;

constexpr int finest = ExponentialHistogram::scale_max;
constexpr std::size_t parts = std::size_t{1} << finest;  // of a binary order

// 2^(i/32), where the parts of [1, 2] begin and end.
const std::array<double, parts + 1> borders = [] {
  std::array<double, parts + 1> all{};
  for (std::size_t i = 0; i <= parts; ++i)
    all[i] = std::exp2(static_cast<double>(i) / static_cast<double>(parts));
  return all;
}();

// For each 1/64 of [1, 2): how many borders lie before it. In it lies one at most, for they are at
// least 0.0219 apart.
constexpr int steps_bits = 6;
const std::array<std::uint8_t, std::size_t{1} << steps_bits> borders_before = [] {
  std::array<std::uint8_t, std::size_t{1} << steps_bits> all{};
  for (std::size_t i = 0; i < all.size(); ++i) {
    const double begin = 1 + static_cast<double>(i) / static_cast<double>(all.size());
    all[i] = static_cast<std::uint8_t>(std::ranges::lower_bound(borders, begin) - borders.begin());
  }
  return all;
}();

constexpr int fraction_bits = 52;
constexpr std::uint64_t fraction_mask = (std::uint64_t{1} << fraction_bits) - 1;
constexpr std::uint64_t bits_of_one = std::bit_cast<std::uint64_t>(1.0);

// The i with b^i < magnitude <= b^(i+1). Near a border, which is rounded, it may be the neighbour,
// whose middle is then off by the promised error and one part in 10^15.
std::int32_t index_of(double magnitude, int scale) {
  int subnormal = 0;
  if (magnitude < std::numeric_limits<double>::min()) [[unlikely]] {
    subnormal = -fraction_bits;
    magnitude = std::ldexp(magnitude, fraction_bits);
  }
  const auto bits = std::bit_cast<std::uint64_t>(magnitude);
  const int exponent = static_cast<int>(bits >> fraction_bits) - 1023 + subnormal;
  const auto mantissa = std::bit_cast<double>((bits & fraction_mask) | bits_of_one);  // [1, 2)
  const std::size_t before = borders_before[(bits & fraction_mask) >> (fraction_bits - steps_bits)];
  const int below = static_cast<int>(before) + (borders[before] < mantissa ? 1 : 0);  // borders
  const std::int32_t index = exponent * static_cast<int>(parts) + below - 1;
  return index >> (finest - scale);  // arithmetic shift: floor
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

void ExponentialHistogram::add(std::span<const double> values, std::span<const double> weights) {
  while (!values.empty()) {
    const std::size_t count = std::min(values.size(), block_values);
    const std::size_t weighted = std::min(weights.size(), count);
    add_block(values.first(count), weights.first(weighted));
    values = values.subspan(count);
    weights = weights.subspan(weighted);
  }
}

void ExponentialHistogram::add_block(std::span<const double> values,
                                     std::span<const double> weights) {
  const auto weight_of = [&](std::size_t i) { return i < weights.size() ? weights[i] : 1; };
  // Zero is apart: many timers have it, and it lies far from all others.
  std::array<std::int32_t, block_values> orders;
  std::int32_t first = std::numeric_limits<std::int32_t>::max();
  std::int32_t last = std::numeric_limits<std::int32_t>::min();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::int32_t order = orders[i] = order_of(values[i], scale_);
    first = std::min(first, order == 0 ? first : order);
    last = std::max(last, order == 0 ? last : order);
  }
  const std::int64_t span = last - std::int64_t{first} + 1;
  if (span > block_orders) {
    for (std::size_t i = 0; i < values.size(); ++i) add(values[i], weight_of(i));
    return;
  }
  const auto width = static_cast<std::size_t>(std::max(span, std::int64_t{0}));
  std::array<double, block_orders + 1> added;  // weights by order, from `first` on; then of zero
  std::fill_n(added.begin(), width + 1, 0.0);
  const double& zeros = added[width];
  for (std::size_t i = 0; i < values.size(); ++i)
    added[orders[i] == 0 ? width : static_cast<std::size_t>(orders[i] - first)] += weight_of(i);
  // Nearly all go into buckets that are there: neither a search nor a branch for them.
  auto at = std::ranges::lower_bound(buckets_, first, {}, &Slot::order);
  for (; at != buckets_.end() && at->order <= last; ++at)
    at->weight += std::exchange(added[static_cast<std::size_t>(at->order - first)], 0.0);
  std::vector<Slot> others;
  for (std::size_t i = 0; i < width; ++i) {
    if (added[i] != 0) others.push_back({first + static_cast<std::int32_t>(i), added[i]});
  }
  if (!others.empty()) join(others);
  if (zeros > 0) add(0, zeros);  // last: a new bucket may change the scale
}

void ExponentialHistogram::merge(const ExponentialHistogram& other) {
  ExponentialHistogram theirs = other;
  const int scale = std::min(scale_, theirs.scale_);
  coarsen_to(scale);
  theirs.coarsen_to(scale);
  join(theirs.buckets_);
}

// Takes in buckets of the same scale.
void ExponentialHistogram::join(std::span<const Slot> sorted) {
  std::vector<Slot> joined;
  joined.reserve(buckets_.size() + sorted.size());
  std::ranges::merge(buckets_, sorted, std::back_inserter(joined), {}, &Slot::order, &Slot::order);
  buckets_ = std::move(joined);
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
