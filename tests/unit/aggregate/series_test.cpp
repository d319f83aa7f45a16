#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "naive.hpp"
#include "tally/series.hpp"

using namespace tally;
using namespace tally::testing;

namespace {

constexpr Kind all_kinds[] = {Kind::counter,   Kind::gauge,        Kind::timer,
                              Kind::histogram, Kind::distribution, Kind::set};

/// "name #k=v #l=w" of the key that a sample gets.
std::string built(Kind kind, std::string_view name, const std::vector<Tag>& tags,
                  const std::vector<StaticTag>& static_tags = {}) {
  SeriesKeyBuilder builder(static_tags);
  return describe(as_naive_series(builder.build(kind, name, tags)));
}

Tag bare(std::string_view key) {
  return {key, {}, true};
}

/// Draws names and tags from bytes that mean something, so that rules meet each other often.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : random_(seed) {}

  NaiveSample sample() {
    NaiveSample sample;
    sample.kind = all_kinds[random_() % std::size(all_kinds)];
    sample.name = text(1 + random_() % 4);
    for (std::size_t count = random_() % 6; count > 0; --count) {
      std::string key = random_() % 3 == 0 ? field() : text(1 + random_() % 2);
      sample.tags.push_back({std::move(key), value()});
    }
    return sample;
  }

 private:
  std::string text(std::size_t size) {
    constexpr std::string_view bytes("ab_#\\\0\1\n\x7f =,\"\xc3\xa9", 15);
    std::string text;
    while (text.size() < size) text += bytes[random_() % bytes.size()];
    return text;
  }
  std::string field() {
    constexpr std::string_view fields[] = {"time", "time_", "value", "count",
                                           "p99",  "p",     "mean",  "_field"};
    return std::string(fields[random_() % std::size(fields)]);
  }
  std::optional<std::string> value() {
    if (random_() % 4 == 0) return std::nullopt;
    return text(random_() % 3);
  }

  std::mt19937_64 random_;
};

std::vector<Tag> views(const std::vector<NaiveTag>& tags) {
  std::vector<Tag> views;
  for (const NaiveTag& tag : tags) {
    views.push_back(tag.value ? Tag{tag.key, *tag.value, false} : bare(tag.key));
  }
  return views;
}

}  // namespace

TEST_CASE("series: kind, name and tags make the identity") {
  CHECK(built(Kind::counter, "a.b", {}) == "counter a.b");
  CHECK(built(Kind::timer, "a.b", {{"k", "v"}}) == "timer a.b #k=v");
  CHECK(built(Kind::set, "caf\xc3\xa9", {{"\xc3\xa9", "\xc3\xa9"}}) ==
        "set caf\\xc3\\xa9 #\\xc3\\xa9=\\xc3\\xa9");
  for (const Kind kind : all_kinds) {
    CHECK(built(kind, "a", {{"k", "v"}}) == std::string(to_string(kind)) + " a #k=v");
  }
}

TEST_CASE("series: tags are sorted by key in byte order, whatever the order of the line") {
  const std::string expected = "counter a #B=1 #a=2 #ab=3 #\\xc3\\xa9=4";
  std::vector<Tag> tags = {{"B", "1"}, {"a", "2"}, {"ab", "3"}, {"\xc3\xa9", "4"}};
  std::ranges::sort(tags, {}, &Tag::key);
  SeriesKeyBuilder builder({});
  const std::string first(builder.build(Kind::counter, "a", tags));
  do {
    CHECK(builder.build(Kind::counter, "a", tags) == first);
  } while (std::ranges::next_permutation(tags, {}, &Tag::key).found);
  CHECK(describe(as_naive_series(first)) == expected);
  std::vector<std::string> keys;
  for (const TagView& tag : split_series_key(first).tags) keys.emplace_back(tag.key);
  CHECK(keys == std::vector<std::string>{"B", "a", "ab", "\xc3\xa9"});
}

TEST_CASE("series: of a repeated tag the last one wins") {
  CHECK(built(Kind::counter, "a", {{"k", "1"}, {"l", "x"}, {"k", "2"}}) == "counter a #k=2 #l=x");
  CHECK(built(Kind::counter, "a", {{"k", "1"}, bare("k")}) == "counter a #k=true");
  // Keys that become equal by cleaning are one key too: influxd refuses duplicates.
  CHECK(built(Kind::counter, "a", {{"k_", "1"}, {"k\\", "2"}}) == "counter a #k_=2");
  CHECK(built(Kind::counter, "a", {{"time_", "1"}, {"time", "2"}}) == "counter a #time_=2");
  CHECK(built(Kind::counter, "a", {{"time", "2"}, {"time_", "1"}}) == "counter a #time_=1");
  CHECK(built(Kind::counter, "a", {{"k", "1"}, {"k", ""}}) == "counter a");
}

