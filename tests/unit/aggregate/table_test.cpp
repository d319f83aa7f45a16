#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "naive.hpp"
#include "tally/carry.hpp"
#include "tally/table.hpp"

using namespace tally;
using namespace tally::testing;

namespace {

constexpr double most = std::numeric_limits<double>::max();

Instant at(int milliseconds) {
  return Instant{} + std::chrono::milliseconds(milliseconds);
}

Sample sample(Kind kind, std::string_view name, double value, double rate = 1) {
  return {.kind = kind, .name = name, .value = value, .rate = rate};
}
Sample delta(std::string_view name, double value) {
  return {.kind = Kind::gauge, .is_delta = true, .name = name, .value = value};
}
Sample member(std::string_view name, std::string_view text) {
  return {.kind = Kind::set, .name = name, .member = text};
}

/// All numbers of every point, by who the series is: two tables are equal if these are.
using Closed = std::map<std::string, std::vector<double>>;

Closed close(const Table& table) {
  Carry carry({});
  const Snapshot snapshot = carry.close(table, {WallTime{}, std::chrono::seconds(10)});
  Closed closed;
  const auto numbers = [&](std::string_view key) -> std::vector<double>& {
    return closed[describe(as_naive_series(key))];
  };
  for (const auto& one : snapshot.counters) numbers(one.key) = {one.count, one.rate};
  for (const auto& one : snapshot.gauges) numbers(one.key) = {one.value};
  for (const auto& one : snapshot.sets) numbers(one.key) = {one.count};
  for (const auto& one : snapshot.timers) {
    auto& all = numbers(one.key);
    all = {one.count, one.mean, one.min, one.max, one.sum, one.stddev};
    for (std::size_t i = 0; i < snapshot.percents.size(); ++i) {
      all.push_back(snapshot.percentiles[one.first_percentile + i]);
    }
  }
  CHECK(closed.size() == table.size());
  return closed;
}

void check_equal(const Closed& a, const Closed& b) {
  REQUIRE(a.size() == b.size());
  for (const auto& entry : a) {  // clang 14 cannot capture a binding in INFO
    const auto& series = entry.first;
    const auto& numbers = entry.second;
    INFO(series);
    const auto found = b.find(series);
    REQUIRE(found != b.end());
    REQUIRE(numbers.size() == found->second.size());
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      CHECK(numbers[i] == doctest::Approx(found->second[i]).epsilon(1e-9));
    }
  }
}

/// A stream of samples of all kinds on a few series; timers get over 1,024 values on one of them.
/// Owns what the samples view.
class Stream {
 public:
  Stream(std::size_t size, std::uint64_t seed) : random_(seed) {
    while (items_.size() < size) items_.push_back(draw());
  }

  /// Feeds every item to the table that `choose` names by the item's number.
  template <class Choose>
  void feed(Choose choose, bool with_gauges) const {
    int now = 0;
    for (std::size_t i = 0; i < items_.size(); ++i) {
      if (!with_gauges && items_[i].kind == Kind::gauge) continue;
      Table& table = choose(i);
      const std::array<Tag, 1> tags = {Tag{"shard", i % 2 == 0 ? "even" : "odd", false}};
      // Some gauges are set at one and the same moment in several tables.
      CHECK(table.add(items_[i], tags, at(++now / 3)) <= Added::updated);
    }
  }

 private:
  Sample draw() {
    static constexpr std::string_view names[] = {"a", "b", "c"};
    static constexpr double rates[] = {1, 0.5, 0.25};
    static constexpr std::string_view members[] = {"m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7"};
    const std::string_view name = names[random_() % 3];
    const double value = static_cast<double>(random_() % 1'000) - 200;
    switch (random_() % 6) {
      case 0:
        return sample(Kind::counter, name, value, rates[random_() % 3]);
      case 1:
        return sample(Kind::gauge, name, value);
      case 2:
        return delta(name, value);
      case 3:
        return member(name, members[random_() % 8]);
      case 4:
        return sample(Kind::histogram, name, value, rates[random_() % 3]);
      default:
        return sample(Kind::timer, "a", value, rates[random_() % 3]);
    }
  }

  std::mt19937_64 random_;
  std::vector<Sample> items_;
};

struct ThreeTables {
  explicit ThreeTables(const TableRules& rules)
      : tables{Table(rules), Table(rules), Table(rules)} {}
  std::array<Table, 3> tables;
};

/// The stream over three tables, then merged in the order given: first takes second, then third; or
/// `nested`, second takes third, then first takes second.
Closed merged(const TableRules& rules, const Stream& stream, std::array<std::size_t, 3> order,
              bool nested, bool with_gauges) {
  ThreeTables parts(rules);
  const auto deal = [&](std::size_t i) -> Table& { return parts.tables[i * i % 7 % 3]; };
  stream.feed(deal, with_gauges);
  auto& [first, second, third] = order;
  if (nested) {
    parts.tables[second].merge(std::move(parts.tables[third]));
    parts.tables[first].merge(std::move(parts.tables[second]));
  } else {
    parts.tables[first].merge(std::move(parts.tables[second]));
    parts.tables[first].merge(std::move(parts.tables[third]));
  }
  CHECK(parts.tables[second].empty());
  CHECK(parts.tables[third].empty());
  return close(parts.tables[first]);
}

}  // namespace

