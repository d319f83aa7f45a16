#include "watch/application_metrics.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <deque>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "promtool.hpp"
#include "tally/series.hpp"

using namespace tally;
using namespace tally::testing;
using namespace std::chrono_literals;

namespace {

const std::vector<double> percents = {50, 99.9};

/// A history and the keys that its snapshots view.
class Rig {
 public:
  explicit Rig(std::vector<StaticTag> static_tags = {}, std::string prefix = {})
      : history({.naming = {.prefix = std::move(prefix), .static_tags = std::move(static_tags)},
                 .percents = percents}) {}

  void count(std::string_view name, double count, std::vector<Tag> tags = {}) {
    next_.counters.push_back({key(Kind::counter, name, tags), count, count / 10});
  }
  void gauge(std::string_view name, double value, std::vector<Tag> tags = {}) {
    next_.gauges.push_back({key(Kind::gauge, name, tags), value});
  }
  void set(std::string_view name, double count) {
    next_.sets.push_back({key(Kind::set, name, {}), count});
  }
  void time(Kind kind, std::string_view name, double count, double sum,
            std::vector<Tag> tags = {}) {
    next_.timers.push_back({.key = key(kind, name, tags),
                            .count = count,
                            .mean = sum / count,
                            .min = 0,
                            .max = sum,
                            .sum = sum,
                            .stddev = 0,
                            .first_percentile = next_.percentiles.size()});
    next_.percentiles.insert(next_.percentiles.end(), {sum / 2, sum});
  }
  std::string text_after_window() {
    next_.span = {.start = now_, .interval = 10s};
    next_.percents = percents;
    now_ += 10s;
    history.begin(next_.span, {});
    history.note(next_);
    history.end();
    next_ = {};
    return application_metrics_text(history);
  }

  History history;

 private:
  std::string_view key(Kind kind, std::string_view name, const std::vector<Tag>& tags) {
    return keys_.emplace_back(builder_.build(kind, name, tags));
  }

  SeriesKeyBuilder builder_{{}};
  std::deque<std::string> keys_;
  Snapshot next_;
  WallTime now_{1'700'000'000'000ms};
};

// No sample twice, each behind the head of its name, and each head once.
void check_form(const std::string& text) {
  std::istringstream lines(text);
  std::set<std::string> samples, families;
  std::string family;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# HELP ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      CHECK_MESSAGE(families.insert(family).second, line);
    } else if (!line.starts_with('#')) {
      CHECK_MESSAGE(samples.insert(line.substr(0, line.rfind(' '))).second, line);
      CHECK_MESSAGE(line.starts_with(family), line);
    }
  }
}

bool has(const std::string& text, std::string_view line) {
  return ("\n" + text).find(fmt::format("\n{}\n", line)) != std::string::npos;
}

}  // namespace

TEST_CASE("application metrics: each kind is what Prometheus has for it") {
  Rig rig;
  rig.count("api.hits", 5, {{.key = "env", .value = "prod"}});
  rig.gauge("queue", -2.5);
  rig.set("users", 3);
  rig.time(Kind::timer, "login", 4, 10);
  rig.time(Kind::histogram, "login", 1, 1);
  rig.time(Kind::distribution, "login", 1, 1);
  const std::string text = rig.text_after_window();
  CHECK(text ==
        R"(# HELP api_hits_total counter api.hits
# TYPE api_hits_total counter
api_hits_total{env="prod"} 5
# HELP login_timer timer login
# TYPE login_timer summary
login_timer{quantile="0.5"} 5
login_timer{quantile="0.999"} 10
login_timer_sum 10
login_timer_count 4
# HELP login_hist histogram login
# TYPE login_hist summary
login_hist{quantile="0.5"} 0.5
login_hist{quantile="0.999"} 1
login_hist_sum 1
login_hist_count 1
# HELP login_dist distribution login
# TYPE login_dist summary
login_dist{quantile="0.5"} 0.5
login_dist{quantile="0.999"} 1
login_dist_sum 1
login_dist_count 1
# HELP queue_value gauge queue
# TYPE queue_value gauge
queue_value -2.5
# HELP users_members set users
# TYPE users_members gauge
users_members 3
)");
}

TEST_CASE(
    "application metrics: totals go on in windows without a value, the rest is of the last "
    "window") {
  Rig rig;
  rig.count("hits", 5);
  rig.gauge("queue", 1);
  rig.set("users", 3);
  rig.time(Kind::timer, "login", 4, 10);
  rig.text_after_window();
  rig.count("hits", 2);
  rig.time(Kind::timer, "login", 1, 3);
  rig.text_after_window();
  const std::string text = rig.text_after_window();
  CHECK(has(text, "hits_total 7"));
  CHECK(has(text, "users_members 0"));
  CHECK(has(text, "login_timer{quantile=\"0.5\"} NaN"));
  CHECK(has(text, "login_timer_sum 13"));
  CHECK(has(text, "login_timer_count 5"));
  CHECK(text.find("queue") == std::string::npos);
}

TEST_CASE(
    "application metrics: static tags are labels, a series' own tag wins; the prefix is in the "
    "name") {
  Rig rig({{"env", "static"}, {"host", "web 1"}}, "app.");
  rig.count("hits", 1, {{.key = "env", .value = "own"}});
  rig.count("hits", 2);
  const std::string text = rig.text_after_window();
  CHECK(has(text, "app_hits_total{env=\"own\",host=\"web 1\"} 1"));
  CHECK(has(text, "app_hits_total{env=\"static\",host=\"web 1\"} 2"));
}