TEST_CASE("series: control bytes and backslashes become underscores everywhere") {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text = {'x', static_cast<char>(byte), 'y'};
    const bool is_unsafe = byte < 0x20 || byte == 0x7f || byte == '\\';
    const std::string clean = is_unsafe ? "x_y" : text;
    SeriesKeyBuilder builder({});
    const std::vector<Tag> tags = {{text, text}};
    const Series series = split_series_key(builder.build(Kind::gauge, text, tags));
    CHECK(series.name == clean);
    REQUIRE(series.tags.size() == 1);
    CHECK(series.tags[0] == TagView{clean, clean});
  }
}

TEST_CASE("series: only a name's first # is replaced") {
  CHECK(built(Kind::counter, "#a#b", {{"#k", "#v"}}) == "counter _a#b ##k=#v");
  CHECK(built(Kind::counter, "##", {}) == "counter _#");
}

TEST_CASE("series: tags that InfluxDB would refuse are left out, bare ones are true") {
  CHECK(built(Kind::counter, "a", {{"", "v"}, {"k", ""}, {"l", "w"}}) == "counter a #l=w");
  CHECK(built(Kind::counter, "a", {bare("urgent")}) == "counter a #urgent=true");
  CHECK(built(Kind::counter, "a", {bare("")}) == "counter a");
}

TEST_CASE("series: a tag named time or as a field of its kind gets an underscore") {
  struct Row {
    Kind kind;
    const char* renamed;
    const char* kept;
  };
  constexpr Row rows[] = {
      {Kind::counter, "count", "value"}, {Kind::counter, "rate", "mean"},
      {Kind::gauge, "value", "count"},   {Kind::set, "count", "rate"},
      {Kind::timer, "count", "rate"},    {Kind::timer, "mean", "value"},
      {Kind::timer, "min", "p"},         {Kind::timer, "max", "pp50"},
      {Kind::timer, "sum", "p50x"},      {Kind::timer, "stddev", "P50"},
      {Kind::timer, "p50", "p 50"},      {Kind::timer, "p9995", "summ"},
      {Kind::histogram, "p99", "Mean"},  {Kind::distribution, "p1", "1p"},
      {Kind::gauge, "time", "p50"},      {Kind::counter, "time", "Time"},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.renamed), " ", std::string(row.kept));
    const std::string start = std::string(to_string(row.kind)) + " a #";
    CHECK(built(row.kind, "a", {{row.renamed, "v"}}) == start + row.renamed + "_=v");
    CHECK(built(row.kind, "a", {{row.kept, "v"}}) == start + row.kept + "=v");
    CHECK(is_field_name(row.kind, row.renamed) == (row.renamed != std::string("time")));
    CHECK_FALSE(is_field_name(row.kind, row.kept));
  }
}

TEST_CASE("series: a tag that equals a static tag is left out, another value stays") {
  const std::vector<StaticTag> statics = {{"dc", "eu"}, {"host", "h1"}};
  CHECK(built(Kind::counter, "a", {{"host", "h1"}, {"k", "v"}}, statics) == "counter a #k=v");
  CHECK(built(Kind::counter, "a", {{"host", "h2"}}, statics) == "counter a #host=h2");
  CHECK(built(Kind::counter, "a", {{"host", "h2"}, {"host", "h1"}}, statics) == "counter a");
  CHECK(built(Kind::counter, "a", {{"host", "h1"}, {"host", "h2"}}, statics) ==
        "counter a #host=h2");
  CHECK(built(Kind::counter, "a", {{"dc", "h1"}}, statics) == "counter a #dc=h1");
}

TEST_CASE("series: a builder forgets the key before") {
  SeriesKeyBuilder builder({});
  const std::vector<Tag> tags = {{"k", "v"}, {"l", "w"}};
  const std::string tagged(builder.build(Kind::timer, "long.name", tags));
  const std::string plain(builder.build(Kind::counter, "a", {}));
  CHECK(describe(as_naive_series(plain)) == "counter a");
  CHECK(builder.build(Kind::timer, "long.name", tags) == tagged);
}