TEST_CASE("table: a sample creates its series, the next one updates it") {
  const TableRules rules;
  Table table(rules);
  CHECK(table.empty());
  CHECK(table.add(sample(Kind::counter, "a", 2), {}, at(0)) == Added::created);
  CHECK(table.add(sample(Kind::counter, "a", 3, 0.5), {}, at(0)) == Added::updated);
  CHECK(table.add(sample(Kind::timer, "a", 3), {}, at(0)) == Added::created);
  CHECK(table.size() == 2);
  const Closed closed = close(table);
  CHECK(closed.at("counter a") == std::vector<double>{8, 0.8});
  CHECK(closed.at("timer a")[0] == 1);
}

TEST_CASE("table: entries stand in the order of their first sample") {
  const TableRules rules;
  Table table(rules);
  for (const char* name : {"c", "a", "b", "a", "c"})
    table.add(sample(Kind::counter, name, 1), {}, at(0));
  std::string order;
  for (const auto& entry : table.entries()) order += split_series_key(entry.key).name;
  CHECK(order == "cab");
}

TEST_CASE("table: gauges take the last value and the deltas behind it") {
  const TableRules rules;
  Table table(rules);
  table.add(delta("a", 100), {}, at(0));
  table.add(sample(Kind::gauge, "a", 5), {}, at(1));
  table.add(delta("a", -3), {}, at(2));
  table.add(delta("b", 4), {}, at(3));
  table.add(delta("b", -6), {}, at(3));
  const Closed closed = close(table);
  CHECK(closed.at("gauge a")[0] == 2);
  CHECK(closed.at("gauge b")[0] == -2);
}

TEST_CASE("table: the limit refuses new series and knows the old ones") {
  TableRules rules;
  rules.series_max = 3;
  Table table(rules);
  for (const char* name : {"a", "b", "c"}) {
    CHECK(table.add(sample(Kind::counter, name, 1), {}, at(0)) == Added::created);
  }
  for (const Kind kind : {Kind::counter, Kind::gauge, Kind::timer, Kind::set}) {
    Sample refused = sample(kind, "d", 1);
    refused.member = "m";
    CHECK(table.add(refused, {}, at(0)) == Added::series_limit);
  }
  CHECK(table.add(sample(Kind::counter, "b", 1), {}, at(0)) == Added::updated);
  CHECK(table.size() == 3);
  table.clear();
  CHECK(table.add(sample(Kind::counter, "d", 1), {}, at(0)) == Added::created);
}

TEST_CASE("table: merging goes past the limit, since accepted samples stay") {
  TableRules rules;
  rules.series_max = 2;
  Table left(rules), right(rules);
  for (const char* name : {"a", "b"}) left.add(sample(Kind::counter, name, 1), {}, at(0));
  for (const char* name : {"c", "d"}) right.add(sample(Kind::counter, name, 1), {}, at(0));
  left.merge(std::move(right));
  CHECK(left.size() == 4);
  CHECK(left.add(sample(Kind::counter, "c", 1), {}, at(0)) == Added::updated);
  CHECK(left.add(sample(Kind::counter, "e", 1), {}, at(0)) == Added::series_limit);
}

TEST_CASE("table: a sum that would overflow is refused and the series stays as it was") {
  const TableRules rules;
  Table table(rules);
  table.add(sample(Kind::counter, "c", most / 2), {}, at(0));
  table.add(sample(Kind::gauge, "g", most / 2), {}, at(0));
  table.add(delta("d", -most / 2), {}, at(0));
  table.add(sample(Kind::timer, "t", most / 2), {}, at(0));
  const Closed before = close(table);
  CHECK(table.add(sample(Kind::counter, "c", most), {}, at(1)) == Added::overflow);
  CHECK(table.add(sample(Kind::counter, "c", 1e308, 1e-6), {}, at(1)) == Added::overflow);
  CHECK(table.add(delta("g", most), {}, at(1)) == Added::overflow);
  CHECK(table.add(delta("d", -most), {}, at(1)) == Added::overflow);
  CHECK(table.add(sample(Kind::timer, "t", most), {}, at(1)) == Added::overflow);
  check_equal(close(table), before);
  CHECK(table.add(sample(Kind::counter, "c", -1), {}, at(2)) == Added::updated);
}

TEST_CASE("table: a first sample that overflows creates no series") {
  const TableRules rules;
  Table table(rules);
  CHECK(table.add(sample(Kind::counter, "c", most, 0.1), {}, at(0)) == Added::overflow);
  CHECK(table.add(sample(Kind::distribution, "t", most, 0.1), {}, at(0)) == Added::overflow);
  CHECK(table.empty());
  CHECK(table.entries().empty());
}

TEST_CASE("table: clear forgets everything") {
  const TableRules rules;
  Table table(rules);
  for (int i = 0; i < 2'000; ++i) {
    const std::string name = "series." + std::to_string(i);
    table.add(sample(Kind::counter, name, 1), {}, at(0));
  }
  table.clear();
  CHECK(table.empty());
  CHECK(table.entries().empty());
  CHECK(table.add(sample(Kind::counter, "series.7", 5), {}, at(0)) == Added::created);
  CHECK(close(table).at("counter series.7")[0] == 5);
}

