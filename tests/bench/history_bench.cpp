// What remembering costs a flush, and what looking costs: ns a series of History::note, and ms of
// its answers.
//
//     bench_history [--core N] [--rounds N] [--series N] [--mib N] [--timers 1]    one JSON object
//     a line
//
// As in the daemon, slices of 5,000 points are encoded, then noted; the order of the series is
// another one in each window, as windows have it. Only noting is timed.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "tally/encode.hpp"
#include "tool.hpp"
#include "watch/application_metrics.hpp"
#include "watch/history.hpp"

using namespace tally;
using namespace tally::bench;

namespace {

constexpr std::size_t slice_points = 5000;

double now_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

struct Load {
  std::size_t series;
  std::size_t mib;
  bool timers;
  std::size_t rounds;
};

class Bench {
 public:
  explicit Bench(const Load& load)
      : load_(load),
        history_({.bytes_max = load.mib << 20,
                  .naming = {.prefix = "", .static_tags = {{"host", "bench"}}},
                  .percents = percents_,
                  .hash_seed = 4711}) {
    SeriesKeyBuilder builder({});
    const Kind kind = load.timers ? Kind::timer : Kind::counter;
    for (std::size_t i = 0; i < load.series; ++i)
      keys_.emplace_back(builder.build(kind, fmt::format("service{}.requests.{:06}", i % 50, i),
                                       std::vector<Tag>{}));
  }

  void run() {
    const double first = window();
    std::vector<double> steady;
    for (std::size_t round = 0; round < load_.rounds; ++round) steady.push_back(window());
    fmt::print(
        "{{\"series\": {}, \"kind\": \"{}\", \"mib\": {}, \"first_ns\": {:.1f}, \"history_ns\": "
        "{:.1f}, "
        "\"end_us\": {:.0f}, \"known\": {}, \"left_out\": {}, \"bytes_a_series\": {:.0f}",
        load_.series, load_.timers ? "timer" : "counter", load_.mib, first, median(steady),
        median(end_ns_) / 1e3, history_.series(), history_.left_out(),
        static_cast<double>(history_.bytes()) /
            static_cast<double>(std::max<std::size_t>(1, history_.series())));
    look();
    fmt::print("}}\n");
  }

 private:
  // Noted in slices; ns a series.
  double window() {
    shuffle();
    history_.begin({.start = now_, .interval = std::chrono::seconds(10)}, {});
    double spent = 0;
    for (std::size_t begin = 0; begin < load_.series; begin += slice_points) {
      const Snapshot slice = slice_from(begin);
      encode_influx(slice, history_.settings().naming);
      const double start = now_ns();
      history_.note(slice);
      spent += now_ns() - start;
    }
    const double start = now_ns();
    history_.end();
    end_ns_.push_back(now_ns() - start);
    now_ += std::chrono::seconds(10);
    return (spent + end_ns_.back()) / static_cast<double>(load_.series);
  }

  void shuffle() {
    order_.resize(load_.series);
    for (std::size_t i = 0; i < load_.series; ++i) order_[i] = i;
    std::ranges::shuffle(order_, random_);
  }

  Snapshot slice_from(std::size_t begin) {
    Snapshot slice;
    slice.span = {.start = now_, .interval = std::chrono::seconds(10)};
    slice.percents = percents_;
    for (std::size_t i = begin; i < std::min(begin + slice_points, load_.series); ++i) {
      const std::string& key = keys_[order_[i]];
      const auto count = static_cast<double>(1 + random_() % 1000);
      if (load_.timers)
        add_timer(key, count, slice);
      else
        slice.counters.push_back({key, count, count / 10});
    }
    return slice;
  }

  void add_timer(const std::string& key, double count, Snapshot& slice) const {
    slice.timers.push_back({.key = key,
                            .count = count,
                            .mean = 12.5,
                            .min = 1,
                            .max = 99,
                            .sum = count * 12.5,
                            .stddev = 3,
                            .first_percentile = slice.percentiles.size()});
    for (const double percent : percents_) slice.percentiles.push_back(percent);
  }

  template <class Look>
  void time(const char* what, Look look) {
    std::vector<double> times;
    for (int i = 0; i < 5; ++i) {
      const double start = now_ns();
      look();
      times.push_back(now_ns() - start);
    }
    fmt::print(", \"{}_ms\": {:.2f}", what, median(times) / 1e6);
  }

  void look() {
    const auto find = [&](const char* match, SortBy sort) {
      history_.find({.match = match, .kind = std::nullopt, .sort = sort});
    };
    time("find_rate", [&] { find("", SortBy::rate); });
    time("find_name", [&] { find("", SortBy::name); });
    time("find_last", [&] { find("", SortBy::last); });
    time("find_bytes", [&] { find("", SortBy::bytes); });
    time("find_part", [&] { find("requests.00", SortBy::rate); });
    time("find_glob", [&] { find("service1*.re?uests.*7", SortBy::rate); });
    const History::Found found = history_.find({});
    if (!found.rows.empty()) time("view", [&] { history_.view(found.rows.back().id); });
    time("top_prefixes", [&] { history_.top_prefixes(20); });
    time("top_bytes", [&] { history_.top_bytes(20); });
    time("prometheus", [&] { application_metrics_text(history_); });
    time("top_tags", [&] { history_.top_tags(20); });
  }

  Load load_;
  std::vector<double> percents_ = {50, 75, 95, 99, 99.9};
  History history_;
  std::deque<std::string> keys_;
  std::vector<std::size_t> order_;
  std::vector<double> end_ns_;
  std::mt19937_64 random_{1};
  WallTime now_{std::chrono::seconds(1'700'000'000)};
};

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv, "core rounds series mib timers");
  pin_to_core(static_cast<int>(arguments.number("core", -1)));
  Bench({.series = static_cast<std::size_t>(arguments.number("series", 100'000)),
         .mib = static_cast<std::size_t>(arguments.number("mib", 32)),
         .timers = arguments.number("timers", 0) != 0,
         .rounds =
             std::max<std::size_t>(1, static_cast<std::size_t>(arguments.number("rounds", 10)))})
      .run();
}