TEST_CASE("series: a split into an existing object leaves nothing of the one before") {
  SeriesKeyBuilder builder({});
  const std::vector<Tag> tags = {{"k", "v"}, {"l", "w"}};
  const std::string tagged(builder.build(Kind::timer, "x", tags));
  const std::string plain(builder.build(Kind::counter, "a", {}));
  Series series{};
  split_series_key(tagged, series);
  CHECK(series.tags == std::vector<TagView>{{"k", "v"}, {"l", "w"}});
  split_series_key(plain, series);
  CHECK(series.kind == Kind::counter);
  CHECK(series.name == "a");
  CHECK(series.tags.empty());
}

TEST_CASE("series: 20,000 hostile samples have equal keys exactly if the twin says one series") {
  const std::vector<StaticTag> statics = {{"a", "b"}, {"time_", "a"}};
  SeriesKeyBuilder builder(statics);
  std::map<NaiveSeries, std::string> keys;
  Draw draw(11);
  for (int i = 0; i < 20'000; ++i) {
    const NaiveSample sample = draw.sample();
    INFO(describe(sample));
    const std::string key(builder.build(sample.kind, sample.name, views(sample.tags)));
    const NaiveSeries series = naive_series(sample, statics);
    REQUIRE(describe(as_naive_series(key)) == describe(series));
    REQUIRE(keys.emplace(series, key).first->second == key);
  }
  CHECK(keys.size() > 1'000);
}

TEST_CASE("series: tags that InfluxQL has a meaning for get a '_' behind them") {
  SeriesKeyBuilder builder({});
  for (const std::string name :
       {"time", "_name", "_tagKey", "_tagValue", "_seriesKey", "_field", "_measurement"}) {
    CAPTURE(name);
    const Tag tag{.key = name, .value = "x"};
    const Series series = split_series_key(builder.build(Kind::gauge, "a", std::span(&tag, 1)));
    REQUIRE(series.tags.size() == 1);
    CHECK(series.tags[0].key == name + "_");
  }
}

TEST_CASE("series key: a second of its own is part of it, and digits of a name are none") {
  SeriesKeyBuilder keys({});
  for (const Kind kind : {Kind::counter, Kind::gauge, Kind::timer, Kind::set}) {
    CAPTURE(to_string(kind));
    CHECK(split_series_key(keys.build(kind, "123", {})) == Series{kind, "123", {}, 0});
    CHECK(time_of_series_key(keys.build(kind, "123", {})) == 0);
    const std::string timed(keys.build(kind, "a1", std::vector<Tag>{{"k", "2"}}, 1700000000));
    CHECK(split_series_key(timed) == Series{kind, "a1", {{"k", "2"}}, 1700000000});
    CHECK(time_of_series_key(timed) == 1700000000);
    CHECK(split_series_key(keys.build(kind, "a1", {}, 7)) == Series{kind, "a1", {}, 7});
  }
}

TEST_CASE("series: tags are written behind the name") {
  CHECK(name_with_tags({Kind::counter, "a.b", {}}) == "a.b");
  CHECK(name_with_tags({Kind::timer, "a.b", {{"env", "prod"}, {"region", "eu"}}, 1700000000}) ==
        "a.b;env=prod;region=eu");
  CHECK(name_with_tags({Kind::counter, "a;b=c", {}}) == "a\\;b=c");
  CHECK(name_with_tags({Kind::counter, "a", {{"b", "c=d;e"}, {"f=g;h", "i"}}}) ==
        "a;b=c=d\\;e;f\\=g\\;h=i");
}

TEST_CASE("series: no two of a kind are written alike") {
  const std::vector<std::string> parts = {";", "=", "a", "a;", ";a", "a=", "=a", "a=a", "a;a=a"};
  std::map<std::string, std::size_t> written;
  const auto write = [&](std::string_view name, std::vector<TagView> tags) {
    ++written[name_with_tags({Kind::counter, name, std::move(tags)})];
  };
  for (const std::string& name : parts) {
    write(name, {});
    for (const std::string& key : parts)
      for (const std::string& value : parts) {
        write(name, {{key, value}});
        write(name, {{key, value}, {"z", value}});
      }
  }
  CHECK(written.size() == 9 + 81 * 2 * 9);
}