TEST_CASE("table: a moved table takes its samples along") {
  const TableRules rules;
  Table table(rules);
  table.add(sample(Kind::counter, "a", 7), {}, at(0));
  Table moved = std::move(table);
  CHECK(moved.add(sample(Kind::counter, "a", 1), {}, at(0)) == Added::updated);
  CHECK(close(moved).at("counter a")[0] == 8);
}

TEST_CASE("table: tags that equal a static tag make no second series") {
  TableRules rules;
  rules.static_tags = {{"host", "h"}};
  Table table(rules);
  const std::array<Tag, 1> own = {Tag{"host", "h", false}}, other = {Tag{"host", "i", false}};
  table.add(sample(Kind::counter, "a", 1), {}, at(0));
  CHECK(table.add(sample(Kind::counter, "a", 1), own, at(0)) == Added::updated);
  CHECK(table.add(sample(Kind::counter, "a", 1), other, at(0)) == Added::created);
}

TEST_CASE("table: merging is commutative and associative") {
  const TableRules rules;
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    const Stream stream(6'000, seed);
    const Closed reference = merged(rules, stream, {0, 1, 2}, false, true);
    CHECK(reference.size() > 10);
    for (const bool nested : {false, true}) {
      check_equal(merged(rules, stream, {0, 1, 2}, nested, true), reference);
      check_equal(merged(rules, stream, {1, 2, 0}, nested, true), reference);
      check_equal(merged(rules, stream, {2, 1, 0}, nested, true), reference);
      check_equal(merged(rules, stream, {0, 2, 1}, nested, true), reference);
    }
  }
}

TEST_CASE("table: merged tables equal one that heard everything (gauges apart)") {
  const TableRules rules;
  for (const std::uint64_t seed : {4U, 5U}) {
    const Stream stream(9'000, seed);
    Table whole(rules);
    stream.feed([&](std::size_t) -> Table& { return whole; }, false);
    check_equal(merged(rules, stream, {0, 1, 2}, false, false), close(whole));
  }
}

TEST_CASE("table: an empty table is neutral") {
  const TableRules rules;
  const Stream stream(2'000, 6);
  Table table(rules), empty(rules), target(rules);
  stream.feed([&](std::size_t) -> Table& { return table; }, true);
  const Closed before = close(table);
  table.merge(std::move(empty));
  check_equal(close(table), before);
  target.merge(std::move(table));
  check_equal(close(target), before);
  CHECK(table.empty());
  CHECK(table.add(sample(Kind::counter, "again", 1), {}, at(0)) == Added::created);
}

TEST_CASE("table: of gauges in two tables the later set wins, and a set beats deltas") {
  const TableRules rules;
  for (const bool swapped : {false, true}) {
    Table left(rules), right(rules);
    left.add(sample(Kind::gauge, "both", 1), {}, at(10));
    right.add(sample(Kind::gauge, "both", 2), {}, at(20));
    left.add(delta("both", 5), {}, at(30));
    left.add(delta("set", 100), {}, at(50));
    right.add(sample(Kind::gauge, "set", 3), {}, at(20));
    right.add(delta("set", 4), {}, at(21));
    left.add(delta("moved", 10), {}, at(1));
    right.add(delta("moved", -4), {}, at(2));
    Table& target = swapped ? right : left;
    target.merge(std::move(swapped ? left : right));
    const Closed closed = close(target);
    CHECK(closed.at("gauge both")[0] == 2);
    CHECK(closed.at("gauge set")[0] == 7);
    CHECK(closed.at("gauge moved")[0] == 6);
  }
}

TEST_CASE("table: of gauges set at one moment in two tables the same one stays in either order") {
  const TableRules rules;
  double kept[2];
  for (const bool swapped : {false, true}) {
    Table left(rules), right(rules);
    left.add(sample(Kind::gauge, "g", 1), {}, at(5));
    right.add(sample(Kind::gauge, "g", 2), {}, at(5));
    Table& target = swapped ? right : left;
    target.merge(std::move(swapped ? left : right));
    kept[swapped ? 1 : 0] = close(target).at("gauge g")[0];
  }
  CHECK(kept[0] == kept[1]);
}

TEST_CASE("table: sums that overflow only when merged stay numbers") {
  const TableRules rules;
  Table tables[4] = {Table(rules), Table(rules), Table(rules), Table(rules)};
  for (int i = 0; i < 4; ++i) {
    const double value = i < 2 ? most : -most;
    tables[i].add(sample(Kind::counter, "c", value), {}, at(0));
    tables[i].add(delta("g", value), {}, at(0));
  }
  tables[0].merge(std::move(tables[1]));
  tables[2].merge(std::move(tables[3]));
  tables[0].merge(std::move(tables[2]));
  for (const auto& entry : close(tables[0])) {
    INFO(entry.first);
    for (const double number : entry.second) CHECK(std::isfinite(number));
  }
}
