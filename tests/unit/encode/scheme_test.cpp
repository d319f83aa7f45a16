// One window in the names of each profile, as golden files. The names were compared with the
// writers' own sources (src/encode/scheme.cpp names them).

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "line_reader.hpp"
#include "tally/carry.hpp"
#include "tally/encode.hpp"
#include "tally/parse.hpp"
#include "tally/table.hpp"

using namespace tally;
using namespace std::chrono_literals;

namespace {

const std::vector<StaticTag> static_tags = {{"env", "prod"}, {"host", "web-1"}};

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  REQUIRE_MESSAGE(file.is_open(), path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The lines of a window that holds `input`.
std::string written(const std::string& input, const Naming& naming,
                    std::vector<double> percents = {50, 90, 99.9}) {
  Batch batch;
  parse_datagram(input, {}, batch);
  CHECK(batch.refused.empty());
  const TableRules rules{.static_tags = naming.static_tags};
  Table table(rules);
  for (const Sample& sample : batch.samples) table.add(sample, batch.tags_of(sample), Instant{});
  Carry carry({.percents = std::move(percents), .details = needs_details(naming.profile)});
  const Snapshot snapshot = carry.close(table, {WallTime(1'700'000'000s), 10s});
  std::string lines;
  for (const Payload& payload : encode_influx(snapshot, naming)) lines += payload.body;
  return lines;
}

/// What all golden files were made of.
std::string golden_input() {
  std::string input = read_file(TESTS_DIR "/golden/profiles.statsd");
  for (int i = 1; i <= 2000; ++i) input += "many:" + std::to_string(i) + "|ms\n";
  return input;
}

}  // namespace

TEST_CASE("profiles: one window in each writer's names equals its golden file") {
  struct Row {
    std::string file;
    Profile profile;
    MeasurementPer measurement = MeasurementPer::metric;
  };
  const std::vector<Row> rows = {
      {"go-metrics", Profile::go_metrics}, {"telegraf", Profile::telegraf},
      {"gostatsd", Profile::gostatsd},     {"etsy", Profile::etsy},
      {"native", Profile::native},         {"per_type", Profile::native, MeasurementPer::type},
  };
  for (const Row& row : rows) {
    CAPTURE(row.file);
    const std::string lines = written(golden_input(), {.prefix = "my.app ",
                                                       .static_tags = static_tags,
                                                       .profile = row.profile,
                                                       .measurement = row.measurement});
    CHECK(lines == read_file(TESTS_DIR "/golden/profiles." + row.file + ".lp"));
    const auto points = testing::read_body(lines);
    REQUIRE(points.has_value());
    CHECK(points->size() == static_cast<std::size_t>(std::ranges::count(lines, '\n')));
  }
}

TEST_CASE("profiles: what each writer makes of a counter, a gauge, a set and a timer") {
  struct Row {
    Profile profile;
    std::string counter, gauge, set, timer;
  };
  // One percentile of one value; the numbers are all 5.
  const std::vector<Row> rows = {
      {Profile::native, "a.b.count count=5,rate=0.5", "a.b.gauge value=5", "a.b.set count=1",
       "a.b.timer count=1,mean=5,min=5,max=5,sum=5,stddev=0,p90=5"},
      {Profile::go_metrics, "a.b.count count=5", "a.b.value value=5", "a.b.set count=1",
       "a.b.timer count=1,min=5,max=5,mean=5,std-dev=0,mean-rate=0.1,90-percentile=5"},
      {Profile::telegraf, "a_b,metric_type=counter value=5", "a_b,metric_type=gauge value=5",
       "a_b,metric_type=set value=1",
       "a_b,metric_type=timing mean=5,median=5,stddev=0,sum=5,upper=5,lower=5,count=1,"
       "90_percentile=5"},
      {Profile::gostatsd, "a.b count=5,rate=0.5", "a.b value=5", "a.b count=1",
       "a.b lower=5,upper=5,count=1,rate=0.1,mean=5,median=5,stddev=0,sum=5,sum_squares=25,"
       "count_90=1,mean_90=5,upper_90=5,sum_90=5,sum_squares_90=25"},
      {Profile::etsy, "a.b.counter value=5", "a.b.gauge value=5", "a.b_count value=1",
       "a.b.timer.std value=0 1700000000\na.b.timer.upper value=5 1700000000\n"
       "a.b.timer.lower value=5 1700000000\na.b.timer.count value=1 1700000000\n"
       "a.b.timer.count_ps value=0.1 1700000000\na.b.timer.sum value=5 1700000000\n"
       "a.b.timer.sum_squares value=25 1700000000\na.b.timer.mean value=5 1700000000\n"
       "a.b.timer.median value=5 1700000000\na.b.timer.count_90 value=1 1700000000\n"
       "a.b.timer.mean_90 value=5 1700000000\na.b.timer.upper_90 value=5 1700000000\n"
       "a.b.timer.sum_90 value=5 1700000000\na.b.timer.sum_squares_90 value=25"},
  };
  for (const Row& row : rows) {
    CAPTURE(static_cast<int>(row.profile));
    const Naming naming{.profile = row.profile};
    const std::string stamp = " 1700000000\n";
    CHECK(written("a.b:5|c", naming, {90}) == row.counter + stamp);
    CHECK(written("a.b:5|g", naming, {90}) == row.gauge + stamp);
    CHECK(written("a.b:x|s", naming, {90}) == row.set + stamp);
    CHECK(written("a.b:5|ms", naming, {90}) == row.timer + stamp);
  }
}

TEST_CASE("profiles: a percentile that leaves no value out of ten and one that leaves all") {
  // k = floor(4 / 100 * 10 + 0.5) = 0: the original StatsD says nothing of it.
  std::string input;
  for (int i = 1; i <= 10; ++i) input += "t:" + std::to_string(i) + "|ms\n";
  const std::string lines = written(input, {.profile = Profile::gostatsd}, {4, 90});
  CHECK(lines.find("_4=") == std::string::npos);
  CHECK(lines.find("count_90=9,mean_90=5,upper_90=9,sum_90=45,sum_squares_90=285") !=
        std::string::npos);
  CHECK(lines.find("median=5.5,") != std::string::npos);
}

TEST_CASE("profiles: no point has a tag or a field twice, whatever tags are called") {
  for (const Profile profile :
       {Profile::go_metrics, Profile::telegraf, Profile::gostatsd, Profile::etsy}) {
    const Naming naming{.static_tags = {{"lower", "s"}, {"metric_type", "s"}, {"value", "s"}},
                        .profile = profile};
    const std::string lines = written(
        "x:1|ms|#upper:a,upper_:b,50_percentile:c,metric_type:d,value:e,lower_90:f\n"
        "y:1|c|#value:a,value_:b,metric_type:c\n",
        naming);
    const auto points = testing::read_body(lines);
    REQUIRE_MESSAGE(points.has_value(), lines);
    for (const auto& point : *points) {
      std::set<std::string> names;
      for (const auto& tag : point.tags) CHECK(names.insert(tag.first).second);
      for (const auto& field : point.fields) CHECK(names.insert(field.first).second);
    }
  }
}

TEST_CASE("profiles: a percentile's name with a fraction is as each writer spells it") {
  struct Row {
    Profile profile;
    std::string_view field;
  };
  for (const Row& row :
       {Row{Profile::native, "p999="}, Row{Profile::go_metrics, ",999-percentile="},
        Row{Profile::telegraf, ",99.9_percentile="}, Row{Profile::gostatsd, ",upper_99_9="},
        Row{Profile::etsy, "t.timer.upper_99_9 value="}}) {
    CAPTURE(row.field);
    CHECK(written("t:1|ms", {.profile = row.profile}, {99.9}).find(row.field) != std::string::npos);
  }
}

TEST_CASE("profiles: tallyd's own series keep their native names") {
  SeriesKeyBuilder keys({});
  for (const Profile profile : {Profile::native, Profile::go_metrics, Profile::telegraf,
                                Profile::gostatsd, Profile::etsy}) {
    for (const auto measurement : {MeasurementPer::metric, MeasurementPer::type}) {
      Snapshot snapshot;
      snapshot.span = {WallTime(1'700'000'000s), 10s};
      const Tag state{.key = "state", .value = "accepted"};
      const std::string lines(keys.build(Kind::counter, "tallyd.lines", {&state, 1}));
      const std::string series(keys.build(Kind::gauge, "tallyd.series", {}));
      snapshot.counters = {{lines, 2, 0.2}};
      snapshot.gauges = {{series, 7}};
      const auto payloads =
          encode_influx(snapshot, {.prefix = "p.", .profile = profile, .measurement = measurement});
      REQUIRE(payloads.size() == 1);
      CHECK(payloads[0].body ==
            "p.tallyd.lines.count,state=accepted count=2,rate=0.2 1700000000\n"
            "p.tallyd.series.gauge value=7 1700000000\n");
    }
  }
}

TEST_CASE("profiles: payloads of a point for each number keep to their limits and count them") {
  Batch batch;
  parse_datagram("a:1|ms\nb:2|ms\n", {}, batch);
  const TableRules rules;
  Table table(rules);
  for (const Sample& sample : batch.samples) table.add(sample, {}, Instant{});
  Carry carry({.percents = {90}, .details = true});
  const Snapshot snapshot = carry.close(table, {WallTime(1'700'000'000s), 10s});
  const auto payloads = encode_influx(snapshot, {.profile = Profile::etsy}, {.lines_max = 5});
  REQUIRE(payloads.size() == 6);  // 2 x 14 numbers
  std::size_t points = 0;
  for (const Payload& payload : payloads) {
    CHECK(payload.points <= 5);
    CHECK(payload.points == static_cast<std::size_t>(std::ranges::count(payload.body, '\n')));
    points += payload.points;
  }
  CHECK(points == 28);
}

TEST_CASE("profiles: what a snapshot does not hold is left out") {
  Snapshot snapshot;
  snapshot.span = {WallTime(1'700'000'000s), 10s};
  snapshot.percents = {90};
  snapshot.percentiles = {4};
  SeriesKeyBuilder keys({});
  const std::string key(keys.build(Kind::timer, "t", {}));
  snapshot.timers = {{.key = key,
                      .count = 4,
                      .mean = 2.5,
                      .min = 1,
                      .max = 4,
                      .sum = 10,
                      .stddev = 1,
                      .first_percentile = 0}};
  const auto payloads = encode_influx(snapshot, {.profile = Profile::gostatsd});
  REQUIRE(payloads.size() == 1);
  CHECK(payloads[0].body ==
        "t lower=1,upper=4,count=4,rate=0.4,mean=2.5,stddev=1,sum=10 1700000000\n");
}