TEST_CASE("application metrics: series that would be one are told apart by their ids") {
  Rig rig;
  rig.count("a.b", 1);
  rig.count("a_b", 2);
  rig.count("x", 1, {{.key = "a_b", .value = "1"}, {.key = "a-c", .value = "2"}});
  rig.count("x", 2, {{.key = "a-b", .value = "1"}, {.key = "a_c", .value = "2"}});
  rig.gauge("a.b", 3);
  const std::string text = rig.text_after_window();
  check_form(text);
  CHECK(has(text, "a_b_total 1"));
  const auto id_of = [&](std::string_view match, std::size_t at) {
    return fmt::format("{:016x}", rig.history
                                      .find({.match = std::string(match),
                                             .kind = Kind::counter,
                                             .sort = SortBy::last,
                                             .ascending = true})
                                      .rows.at(at)
                                      .id);
  };
  CHECK(has(text, fmt::format("a_b_total{{series_id=\"{}\"}} 2", id_of("a_b", 0))));
  CHECK(has(text, "x_total{a_b=\"1\",a_c=\"2\"} 1"));
  CHECK(has(text, fmt::format("x_total{{a_b=\"1\",a_c=\"2\",series_id=\"{}\"}} 2", id_of("x", 1))));
  CHECK(has(text, "a_b_value 3"));
}

TEST_CASE("application metrics: names of tallyd's own are not shown again, nor taken by others") {
  Rig rig;
  rig.count("tallyd.lines", 1);
  rig.count("tallyd_lines", 2);
  const std::string text = rig.text_after_window();
  CHECK(text.find("\ntallyd_lines") == std::string::npos);
  CHECK(has(text, "_tallyd_lines_total 2"));
}

namespace {

const std::vector<std::string> hostile = {
    "x y",         "\"quoted\"", "back\\slash", "{x=\"y\"} 1",
    "# help x y",  "404",        "_404",        "caf\xc3\xa9",
    "x:y",         "__name__",   "quantile",    "le",
    "a.timer.sum", "a.timer",    "a_timer",     "-",
    ".",           "x\ty",       "job",         "\xe2\x82\xac",
    "nan",         "1 2",        "series_id",   "<img src=x onerror=alert(1)>",
    "x,y",         "x=y"};

Rig& fill(Rig& rig) {
  for (std::size_t i = 0; i < hostile.size(); ++i) {
    const std::string& other = hostile[(i * 7 + 3) % hostile.size()];
    const std::vector<Tag> tags = {{.key = hostile[i], .value = other},
                                   {.key = other, .value = hostile[(i + 5) % hostile.size()]}};
    for (const auto& own : {std::vector<Tag>{}, tags}) {
      rig.count(hostile[i], 1e300, own);
      rig.gauge(hostile[i], -0.0, own);
      rig.time(Kind::timer, hostile[i], 1, 5e-324, own);
      rig.time(Kind::histogram, hostile[i], 1, 1, own);
    }
  }
  return rig;
}

}  // namespace

TEST_CASE("application metrics: promtool reads hostile names and has nothing to say about them" *
          doctest::skip(!has_promtool())) {
  Rig rig(std::vector<StaticTag>{{"env \"", "a\\b"}});
  const std::string text = fill(rig).text_after_window();
  check_form(text);
  const PromtoolAnswer answer = promtool_check(text);
  CHECK_MESSAGE(answer.status == 0, answer.complaints);
}

// What it would rather have otherwise is the sender's own choice of words.
TEST_CASE("application metrics: promtool reads names that are against its taste" *
          doctest::skip(!has_promtool())) {
  Rig rig;
  for (const char* name :
       {"apiHits", "NaN", "request.ms", "my.counter", "a.gauge.b", "x.histogram", "# HELP a b"})
    rig.count(name, 1);
  const PromtoolAnswer answer = promtool_check(rig.text_after_window());
  CHECK_MESSAGE(answer.status == 3, answer.complaints);
  CHECK_MESSAGE(answer.complaints.find("error") == std::string::npos, answer.complaints);
}

TEST_CASE("application metrics: of random names no sample is there twice, and none is missing") {
  std::mt19937 random(3);
  const auto text = [&](unsigned size) {
    static const std::string letters = "ab._-: \"";
    std::string word;
    for (unsigned i = 0; i <= random() % size; ++i) word += letters[random() % letters.size()];
    return word;
  };
  Rig rig;
  for (int i = 0; i < 3000; ++i) {
    std::vector<std::string> words;
    for (int w = 0; w < 4; ++w) words.push_back(text(3));
    rig.count(text(4), 1,
              {{.key = words[0], .value = words[1]}, {.key = words[2], .value = words[3]}});
  }
  const std::string all = rig.text_after_window();
  check_form(all);
  std::size_t samples = 0;
  std::istringstream lines(all);
  for (std::string line; std::getline(lines, line);) samples += !line.starts_with('#');
  CHECK(samples == rig.history.series());
  CHECK(all.find("series_id=") != std::string::npos);
}
