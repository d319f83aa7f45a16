// Where a number is looked for is where the encoder puts it.

#include "encode/place.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <optional>
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

const std::vector<double> percents = {50, 99.9};

struct Written {
  Kind kind;
  double value;
  std::string_view line;
};
constexpr Written lines[] = {{Kind::counter, 1, "a.b:1|c"},      {Kind::gauge, 2, "a.b:2|g"},
                             {Kind::timer, 3, "a.b:3|ms"},       {Kind::histogram, 4, "a.b:4|h"},
                             {Kind::distribution, 5, "a.b:5|d"}, {Kind::set, 1, "a.b:x|s"}};
constexpr std::string_view name = "a.b";

/// The points of a window that holds one line.
std::vector<testing::ParsedPoint> points_of(std::string_view line, const Naming& naming) {
  Batch batch;
  parse_datagram(line, {}, batch);
  const TableRules rules;
  Table table(rules);
  table.add(batch.samples[0], {}, Instant{});
  Carry carry({.percents = percents, .details = needs_details(naming.profile)});
  const Snapshot snapshot = carry.close(table, {WallTime(1'700'000'000s), 10s});
  std::vector<testing::ParsedPoint> points;
  for (const Payload& payload : encode_influx(snapshot, naming)) {
    const auto read = testing::read_body(payload.body);
    REQUIRE(read.has_value());
    std::ranges::copy(*read, std::back_inserter(points));
  }
  return points;
}

/// The number that stands at a place; nothing if none does.
std::optional<double> number_at(const Place& place,
                                const std::vector<testing::ParsedPoint>& points) {
  for (const testing::ParsedPoint& point : points) {
    const bool has_tags = std::ranges::all_of(place.tags, [&](const StaticTag& tag) {
      return point.tag(tag.key) != nullptr && *point.tag(tag.key) == tag.value;
    });
    if (point.measurement == place.measurement && has_tags && point.field(place.field) != nullptr)
      return *point.field(place.field);
  }
  return std::nullopt;
}

const std::vector<Naming> namings = {
    {},
    {.prefix = "my app."},
    {.prefix = "my app.", .measurement = MeasurementPer::type},
    {.prefix = "p.", .profile = Profile::go_metrics},
    {.prefix = "p.", .profile = Profile::telegraf},
    {.prefix = "p.", .profile = Profile::gostatsd},
    {.prefix = "p.", .profile = Profile::etsy},
};

}  // namespace

TEST_CASE("place: in every naming each number stands where it is looked for") {
  for (const Naming& naming : namings) {
    for (const Written& each : lines) {
      CAPTURE(static_cast<int>(naming.profile));
      CAPTURE(each.line);
      const auto points = points_of(each.line, naming);
      for (const Stat stat : {Stat::value, Stat::mean, Stat::min, Stat::max, Stat::sum}) {
        const auto place = place_of(naming, each.kind, name, stat);
        if (place) CHECK(number_at(*place, points) == each.value);
      }
      const auto count = place_of(naming, each.kind, name, Stat::count);
      REQUIRE(count.has_value() == (each.kind != Kind::gauge));
      if (count) CHECK(number_at(*count, points) == 1);
      for (const double percent : percents) {
        const auto place = place_of_percentile(naming, each.kind, name, percent);
        REQUIRE(place.has_value() == is_timer_like(each.kind));
        if (place) CHECK(number_at(*place, points) == each.value);
      }
    }
  }
}

TEST_CASE("place: what a naming does not write is nowhere") {
  CHECK_FALSE(place_of({.profile = Profile::telegraf}, Kind::counter, name, Stat::rate));
  CHECK_FALSE(place_of({.profile = Profile::go_metrics}, Kind::timer, name, Stat::sum));
  CHECK_FALSE(place_of({}, Kind::gauge, name, Stat::mean));
}

TEST_CASE("place: tallyd's own series are native, whatever is chosen for the rest") {
  for (const Naming& naming : namings) {
    const auto place = place_of(naming, Kind::counter, "tallyd.lost", Stat::count);
    CHECK(place == Place{naming.prefix + "tallyd.lost.count", "count", {}});
  }
}
