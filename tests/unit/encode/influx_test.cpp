#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <limits>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "line_reader.hpp"
#include "tally/carry.hpp"
#include "tally/encode.hpp"
#include "tally/parse.hpp"
#include "tally/series.hpp"
#include "tally/table.hpp"

using namespace tally;
using namespace std::chrono_literals;

namespace {

constexpr double infinite = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

Span window(std::chrono::milliseconds start = 1'700'000'000s,
            std::chrono::milliseconds interval = 10s) {
  return Span{WallTime(start), interval};
}

// Keys made as the receive path makes them.
class SnapshotMaker {
 public:
  Snapshot snapshot{.span = window()};

  std::string_view key(Kind kind, std::string_view name, std::vector<Tag> tags = {}) {
    SeriesKeyBuilder builder({});
    return snapshot.owned_keys.emplace_back(builder.build(kind, name, tags));
  }
  void gauge(std::string_view name, double value, std::vector<Tag> tags = {}) {
    snapshot.gauges.push_back({key(Kind::gauge, name, std::move(tags)), value});
  }
  void timer(Kind kind, std::string_view name, std::vector<double> percentiles) {
    snapshot.timers.push_back(
        {key(kind, name), 4, 2.5, 1, 4, 10, 1.25, snapshot.percentiles.size()});
    for (const double value : percentiles) snapshot.percentiles.push_back(value);
  }
};

std::string all_of(const std::vector<Payload>& payloads) {
  std::string text;
  for (const Payload& payload : payloads) text += payload.body;
  return text;
}

std::string encoded(const Snapshot& snapshot, const Naming& naming = {}) {
  return all_of(encode_influx(snapshot, naming));
}

std::size_t lines_of(const std::string& body) {
  return static_cast<std::size_t>(std::count(body.begin(), body.end(), '\n'));
}

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  REQUIRE_MESSAGE(file.is_open(), path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("encode_influx: each kind has its measurement and its fields") {
  SnapshotMaker maker;
  maker.snapshot.percents = {50, 99.9};
  maker.snapshot.counters.push_back({maker.key(Kind::counter, "count_request"), 6, 0.6});
  maker.timer(Kind::timer, "response_time", {2, 4});
  maker.timer(Kind::histogram, "size", {3, 4});
  maker.timer(Kind::distribution, "size", {1, 2});
  maker.gauge("temp", 21.5);
  maker.snapshot.sets.push_back({maker.key(Kind::set, "users"), 3});
  CHECK(
      encoded(maker.snapshot) ==
      "count_request.count count=6,rate=0.6 1700000000\n"
      "response_time.timer count=4,mean=2.5,min=1,max=4,sum=10,stddev=1.25,p50=2,p999=4 "
      "1700000000\n"
      "size.histogram count=4,mean=2.5,min=1,max=4,sum=10,stddev=1.25,p50=3,p999=4 1700000000\n"
      "size.distribution count=4,mean=2.5,min=1,max=4,sum=10,stddev=1.25,p50=1,p999=2 1700000000\n"
      "temp.gauge value=21.5 1700000000\n"
      "users.set count=3 1700000000\n");
}

TEST_CASE("encode_influx: an empty snapshot gives no payload") {
  CHECK(encode_influx(SnapshotMaker().snapshot, {}).empty());
}

TEST_CASE("encode_influx: static tags and own tags are sorted together, an own one wins") {
  const Naming naming{
      .static_tags = {{"dc", "x"}, {"env", "prod"}, {"host", "web 1"}, {"none", ""}}};
  SnapshotMaker maker;
  maker.gauge("a", 1);
  maker.gauge("b", 2, {{"host", "own"}});
  maker.gauge("c", 3, {{"zone", "z"}, {"app", "q"}, {"eng", "e"}});
  CHECK(encoded(maker.snapshot, naming) ==
        "a.gauge,dc=x,env=prod,host=web\\ 1 value=1 1700000000\n"
        "b.gauge,dc=x,env=prod,host=own value=2 1700000000\n"
        "c.gauge,app=q,dc=x,eng=e,env=prod,host=web\\ 1,zone=z value=3 1700000000\n");
}

TEST_CASE("encode_influx: the prefix stands in front of every measurement, escaped") {
  SnapshotMaker maker;
  maker.gauge("a", 1);
  CHECK(encoded(maker.snapshot, {.prefix = "my app."}) == "my\\ app.a.gauge value=1 1700000000\n");
}

TEST_CASE("encode_influx: stamps are in seconds only if start and interval are whole seconds") {
  struct Row {
    const char* name;
    Span span;
    const char* stamp;
    Precision precision;
  };
  const Row rows[] = {
      {"whole", window(1'700'000'010s, 10s), "1700000010", Precision::seconds},
      {"a window of 100 ms on a whole second", window(1'700'000'000s, 100ms), "1700000000000",
       Precision::milliseconds},
      {"a window of 500 ms", window(1'700'000'000'500ms, 500ms), "1700000000500",
       Precision::milliseconds},
      {"cut short by a stop", window(1'700'000'003'217ms, 10s), "1700000003217",
       Precision::milliseconds},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    SnapshotMaker maker;
    maker.snapshot.span = row.span;
    maker.gauge("a", 1);
    const std::vector<Payload> payloads = encode_influx(maker.snapshot, {});
    REQUIRE(payloads.size() == 1);
    CHECK(payloads[0].body == std::string("a.gauge value=1 ") + row.stamp + "\n");
    CHECK(payloads[0].precision == row.precision);
    CHECK(payloads[0].window == row.span.start);
  }
}

TEST_CASE(
    "encode_influx: a field that is not finite is left out, a line without fields is not written") {
  SnapshotMaker maker;
  maker.snapshot.counters.push_back({maker.key(Kind::counter, "c"), 1, infinite});
  maker.snapshot.counters.push_back({maker.key(Kind::counter, "d"), not_a_number, 2});
  maker.gauge("gone", not_a_number);
  maker.gauge("gone", -infinite, {{"k", "v"}});
  maker.gauge("here", 1);
  const std::vector<Payload> payloads = encode_influx(maker.snapshot, {});
  REQUIRE(payloads.size() == 1);
  CHECK(payloads[0].body ==
        "c.count count=1 1700000000\n"
        "d.count rate=2 1700000000\n"
        "here.gauge value=1 1700000000\n");
  CHECK(payloads[0].points == 3);
}

TEST_CASE("encode_influx: a snapshot of which no field is finite gives no payload") {
  SnapshotMaker maker;
  maker.gauge("gone", infinite);
  CHECK(encode_influx(maker.snapshot, {}).empty());
}

TEST_CASE("encode_influx: payloads keep to their limits, in order, and nothing is lost or cut") {
  SnapshotMaker maker;
  for (int i = 0; i < 1000; ++i) {
    maker.gauge("series." + std::string(static_cast<std::size_t>(i % 40), 'x') + std::to_string(i),
                i);
  }
  const std::string whole = encoded(maker.snapshot);
  const PayloadLimits table[] = {{1 << 20, 5000}, {1 << 20, 999}, {1 << 20, 1000}, {1 << 20, 1},
                                 {4096, 5000},    {100, 5000},    {500, 7},        {1, 5000}};
  for (const PayloadLimits& limits : table) {
    CAPTURE(limits.bytes_max);
    CAPTURE(limits.lines_max);
    const std::vector<Payload> payloads = encode_influx(maker.snapshot, {}, limits);
    CHECK(all_of(payloads) == whole);
    for (const Payload& payload : payloads) {
      CHECK(payload.points > 0);
      CHECK(payload.points <= limits.lines_max);
      CHECK((payload.points == 1 || payload.body.size() <= limits.bytes_max));
      CHECK(payload.points == lines_of(payload.body));
      CHECK(payload.body.back() == '\n');
      CHECK(payload.id == 0);
    }
  }
}

TEST_CASE("encoded_sizes: one a point, of all its lines") {
  for (const Profile profile : {Profile::native, Profile::etsy}) {
    SnapshotMaker maker;
    maker.snapshot.percents = {50, 99};
    for (int i = 0; i < 3; ++i) {
      maker.gauge("g" + std::to_string(i), i == 1 ? infinite : i);
      maker.timer(Kind::timer, "t" + std::to_string(i), {1, i == 2 ? not_a_number : 2});
      maker.snapshot.counters.push_back({maker.key(Kind::counter, "c"), 1, 0.1});
      maker.snapshot.sets.push_back({maker.key(Kind::set, "s"), 1});
    }
    const Naming naming{.prefix = "p.", .static_tags = {{"host", "h"}}, .profile = profile};
    const std::vector<std::size_t> sizes = encoded_sizes(maker.snapshot, naming);
    REQUIRE(sizes.size() == 12);
    CHECK(sizes[7] == 0);  // the gauge that is not finite gives no line
    Snapshot one = maker.snapshot;
    one.counters.resize(1);
    one.timers.clear();
    one.gauges.clear();
    one.sets.clear();
    CHECK(sizes[0] == encoded(one, naming).size());
    std::size_t all = 0;
    for (const std::size_t size : sizes) all += size;
    CHECK(all == encoded(maker.snapshot, naming).size());
  }
}

TEST_CASE("encode_influx: a payload is filled before the next begins") {
  SnapshotMaker maker;
  for (int i = 10; i < 90; ++i) maker.gauge("g" + std::to_string(i), 1);
  const std::size_t line = std::string_view("g10.gauge value=1 1700000000\n").size();
  const std::vector<Payload> payloads = encode_influx(maker.snapshot, {}, {.bytes_max = 10 * line});
  REQUIRE(payloads.size() == 8);
  for (const Payload& payload : payloads) CHECK(payload.body.size() == 10 * line);
}

TEST_CASE("encode_influx: a line over the limit goes alone, between its neighbours") {
  SnapshotMaker maker;
  maker.gauge("a", 1);
  maker.gauge(std::string(300, 'l'), 2);
  maker.gauge("b", 3);
  const std::vector<Payload> payloads = encode_influx(maker.snapshot, {}, {.bytes_max = 100});
  REQUIRE(payloads.size() == 3);
  CHECK(payloads[1].points == 1);
  CHECK(payloads[1].body.size() > 300);
}

TEST_CASE(
    "encode_influx: whatever a sample is named, the line reads back as its series and value") {
  // Bytes that line protocol knows, in every place, and what SeriesKeyBuilder has made of them.
  const std::string alphabet = "a,= \"#\\.\t'";
  std::mt19937 random(99);
  std::uniform_int_distribution<std::size_t> any(0, alphabet.size() - 1);
  auto word = [&] {
    std::string text;
    for (std::size_t size = any(random); text.size() <= size;) text += alphabet[any(random)];
    return text;
  };
  for (int i = 0; i < 3000; ++i) {
    const std::string name = word();
    const std::string tag_key = word();
    const std::string tag_value = word();
    SnapshotMaker maker;
    maker.gauge(name, i / 8.0, {{tag_key, tag_value}});
    const Series series = split_series_key(maker.snapshot.gauges[0].key);
    const auto points = testing::read_body(encoded(maker.snapshot));
    REQUIRE(points.has_value());
    REQUIRE(points->size() == 1);
    CHECK(points->front().measurement == std::string(series.name) + ".gauge");
    REQUIRE(points->front().tags.size() == 1);
    CHECK(points->front().tags[0].first == series.tags[0].key);
    CHECK(points->front().tags[0].second == series.tags[0].value);
    CHECK(*points->front().field("value") == i / 8.0);
  }
}

TEST_CASE(
    "encode_influx: a window from datagrams to lines equals the golden file, and is well-formed") {
  // What the fields mean is proved elsewhere; this shows a whole window as a user would see it.
  const std::string input = read_file(TESTS_DIR "/golden/native.statsd");
  const TableRules rules{.static_tags = {{"env", "prod"}, {"host", "web-1"}}};
  Batch batch;
  parse_datagram(input, {}, batch);
  Table table(rules);
  for (const Sample& sample : batch.samples) table.add(sample, batch.tags_of(sample), Instant{});
  Carry carry{CarryRules{}};
  const Snapshot snapshot = carry.close(table, window());
  CHECK(batch.refused.empty());

  const std::string lines = encoded(snapshot, {.static_tags = rules.static_tags});
  CHECK(lines == read_file(TESTS_DIR "/golden/native.lp"));
  const auto points = testing::read_body(lines);
  REQUIRE(points.has_value());
  CHECK(points->size() == snapshot.points());
}

TEST_CASE("influx: series of a second of their own are stamped within it, apart from the window") {
  SeriesKeyBuilder keys({});
  const std::string own(keys.build(Kind::counter, "a", {}, 1'699'999'990));
  const std::string open(keys.build(Kind::counter, "a", {}));
  std::vector<std::string> stamps;
  for (const auto start : {1'700'000'010'000ms, 1'700'000'020'000ms, 1'700'000'023'217ms}) {
    Snapshot snapshot;
    snapshot.span = {WallTime(start), 10s};
    snapshot.counters = {{own, 1, 0.1}, {open, 2, 0.2}};
    const std::vector<Payload> payloads = encode_influx(snapshot, {});
    REQUIRE(payloads.size() == 2);
    CHECK(payloads[0].body.starts_with("a.count count=2,rate=0.2 1700000"));
    CHECK(payloads[1].precision == Precision::nanoseconds);
    REQUIRE(payloads[1].body.starts_with("a.count count=1,rate=0.1 1699999990"));
    stamps.push_back(payloads[1].body.substr(payloads[1].body.size() - 20));
    CHECK(stamps.back().substr(10) != "000000000\n");
  }
  // Else a second window would overwrite what the first wrote into the same second.
  CHECK(stamps[0] != stamps[1]);
  CHECK(stamps[1] != stamps[2]);
}
