#pragma once
// What a window knows of a timer, histogram or distribution: exact moments, and percentiles that
// are exact up to 1,024 samples and within 1.1 % beyond.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tally/exponential_histogram.hpp"

namespace tally {

/// Weighted values of one series in one window. Mergeable: merging parts gives what the whole would
/// have given (sums up to rounding, percentiles exactly).
class Distribution {
 public:
  static constexpr std::size_t exact_max = 1024;  ///< samples kept as they are

  /// Adds a value that stands for `weight` values. O(1) amortised. Returns false, and changes
  /// nothing, if the sum would overflow. REQUIRES: finite value, weight >= 1.
  bool add(double value, double weight);

  void merge(const Distribution& other);

  double count() const { return weight_; }  ///< sum of weights
  double sum() const { return sum_; }
  double mean() const { return sum_ / weight_; }
  double min() const { return min_; }
  double max() const { return max_; }

  /// The population's standard deviation, weighted: sqrt(sum w (x - mean)^2 / sum w). Updated by
  /// West's recurrence (CACM 22(9), 1979), merged by Chan, Golub and LeVeque's. Not finite when the
  /// squares leave the range of a double.
  double stddev() const;

  /// Weighted nearest-rank percentiles: the smallest value whose cumulated weight reaches p % of
  /// the total. `percents` ascending, each in (0, 100]; writes one result each to `out`. REQUIRES:
  /// not empty.
  void percentiles(const std::vector<double>& percents, double* out) const;

  bool empty() const { return samples_ == 0; }
  bool is_exact() const { return samples_ <= exact_max; }

 private:
  struct Value {
    double value;
    double weight;
  };
  struct Moments {
    double weight = 0;
    double mean = 0;
    double m2 = 0;  // sum of w (x - mean)^2

    void add(double value, double each);
    void merge(const Moments& other);
  };
  void spill();  // from exact values to the histogram
  Moments moments() const;

  std::uint64_t samples_ = 0;
  double weight_ = 0;
  double sum_ = 0;
  double min_ = 0;
  double max_ = 0;
  std::vector<Value> exact_;        // while is_exact()
  ExponentialHistogram histogram_;  // from then on
  Moments spilled_;                 // of what is in the histogram
};

}  // namespace tally
