#include "deliver/point_reader.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <random>

#include "line_reader.hpp"
#include "tally/encode.hpp"

using namespace tally;
using namespace tally::testing;

namespace {

using Random = std::mt19937_64;

/// Names full of what line protocol must escape, of what looks like an escape, and of UTF-8.
std::string any_text(Random& random) {
  static const std::vector<std::string> pieces{
      "a",    "b",  "é", " ",          ",", "=",  "\"",   "\\",  ".",   "1",
      "':  ", "\n", "#", "\U0001F600", "'", "\t", "\\\"", "\\ ", "{}[", "\x7F"};
  std::string text;
  for (std::size_t i = 0, size = 1 + random() % 6; i < size; ++i)
    text += pieces[random() % pieces.size()];
  return text;
}

double any_number(Random& random) {
  const double whole = static_cast<double>(random() % 2'000'000) - 1e6;
  switch (random() % 4) {
    case 0:
      return whole;
    case 1:
      return whole / 777;
    case 2:
      return whole * 1e30;
    default:
      return whole * 1e-30;
  }
}

/// The point as the strict reader of the tests has it, who knows no strings.
ParsedPoint without_strings(const Point& point) {
  ParsedPoint parsed{.measurement = point.measurement, .tags = point.tags, .stamp = point.stamp};
  for (const PointField& field : point.fields) {
    CHECK_FALSE(field.is_string);
    parsed.fields.emplace_back(field.key, std::strtod(field.value.c_str(), nullptr));
  }
  return parsed;
}

std::vector<Payload> encode_any(Random& random) {
  const std::vector<StaticTag> statics{{"dc", "eu west"}, {"host", "a,b=c"}};
  SeriesKeyBuilder builder(statics);
  const std::string keys[] = {any_text(random), any_text(random), any_text(random)};
  const std::string values[] = {any_text(random), any_text(random), any_text(random)};
  std::vector<Tag> tags;
  for (std::size_t i = 0, size = random() % 4; i < size; ++i)
    tags.push_back({.key = keys[i], .value = values[i]});
  Snapshot snapshot;
  snapshot.span = {WallTime(std::chrono::seconds(1'700'000'000)), std::chrono::seconds(10)};
  snapshot.percents = {50, 99.9};
  snapshot.percentiles = {any_number(random), any_number(random)};
  const std::int64_t time = random() % 2 == 0 ? 0 : 1'600'000'000;
  const std::string counter(builder.build(Kind::counter, any_text(random), tags, time));
  const std::string timer(builder.build(Kind::timer, any_text(random), tags));
  snapshot.counters = {{counter, any_number(random), any_number(random)}};
  snapshot.timers = {{timer, 1, any_number(random), -0.0, 4, 5, any_number(random), 0}};
  return encode_influx(snapshot, {.prefix = "p q,", .static_tags = statics});
}

}  // namespace

TEST_CASE("point_reader: what the encoder wrote is read back, as the strict reader reads it") {
  Random random(1);
  int compared = 0;
  for (int i = 0; i < 5'000; ++i) {
    for (const Payload& payload : encode_any(random)) {
      for (std::string_view body = payload.body; !body.empty();) {
        const std::string_view line = body.substr(0, body.find('\n'));
        body.remove_prefix(line.size() + 1);
        CAPTURE(std::string(line));
        const auto point = read_point(line);
        const auto expected = read_line(line);
        REQUIRE(expected);
        REQUIRE(point);
        REQUIRE(without_strings(*point) == *expected);
        ++compared;
      }
    }
  }
  CHECK(compared == 10'000);
}

TEST_CASE("point_reader: the strings of events are read back") {
  const std::string text = "it's \"x\", a=b \\ c': d";
  const auto payloads = encode_notices(
      {{"_e{" + std::to_string(text.size()) + ",1}:" + text + "|b|#k:v w", WallTime{}}}, {});
  REQUIRE(payloads.size() == 1);
  const auto point = read_point(payloads[0].body.substr(0, payloads[0].body.size() - 1));
  REQUIRE(point);
  CHECK(point->measurement == "events");
  CHECK(point->tags == std::vector<std::pair<std::string, std::string>>{{"k", "v w"}});
  REQUIRE(point->fields.size() == 4);
  CHECK(point->fields[0] == PointField{"title", text, true});
  CHECK(point->fields[1] == PointField{"text", "b", true});
}

TEST_CASE("point_reader: a line is taken apart at what is not escaped") {
  CHECK(read_point(R"(a\ b\,c=d,k\=1=v\,\ \= f\ 1=-1.5e-07,s="a\"b\\c, d=e" -17)") ==
        Point{.measurement = "a b,c=d",
              .tags = {{"k=1", "v, ="}},
              .fields = {{"f 1", "-1.5e-07", false}, {"s", "a\"b\\c, d=e", true}},
              .stamp = -17});
  CHECK(read_point(R"(a\b f=1 1)") == Point{"a\\b", {}, {{"f", "1", false}}, 1});
  CHECK(read_point(R"(m s="",n=0 0)") == Point{"m", {}, {{"s", "", true}, {"n", "0", false}}, 0});
}

TEST_CASE("point_reader: what we do not write is not read") {
  constexpr std::string_view lines[] = {"",
                                        "m",
                                        "m v=1",
                                        "m v=1 ",
                                        "m v=1 x",
                                        "m v=1 1x",
                                        "m v=1  1",
                                        "m  v=1 1",
                                        "m, v=1 1",
                                        "m,k v=1 1",
                                        "m,k= v=1 1",
                                        "m,=v v=1 1",
                                        "m v= 1",
                                        "m =1 1",
                                        "m v=1, 1",
                                        "m v=+1 1",
                                        "m v=1i 1",
                                        "m v=t 1",
                                        "m v=true 1",
                                        "m v=NaN 1",
                                        "m v=.5 1",
                                        "m v=5. 1",
                                        "m v=007 1",
                                        "m v=1e 1",
                                        "m v=1e+ 1",
                                        "m v=0x1 1",
                                        "m v=- 1",
                                        "m v=--1 1",
                                        "m v=\"a 1",
                                        "m v=\"a\"b 1",
                                        "m v=\"a\\ 1",
                                        " v=1 1",
                                        ",k=v v=1 1",
                                        "m v=1 +1",
                                        "m v=1 1.5",
                                        "m v=1 99999999999999999999"};
  for (const std::string_view line : lines) {
    CAPTURE(line);
    CHECK(read_point(line) == std::nullopt);
  }
}
