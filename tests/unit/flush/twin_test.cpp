// Random traffic of all kinds over many windows, through parse, Table and Carry on one side and
// through the naive twin on the other. Both must write the same points.

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "naive.hpp"
#include "tally/carry.hpp"
#include "tally/parse.hpp"

using namespace tally;
using namespace tally::testing;
using namespace std::chrono_literals;

namespace {

constexpr auto interval = 10s;
constexpr auto gauge_ttl = 40s;
const std::vector<StaticTag> static_tags = {{"dc", "eu"}, {"host", "h1"}};

/// Writes lines as clients of all dialects do. A part of the names is silent in each window, so
/// that gauges grow old.
class Traffic {
 public:
  explicit Traffic(std::uint64_t seed) : random_(seed) {}

  void begin_window() {
    silent_.clear();
    for (std::size_t i = 0; i < name_count; ++i) {
      if (below(3) != 0) silent_.insert(i);
    }
  }

  /// A datagram of up to 8 lines, now and then with one that is bad.
  std::string datagram() {
    std::string text;
    for (std::size_t lines = 1 + below(8); lines > 0; --lines) {
      text += below(30) == 0 ? bad_line() : good_line();
      text += below(5) == 0 ? "\r\n" : "\n";
    }
    return text;
  }

 private:
  static constexpr std::size_t name_count = 24;

  std::size_t below(std::size_t limit) { return random_() % limit; }

  std::string good_line() {
    std::size_t name = below(name_count);
    if (silent_.contains(name)) name = 0;
    static constexpr std::string_view kinds[] = {"c", "c", "g", "ms", "ms", "h", "d", "s"};
    const std::string_view kind = kinds[below(std::size(kinds))];
    std::string line = fmt::format("app.{}{}:{}", name, name_tags(), values(kind));
    line += fmt::format("|{}", kind);
    if (kind == "c" && below(10) == 0) line += ":" + values("ms") + "|ms";
    if (below(3) == 0) line += rate();
    line += tags();
    return line;
  }

  std::string bad_line() {
    static constexpr std::string_view bad[] = {"nonsense", "a:1|q",        "a:x|c",    "a:1|c|@7",
                                               ":1|c",     "tallyd.x:1|c", "\xff:1|c", "_sc|a|9"};
    return std::string(bad[below(std::size(bad))]);
  }

  std::string values(std::string_view kind) {
    if (kind == "s") return fmt::format("m{}", below(40));
    if (kind == "g")
      return fmt::format("{}{}", below(2) == 0 ? "" : below(2) == 0 ? "+" : "-", below(99));
    std::string text = number(kind);
    for (std::size_t more = below(4) == 0 ? below(5) : 0; more > 0; --more)
      text += ":" + number(kind);
    return text;
  }

  /// Counters count whole things; so their sums are exact whatever the order.
  std::string number(std::string_view kind) {
    if (kind == "c") return fmt::format("{}", 1 + below(20));
    return fmt::format("{:.3f}", std::exp(times_(random_)));
  }

  std::string rate() {
    static constexpr std::string_view rates[] = {"|@0.1", "|@0.5", "|@0.25", "|@1", "|@0.01"};
    return std::string(rates[below(std::size(rates))]);
  }

  std::string name_tags() {
    static constexpr std::string_view forms[] = {"",          "",          "",          ",env=prod",
                                                 ";env=prod", "#env=prod", "[env=prod]"};
    return std::string(forms[below(std::size(forms))]);
  }

  std::string tags() {
    static constexpr std::string_view forms[] = {
        "",
        "",
        "|#env:prod",
        "|#b:2,a:1",
        "|#a:1,b:2",
        "|#urgent",
        "|#count:7,mean:8",
        "|#host:h1",
        "|#host:h2",
        "|#a:0,a:1,b:2",
        "|#time:x",
        "|c:ci-1|zz:9",
    };
    return std::string(forms[below(std::size(forms))]);
  }

  std::mt19937_64 random_;
  std::normal_distribution<double> times_{3, 1};
  std::set<std::size_t> silent_;
};

/// Both sides of the comparison, fed alike.
class Pair {
 public:
  Pair() : table_(rules_), carry_({.gauge_ttl = gauge_ttl}), twin_(static_tags, gauge_ttl) {}

