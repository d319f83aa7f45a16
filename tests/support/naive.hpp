#pragma once
// The naive twin: parse, aggregate and close written a second time, slow, obvious and exact, as the
// oracle of property tests and fuzzers. It shares types with src/ and no code.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tally/parse.hpp"
#include "tally/sample.hpp"
#include "tally/series.hpp"

namespace tally::testing {

/// A tag that owns its text; no value is a bare tag.
struct NaiveTag {
  std::string key;
  std::optional<std::string> value;

  friend auto operator<=>(const NaiveTag&, const NaiveTag&) = default;
};

/// A sample that owns its text. Tags in the order of the line, those without a key left out.
struct NaiveSample {
  Kind kind = Kind::counter;
  bool is_delta = false;
  std::string name;
  std::vector<NaiveTag> tags;
  double value = 0;
  double rate = 1;
  std::string member;
  std::int64_t time = 0;

  friend bool operator==(const NaiveSample&, const NaiveSample&) = default;
};

/// One line that is not empty. It is taken if it has no fault. All faults are named, not the first
/// one only: which of them a parser meets first is its own affair.
struct NaiveLine {
  std::string text;
  std::vector<NaiveSample> samples;
  std::set<Reason> faults;
};

std::vector<NaiveLine> naive_parse(std::string_view datagram, const ParseRules& rules = {});

/// The parser's sample in the twin's form, for comparing.
NaiveSample as_naive(const Sample& sample, std::span<const Tag> tags);

/// The same sample as a series sees its tags: sorted, and of a repeated key the last one only.
NaiveSample with_tags_as_a_set(NaiveSample sample);

/// For messages: "counter a.b=3@0.1 at 1656581400 #k=v #x".
std::string describe(const NaiveSample& sample);

/// Who a series is, by the rules of series.hpp.
struct NaiveSeries {
  Kind kind = Kind::counter;
  std::string name;
  std::map<std::string, std::string> tags;
  std::int64_t time = 0;  ///< the second that it belongs to; 0: the window's

  friend auto operator<=>(const NaiveSeries&, const NaiveSeries&) = default;
};

NaiveSeries naive_series(const NaiveSample& sample, const std::vector<StaticTag>& static_tags = {});

/// A key of `SeriesKeyBuilder` in the twin's form. Uses `split_series_key`, the one thing under
/// test here: comparing needs a way back.
NaiveSeries as_naive_series(std::string_view key);

std::string describe(const NaiveSeries& series);

/// A value and how many it stands for.
struct Weighted {
  double value;
  double weight;
};

/// The weighted nearest-rank percentile: sort, then the first value at which the cumulated weight
/// reaches percent % of the total. `percent` is taken as the decimal number it is written as: 99.9
/// % of 1,000 is 999, not 999.0000000000001.
double naive_percentile(std::vector<Weighted> values, double percent);

/// What a timer's values come to.
struct NaiveSummary {
  double count, sum, mean, min, max, stddev;  ///< stddev: population, by two passes in long double
};
NaiveSummary naive_summary(const std::vector<Weighted>& values);

/// One finished point.
struct NaivePoint {
  double count = 0;              ///< of counters, timers and sets
  double rate = 0;               ///< of counters
  double value = 0;              ///< of gauges
  std::vector<Weighted> values;  ///< of timers, all of them
};
using NaiveWindow = std::map<NaiveSeries, NaivePoint>;

/// Keeps every sample of the open window and every gauge that is not too old.
class NaiveDaemon {
 public:
  /// `gauge_ttl` 0 keeps gauges for ever.
  NaiveDaemon(std::vector<StaticTag> static_tags, std::chrono::milliseconds gauge_ttl)
      : static_tags_(std::move(static_tags)), gauge_ttl_(gauge_ttl) {}

  void hear(const NaiveSample& sample);
  NaiveWindow close(std::chrono::milliseconds interval);

 private:
  struct HeldGauge {
    double value = 0;
    std::chrono::milliseconds idle{0};
    bool heard = false;
  };
  void close_gauges(std::chrono::milliseconds interval, NaiveWindow& window);

  std::vector<StaticTag> static_tags_;
  std::chrono::milliseconds gauge_ttl_;
  std::map<NaiveSeries, std::vector<Weighted>> counters_, timers_;
  std::map<NaiveSeries, std::set<std::string>> sets_;
  std::map<NaiveSeries, HeldGauge> gauges_;
};

}  // namespace tally::testing
