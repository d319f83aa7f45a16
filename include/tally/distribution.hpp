#pragma once
// What a window knows of a timer, histogram or distribution: exact moments, and percentiles that
// are exact up to 1,024 samples and within 1.1 % beyond.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "tally/exponential_histogram.hpp"

namespace tally {

/// What the original StatsD says of the lowest `k = floor(P / 100 * n + 0.5)` of n values
/// (etsy/statsd, lib/process_metrics.js), with weights in place of values where they are sampled.
struct Lowest {
  double count = 0;  ///< k; 0: there is nothing to say
  double sum = 0;
  double sum_squares = 0;
  double upper = 0;  ///< the largest of them
};

/// Weighted values of one series in one window. Mergeable: merging parts gives what the whole would
/// have given (sums up to rounding, percentiles exactly).
class Distribution {
 public:
  static constexpr std::size_t exact_max = 1024;  ///< samples kept as they are

  /// Adds a value that stands for `weight` values. O(1) amortised. Returns false, and changes
  /// nothing, if the sum would overflow. REQUIRES: finite value, weight >= 1.
  bool add(double value, double weight);

  /// Asks the memory for the place of the next value.
  [[gnu::always_inline]] void prefetch() const {
    __builtin_prefetch(values_.data() + values_.size(), 1);
  }

  void merge(const Distribution& other);

  /// The sum of weights.
  double count() const { return rest_ ? rest_->weight : static_cast<double>(samples_); }
  double sum() const { return sum_; }
  double mean() const { return sum_ / count(); }
  double min() const { return min_; }
  double max() const { return max_; }

  /// The population's standard deviation, weighted: sqrt(sum w (x - mean)^2 / sum w). Of up to
  /// `exact_max` samples by West's recurrence (CACM 22(9), 1979), beyond in parts of two passes
  /// with a correction, which are merged (Chan, Golub and LeVeque, American Statistician 37(3),
  /// 1983). Not finite when the squares leave the range of a double.
  double stddev() const;

  /// Weighted nearest-rank percentiles: the smallest value whose cumulated weight reaches p % of
  /// the total. `percents` ascending, each in (0, 100]; writes one result each to `out`. REQUIRES:
  /// not empty.
  void percentiles(const std::vector<double>& percents, double* out) const;

  /// As StatsD has them: the mean of the middle two where the middle falls between two values; the
  /// sum of x squared. Beyond `exact_max` samples the median is off by at most 1.1 %, as the
  /// percentiles are. REQUIRES: not empty.
  double median() const;
  double sum_squares() const;

  /// One result for each of `percents`, which are as above. A single sample is its own lowest share
  /// whatever the percentage. Beyond `exact_max` samples `upper` and `sum` are off by at most 1.1
  /// %, `sum_squares` by 2.2 %; of all values they are exact. REQUIRES: not empty.
  void lowest(const std::vector<double>& percents, Lowest* out) const;

  /// The values that are kept as they came, in their order; none beyond `exact_max` samples.
  std::vector<double> kept_values() const;

  bool empty() const { return samples_ == 0; }
  bool is_exact() const { return samples_ <= exact_max; }

 private:
  // Beyond exact_max: values are added to the histogram so many at a time, in a sixth of the time
  // that they take one by one.
  static constexpr std::size_t pouring_max = 256;

  struct Value {
    double value;
    double weight;
  };
  struct Moments {
    double weight = 0;
    double mean = 0;
    double m2 = 0;  // sum of w (x - mean)^2

    void add(double value, double each);
    /// Of many at once. `weights` as Rest has them.
    static Moments of(std::span<const double> values, std::span<const double> weights);
    void merge(const Moments& other);
  };
  // What few need: those that are sampled, and those with many values.
  struct Rest {
    double weight;                   // sum
    std::vector<double> weights;     // of values_, up to the last that is not 1
    ExponentialHistogram histogram;  // of what was poured out of values_
    Moments poured;                  // the same
  };

  Rest& rest();
  std::span<const double> weights() const;
  double weight_of(std::size_t i) const;
  void keep(double value, double weight);
  void add_rarely(double value, double weight);
  void pour();  // values_ into the histogram
  std::vector<Value> ascending() const;
  Moments moments() const;

  // One cache line, as most that a timer costs is the way to it.
  std::uint64_t samples_ = 0;
  double sum_ = 0;
  double min_ = 0;
  double max_ = 0;
  std::vector<double> values_;  // all while is_exact(), then the last few
  std::unique_ptr<Rest> rest_;
};

static_assert(sizeof(Distribution) == 64);

}  // namespace tally