  void hear(const std::string& datagram) {
    Batch batch;
    parse_datagram(datagram, {}, batch);
    for (const Sample& sample : batch.samples) {
      REQUIRE(table_.add(sample, batch.tags_of(sample), {}) <= Added::updated);
    }
    std::size_t refused = 0;
    for (const NaiveLine& line : naive_parse(datagram)) {
      refused += line.faults.empty() ? 0 : 1;
      for (const NaiveSample& sample : line.samples) twin_.hear(sample);
    }
    CHECK(batch.refused.size() == refused);
  }

  /// Closes the window on both sides and compares every number. Returns the number of points.
  std::size_t close() {
    const Snapshot snapshot = carry_.close(table_, {WallTime{}, interval});
    expected_ = twin_.close(interval);
    CHECK(snapshot.points() == expected_.size());
    for (const auto& point : snapshot.counters) check_counter(point);
    for (const auto& point : snapshot.gauges) CHECK(expected(point.key).value == point.value);
    for (const auto& point : snapshot.sets) CHECK(expected(point.key).count == point.count);
    for (const auto& point : snapshot.timers) check_timer(snapshot, point);
    CHECK(expected_.empty());
    table_.clear();
    return snapshot.points();
  }

  std::uint64_t timers_estimated() const { return carry_.timers_estimated(); }
  std::uint64_t gauges_expired() const { return carry_.gauges_expired(); }

 private:
  /// The twin's point of that series, which is taken: each must be asked for once.
  NaivePoint expected(std::string_view key) {
    const NaiveSeries series = as_naive_series(key);
    INFO(describe(series));
    auto node = expected_.extract(series);
    REQUIRE(!node.empty());
    return node.mapped();
  }

  void check_counter(const Snapshot::Counter& point) {
    const NaivePoint exact = expected(point.key);
    CHECK(point.count == exact.count);
    CHECK(point.rate == doctest::Approx(exact.rate).epsilon(1e-14));
  }

  void check_timer(const Snapshot& snapshot, const Snapshot::Timer& point) {
    const auto values = expected(point.key).values;
    const NaiveSummary exact = naive_summary(values);
    CHECK(point.count == doctest::Approx(exact.count).epsilon(1e-12));
    CHECK(point.mean == doctest::Approx(exact.mean).epsilon(1e-9));
    CHECK(point.sum == doctest::Approx(exact.sum).epsilon(1e-9));
    CHECK(point.stddev == doctest::Approx(exact.stddev).epsilon(1e-9));
    CHECK(point.min == exact.min);
    CHECK(point.max == exact.max);
    const double error = values.size() <= Distribution::exact_max ? 0 : 0.011;
    for (std::size_t i = 0; i < snapshot.percents.size(); ++i) {
      const double percentile = naive_percentile(values, snapshot.percents[i]);
      const double read = snapshot.percentiles[point.first_percentile + i];
      CHECK(std::abs(read - percentile) <= error * percentile);
    }
  }

  TableRules rules_{.static_tags = static_tags};
  Table table_;
  Carry carry_;
  NaiveDaemon twin_;
  NaiveWindow expected_;
};

}  // namespace

TEST_CASE("twin: random traffic of all kinds gives the twin's points in every window") {
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    Pair pair;
    Traffic traffic(seed);
    std::size_t points = 0;
    for (int window = 0; window < 20; ++window) {
      INFO("seed ", seed, ", window ", window);
      traffic.begin_window();
      for (int i = 0; i < 400; ++i) pair.hear(traffic.datagram());
      points += pair.close();
    }
    CHECK(points > 5'000);
    CHECK(pair.gauges_expired() > 0);
  }
}

TEST_CASE("twin: windows of one hot timer are exact up to 1,024 samples and within 1.1 % beyond") {
  std::mt19937_64 random(4);
  std::lognormal_distribution<double> times(3, 1);
  Pair pair;
  for (const int samples : {1'023, 1'024, 1'025, 5'000, 40'000, 10}) {
    for (int i = 0; i < samples; ++i) {
      pair.hear(fmt::format("hot:{}|ms{}", times(random), i % 3 == 0 ? "|@0.1" : ""));
    }
    CHECK(pair.close() == 1);
  }
  CHECK(pair.timers_estimated() == 3);
}
