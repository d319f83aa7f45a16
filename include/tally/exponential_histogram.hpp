#pragma once
// A base-2 exponential histogram, sparse: the layout of OpenTelemetry's exponential histogram and
// of Prometheus' native one (OpenTelemetry metrics data model, "ExponentialHistogram").

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tally {

/// Counts weights in buckets (b^i, b^(i+1)] with b = 2^(2^-scale), mirrored for negative values,
/// and one bucket for zero. A value read back is the middle 2lu/(l+u) of its bucket (l, u], which
/// is off by at most (b-1)/(b+1): 1.09 % at scale 5.
///
/// When more than `buckets_max` buckets are filled (values over 64 binary orders of magnitude,
/// evenly) neighbours are merged in pairs, which is one scale down and twice the error. The scale
/// is the finest at which all values fit, whatever the order of adding and merging: merged equals
/// whole.
class ExponentialHistogram {
 public:
  static constexpr int scale_max = 5;
  static constexpr std::size_t buckets_max = 2048;

  /// REQUIRES: finite value, weight > 0. O(log buckets) for a known bucket, O(buckets) for a new
  /// one.
  void add(double value, double weight);

  /// Adds many, as if one by one, and several times faster: values of some binary orders are
  /// counted side by side first. `weights` are those of the first values; what has none weighs 1.
  void add(std::span<const double> values, std::span<const double> weights);

  void merge(const ExponentialHistogram& other);

  int scale() const { return scale_; }
  double error_bound() const;  ///< relative, at the present scale
  std::size_t buckets() const { return buckets_.size(); }

  /// One filled bucket: `value` is its middle. Ascending by value.
  struct Bucket {
    double value;
    double weight;
  };
  std::vector<Bucket> ascending() const;

 private:
  struct Slot {
    std::int32_t order;  // ascending with the value: see order_of in the source
    double weight;
  };
  void add_block(std::span<const double> values, std::span<const double> weights);
  void join(std::span<const Slot> sorted);
  void join_equal();
  void coarsen_to(int scale);
  void fit();

  int scale_ = scale_max;
  std::vector<Slot> buckets_;  // sorted by order
};

}  // namespace tally
