#include "watch/history.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "naive_history.hpp"
#include "tally/encode.hpp"
#include "watch/record.hpp"

using namespace tally;
using namespace tally::testing;
using namespace std::chrono_literals;

namespace {

const std::vector<double> percents = {50, 99.9};

std::string key_of(Kind kind, std::string_view name, std::vector<Tag> tags = {},
                   std::int64_t time = 0) {
  SeriesKeyBuilder builder({});
  return std::string(builder.build(kind, name, tags, time));
}

Span window_span(int number) {
  return {.start = WallTime(1'700'000'000'000ms + number * 10s), .interval = 10s};
}

Snapshot counters(int window, const std::vector<std::pair<std::string, double>>& counts) {
  Snapshot snapshot;
  snapshot.span = window_span(window);
  snapshot.percents = percents;
  for (const auto& [name, count] : counts) {
    const std::string& key = snapshot.owned_keys.emplace_back(key_of(Kind::counter, name));
    snapshot.counters.push_back({key, count, count / 10});
  }
  return snapshot;
}

void note(History& history, const Snapshot& snapshot, std::span<const Sender> senders = {}) {
  history.begin(snapshot.span, senders);
  history.note(snapshot);
  history.end();
}

std::vector<std::string> names(const History::Found& found) {
  std::vector<std::string> names;
  for (const HistoryRow& row : found.rows) names.emplace_back(row.series.name);
  return names;
}

std::optional<HistoryDetail> view_by_name(const History& history, const std::string& name) {
  const History::Found found = history.find({.match = name, .kind = std::nullopt});
  return found.rows.empty() ? std::nullopt : history.view(found.rows.front().id);
}

// ---- random windows

const std::vector<double> hostile_numbers = {
    0, -0.0, 1, 0.1, 1e300, -1e300, 1.7976931348623157e308, 5e-324, 123456789.125, 1e21, -7};

class Traffic {
 public:
  Traffic(std::uint64_t seed, bool details) : random_(seed), details_(details) {
    for (int i = 0; i < 60; ++i) keys_.push_back(random_key());
    std::ranges::sort(keys_);
    keys_.erase(std::unique(keys_.begin(), keys_.end()), keys_.end());
    for (std::uint16_t i = 1; i < 4; ++i) senders_.push_back(sender(i));
  }

  /// The next window: whole, its keys viewing this object.
  Snapshot window() {
    Snapshot snapshot;
    // Some windows are longer, and some stamped with milliseconds.
    snapshot.span = {.start = now_, .interval = one_of(6) == 0 ? 10'500ms : 10'000ms};
    now_ += snapshot.span.interval;
    snapshot.percents = percents;
    // A tenth of the time nearly nothing is heard, so that series are forgotten.
    const unsigned share = one_of(10) == 0 ? 50 : 3;
    quiet_ = one_of(40) == 0 ? 1 + one_of(70) : quiet_ - (quiet_ > 0);
    for (const std::string& key : keys_)
      if (one_of(quiet_ > 0 ? 200 : share) == 0) add(key, snapshot);
    add(key_of_second_, snapshot);
    return snapshot;
  }
  std::span<const Sender> senders() const { return senders_; }

  unsigned one_of(unsigned count) { return static_cast<unsigned>(random_() % count); }

 private:
  static Sender sender(std::uint16_t number) {
    Sender sender;
    if (number == 0) return sender;
    sender.peer = {.family = Peer::Family::v4, .ip = {127, 0, 0, 1}, .port = number, .pid = 0};
    return sender;
  }

  std::string random_key() {
    static const std::vector<std::string> parts = {"api", "db", "user_1", "a b",
                                                   "x,y", "ü",  "tallyd", "q"};
    std::string name = parts[one_of(8)];
    for (unsigned dots = one_of(4); dots > 0; --dots) name += "." + parts[one_of(8)];
    std::vector<Tag> tags;
    static const std::vector<std::string> tag_keys = {"env", "p50", "value", "metric_type", "name"};
    for (const std::string& tag : tag_keys)
      if (one_of(4) == 0) tags.push_back({.key = tag, .value = parts[one_of(8)]});
    return key_of(static_cast<Kind>(one_of(value_kind_count)), name, tags);
  }

  double number() {
    if (one_of(3) == 0)
      return hostile_numbers[one_of(static_cast<unsigned>(hostile_numbers.size()))];
    return std::uniform_real_distribution<double>(-1e6, 1e6)(random_);
  }

  void add(const std::string& key, Snapshot& snapshot) {
    const auto sender = static_cast<std::uint16_t>(one_of(4));
    const double count = number();
    switch (static_cast<Kind>(key.front())) {
      case Kind::counter:
        snapshot.counters.push_back({key, count, count / 10, sender});
        return;
      case Kind::gauge:
        if (one_of(2) == 0)
          snapshot.gauges.push_back({key, count, 0, std::chrono::seconds(10 * one_of(30))});
        else
          snapshot.gauges.push_back({key, count, sender});
        return;
      case Kind::set:
        snapshot.sets.push_back({key, count, sender});
        return;
      default:
        add_timer(key, sender, snapshot);
    }
  }

  void add_timer(const std::string& key, std::uint16_t sender, Snapshot& snapshot) {
    Snapshot::Timer timer{
        .key = key,
        .count = number(),
        .mean = number(),
        .min = number(),
        .max = number(),
        .sum = number(),
        .stddev = one_of(5) == 0 ? std::numeric_limits<double>::infinity() : number(),
        .first_percentile = snapshot.percentiles.size()};
    timer.sender = sender;
    for (std::size_t i = 0; i < percents.size(); ++i) snapshot.percentiles.push_back(number());
    if (details_) {
      timer.median = number();
      timer.sum_squares = number();
      for (std::size_t i = 0; i < percents.size(); ++i)
        snapshot.lowest.push_back({static_cast<double>(one_of(3)), number(), number(), number()});
    }
    snapshot.timers.push_back(timer);
  }

  std::mt19937_64 random_;
  bool details_;
  std::vector<std::string> keys_;
  std::string key_of_second_ = key_of(Kind::counter, "late", {}, 1'700'000'000);
  std::vector<Sender> senders_ = {Sender{}};
  WallTime now_{1'700'000'000'000ms};
  unsigned quiet_ = 0;
};

template <class Point>
std::vector<Point> part_of(const std::vector<Point>& points, std::size_t part, std::size_t parts) {
  std::vector<Point> some;
  for (std::size_t i = part; i < points.size(); i += parts) some.push_back(points[i]);
  return some;
}

void note_in_slices(History& history, const Snapshot& whole, std::span<const Sender> senders,
                    std::size_t slices) {
  history.begin(whole.span, senders);
  for (std::size_t i = 0; i < slices; ++i) {
    Snapshot slice;
    slice.span = whole.span;
    slice.percents = whole.percents;
    slice.percentiles = whole.percentiles;
    slice.lowest = whole.lowest;
    slice.counters = part_of(whole.counters, i, slices);
    slice.timers = part_of(whole.timers, i, slices);
    slice.gauges = part_of(whole.gauges, i, slices);
    slice.sets = part_of(whole.sets, i, slices);
    history.note(slice);
  }
  history.end();
}

std::map<std::string, SeriesId> ids_by_key(const History& history) {
  std::map<std::string, SeriesId> ids;
  history.each([&](const History::Known& known) { ids.emplace(known.key, known.id); });
  return ids;
}

void check_all_series(const History& history, const NaiveHistory& twin) {
  const std::vector<std::string> known = twin.known();
  const std::map<std::string, SeriesId> ids = ids_by_key(history);
  REQUIRE(ids.size() == known.size());
  CHECK(history.series() == known.size());
  for (const std::string& key : known) {
    REQUIRE(ids.contains(key));
    const auto detail = history.view(ids.at(key));
    REQUIRE(detail);
    CHECK(describe(*detail) == describe(twin.view(key)));
  }
}

using Order = std::pair<double, std::string>;

Order place_of(const NaiveHistory& twin, SortBy sort, const std::string& key) {
  if (sort == SortBy::name) return {0, std::string(split_series_key(key).name)};
  const double by = twin.sorted_by(sort, key);
  return {sort == SortBy::rate ? static_cast<double>(as_float(by)) : by, {}};
}

// All pages together are all that match, in order.
void check_query(const History& history, const NaiveHistory& twin, HistoryQuery query) {
  const std::vector<std::string> wanted = twin.matching(query);
  std::map<SeriesId, std::string> keys;
  for (const auto& [key, id] : ids_by_key(history)) keys.emplace(id, key);
  std::vector<std::string> rows, wanted_rows;
  std::vector<Order> order;
  query.limit = 7;
  for (query.offset = 0; query.offset <= wanted.size(); query.offset += query.limit) {
    const History::Found found = history.find(query);
    CHECK(found.total == twin.known().size());
    CHECK(found.matched == wanted.size());
    CHECK(found.rows.size() == std::min(query.limit, wanted.size() - query.offset));
    for (const HistoryRow& row : found.rows) {
      rows.push_back(describe(row));
      order.push_back(place_of(twin, query.sort, keys.at(row.id)));
    }
  }
  if (!query.ascending) std::ranges::reverse(order);
  CHECK(std::ranges::is_sorted(order));
  for (const std::string& key : wanted) wanted_rows.push_back(describe(twin.view(key).row));
  std::ranges::sort(rows);
  std::ranges::sort(wanted_rows);
  CHECK(rows == wanted_rows);
}

std::map<std::string, std::uint64_t> as_map(const std::vector<History::Ranked>& ranked) {
  std::map<std::string, std::uint64_t> map;
  for (const auto& each : ranked) CHECK(map.emplace(each.name, each.value).second);
  return map;
}

void check_rankings(const History& history, const NaiveHistory& twin) {
  CHECK(as_map(history.top_bytes(1000)) == twin.bytes_by_name());
  CHECK(as_map(history.top_tags(1000)) == twin.values_by_tag());
  const auto all = twin.series_by_prefix();
  const auto top = as_map(history.top_prefixes(1000));
  for (const auto& [prefix, series] : top) CHECK(all.at(prefix) == series);
  for (const auto& one : all) {
    // Left out only where a longer one says it.
    const std::string_view start = std::string_view(one.first).substr(0, one.first.size() - 1);
    const bool is_said = std::ranges::any_of(top, [&](const auto& other) {
      return other.second == one.second && other.first.starts_with(start);
    });
    CHECK_MESSAGE(is_said, one.first);
  }
}

const Naming namings[] = {
    {.prefix = "p.", .static_tags = {{"host", "a b"}, {"env", "static"}}},
    {.prefix = "",
     .static_tags = {},
     .profile = Profile::native,
     .measurement = MeasurementPer::type},
    {.prefix = "", .static_tags = {{"host", "h"}}, .profile = Profile::go_metrics},
    {.prefix = "x y.", .static_tags = {{"host", "h"}}, .profile = Profile::telegraf},
    {.prefix = "", .static_tags = {{"count", "h"}}, .profile = Profile::gostatsd},
    {.prefix = "", .static_tags = {{"value", "h"}}, .profile = Profile::etsy},
};

}  // namespace

TEST_CASE("history: over random windows it answers as its naive twin, in all naming profiles") {
  std::uint64_t seed = 1;
  for (const Naming& naming : namings) {
    CAPTURE(seed);
    const History::Settings settings{.naming = naming, .percents = percents, .gauge_ttl = 1h};
    Traffic traffic(seed++, needs_details(naming.profile));
    History history(settings);
    NaiveHistory twin(settings);
    for (int i = 0; i < 260; ++i) {
      const Snapshot window = traffic.window();
      note_in_slices(history, window, traffic.senders(), 1 + traffic.one_of(3));
      twin.add(window, traffic.senders());
      CHECK(history.left_out() == 0);
      if (i % 13 != 0) continue;
      check_all_series(history, twin);
      check_rankings(history, twin);
      const std::string match = std::vector<std::string>{
          "", "a", "*", "api*", "*.db", "?pi.*", "zz", "x,y"}[traffic.one_of(8)];
      for (const SortBy sort : {SortBy::rate, SortBy::name, SortBy::last, SortBy::bytes})
        check_query(history, twin,
                    {.match = match, .kind = std::nullopt, .sort = sort, .ascending = i % 2 == 0});
      check_query(history, twin, {.match = match, .kind = Kind::timer});
      check_query(history, twin, {.match = match, .leaves_out_own = true});
    }
  }
}

TEST_CASE("history: the lines of all series are what was written for the window") {
  for (const Naming& naming : namings) {
    const History::Settings settings{.naming = naming, .percents = percents};
    Traffic traffic(99, needs_details(naming.profile));
    History history(settings);
    for (int i = 0; i < 20; ++i) {
      Snapshot window = traffic.window();
      note(history, window, traffic.senders());
      std::erase_if(window.counters,
                    [](const auto& each) { return time_of_series_key(each.key) != 0; });
      std::multiset<std::string> lines;
      history.each([&](const History::Known& known) {
        if (!known.is_current) return;
        const auto detail = history.view(known.id);
        lines.insert(detail->lines.begin(), detail->lines.end());
      });
      const auto written = lines_of(window, naming);
      CHECK(lines == std::multiset<std::string>(written.begin(), written.end()));
    }
  }
}

TEST_CASE("history: tallyd's own series are left out on request, by their prefix alone") {
  History history({.naming = {}, .percents = percents});
  note(history, counters(0, {{"tallyd.lines", 9}, {"tallydish", 2}, {"a.tallyd.b", 1}}));
  CHECK(names(history.find({})) ==
        std::vector<std::string>{"tallyd.lines", "tallydish", "a.tallyd.b"});
  const History::Found others = history.find({.leaves_out_own = true});
  CHECK(names(others) == std::vector<std::string>{"tallydish", "a.tallyd.b"});
  CHECK(others.matched == 2);
}

TEST_CASE("history: of equal ones the one known longest is first") {
  History history({.naming = {}, .percents = percents});
  note(history, counters(0, {{"c", 5}, {"a", 5}}));
  note(history, counters(1, {{"b", 5}, {"a", 5}, {"c", 5}, {"d", 9}}));
  CHECK(names(history.find({})) == std::vector<std::string>{"d", "c", "a", "b"});
  CHECK(names(history.find({.match = "", .kind = std::nullopt, .ascending = true})) ==
        std::vector<std::string>{"c", "a", "b", "d"});
  CHECK(names(history.find(
            {.match = "", .kind = std::nullopt, .sort = SortBy::name, .limit = 2, .offset = 1})) ==
        std::vector<std::string>{"c", "b"});
}

TEST_CASE("history: windows in which a series was not heard show no number") {
  History history({.naming = {}, .percents = percents});
  for (int i = 0; i < 70; ++i)
    note(history, counters(i, i % 3 == 0 ? std::vector<std::pair<std::string, double>>{{"a", i}}
                                         : std::vector<std::pair<std::string, double>>{}));
  const auto detail = view_by_name(history, "a");
  REQUIRE(detail);
  REQUIRE(detail->windows.size() == 60);
  CHECK(detail->windows.front() == window_span(10).start);
  for (std::size_t i = 0; i < 60; ++i) {
    CAPTURE(i);
    const double count = detail->fields[0].second[i];
    if ((i + 10) % 3 == 0) {
      CHECK(count == static_cast<double>(i + 10));
      CHECK(detail->fields[1].second[i] == count / 10);
    } else {
      CHECK(std::isnan(count));
    }
  }
  CHECK(detail->row.rate == 6.9);
  CHECK(detail->row.last_seen == window_span(69).start);
  CHECK(detail->row.spark.size() == 30);
}

TEST_CASE("history: a series is forgotten after 60 windows without it, and its memory given back") {
  History history({.naming = {}, .percents = percents});
  std::vector<std::pair<std::string, double>> many;
  for (int i = 0; i < 10'000; ++i) many.emplace_back(fmt::format("burst.{}", i), 1);
  note(history, counters(0, many));
  const std::size_t full = history.bytes();
  for (int i = 1; i < 60; ++i) note(history, counters(i, {{"a", 1}}));
  CHECK(history.series() == 10'001);
  CHECK(view_by_name(history, "burst.77"));
  note(history, counters(60, {{"a", 1}}));
  CHECK(history.series() == 1);
  CHECK_FALSE(view_by_name(history, "burst.77"));
  CHECK(view_by_name(history, "a")->fields[0].second.size() == 60);
  CHECK(history.bytes() < full / 100);
  for (int i = 61; i < 121; ++i) note(history, counters(i, {}));
  CHECK(history.series() == 0);
  CHECK(history.bytes() == 0);
}

TEST_CASE(
    "history: with new names in every window memory stays as it is, and the known are found") {
  History history({.naming = {}, .percents = percents});
  std::size_t most = 0;
  for (int i = 0; i < 400; ++i) {
    std::vector<std::pair<std::string, double>> counts = {{"steady", i}};
    for (int n = 0; n < 100; ++n) counts.emplace_back(fmt::format("id.{}.{}", i, n), 1);
    note(history, counters(i, counts));
    CHECK(history.series() <= 60 * 100 + 1);
    REQUIRE(view_by_name(history, "steady"));
    CHECK(view_by_name(history, "steady")->row.last == i);
    if (i < 200) most = std::max(most, history.bytes());
  }
  CHECK(history.bytes() <= most);
}

TEST_CASE("history: beyond its bytes new series are left out and counted, known ones go on") {
  constexpr std::size_t bytes_max = 256 << 10;
  History history({.bytes_max = bytes_max, .naming = {}, .percents = percents});
  std::vector<std::pair<std::string, double>> many;
  for (int i = 0; i < 1000; ++i) many.emplace_back(fmt::format("name.{}", i), i);
  note(history, counters(0, many));
  const std::size_t known = history.series();
  CHECK(known > 400);
  CHECK(history.left_out() == 1000 - known);
  CHECK(history.bytes() <= bytes_max);
  CHECK(history.bytes() > bytes_max - 20'000);

  std::ranges::reverse(many);
  note(history, counters(1, many));
  CHECK(history.series() == known);
  CHECK(history.left_out() == 1000 - known);
  CHECK(view_by_name(history, "name.0")->row.last_seen == window_span(1).start);
  CHECK_FALSE(view_by_name(history, "name.999"));

  // Once the old ones are forgotten there is room.
  for (int i = 2; i < 70; ++i) note(history, counters(i, {{"name.999", 1}}));
  CHECK(view_by_name(history, "name.999"));
  CHECK(history.left_out() == 0);
}

TEST_CASE("history: of no bytes it remembers nothing and takes nothing") {
  History history({.bytes_max = 0, .naming = {}, .percents = percents});
  note(history, counters(0, {{"a", 1}}));
  CHECK(history.series() == 0);
  CHECK(history.bytes() == 0);
  CHECK(history.left_out() == 0);
  CHECK(history.find({}).rows.empty());
  CHECK(history.top_bytes(10).empty());
  CHECK(history.last_window() == window_span(0));
}

TEST_CASE("history: its bytes are those that malloc gave") {
  for (const std::size_t series : {1u, 100u, 5'000u, 40'000u}) {
    CAPTURE(series);
    std::vector<std::pair<std::string, double>> many;
    for (std::size_t i = 0; i < series; ++i)
      many.emplace_back(fmt::format("service.{}.requests.{}", i % 7, std::string(i % 50, 'x')) +
                            std::to_string(i),
                        1);
    const Snapshot window = counters(0, many);
    History history({.bytes_max = 1 << 30, .naming = {}, .percents = percents});
    history.begin(window.span, {});
    const auto in_use = [] {
      const auto info = mallinfo2();
      return info.uordblks + info.hblkhd;
    };
    const std::size_t before = in_use();
    history.note(window);
    const std::size_t taken = in_use() - before;
    if (before == 0) continue;  // a sanitizer's malloc does not tell
    // What malloc maps by itself is rounded to pages; what it kept back for its own it gives first.
    CHECK(history.bytes() <= taken + 16'384);
    CHECK(taken <= history.bytes() + 16'384);
    history.end();
  }
}

TEST_CASE("history: while a window is noted the courses are those of the closed ones") {
  History history({.naming = {}, .percents = percents});
  for (int i = 0; i < 65; ++i) note(history, counters(i, {{"a", i}, {"b", i}}));
  const Snapshot next = counters(65, {{"a", 1000}});
  const auto before = view_by_name(history, "a");
  history.begin(next.span, {});
  history.note(next);
  const auto during = view_by_name(history, "a");
  REQUIRE(during);
  CHECK(during->windows == before->windows);
  CHECK(during->fields == before->fields);
  CHECK(during->row.spark == before->row.spark);
  CHECK(during->row.last == 1000);
  CHECK(during->lines == std::vector<std::string>{"a.count count=1000,rate=100 1700000650"});
  CHECK(view_by_name(history, "b")->row.rate == 6.4);
  CHECK(history.last_window() == window_span(64));
  history.end();
  CHECK(view_by_name(history, "b")->row.rate == 0);
}

TEST_CASE("history: of two series with one id both are listed, and the older one is shown") {
  // XXH3 multiplies two words of the text, each after an xor with eight bytes that are known to
  // all: where one gives zero, the other can be anything.
  const std::string zero = "\xde\xd4\x6d\xe9\x83\x90\x97\xdb";
  const std::string front = std::string(1, '\0') + "name.of.a.ser.1";
  const std::string first = front + zero + "11111111", second = front + zero + "22222222";
  History history({.naming = {}, .percents = percents});
  Snapshot window = counters(0, {});
  window.counters = {{first, 1, 0.1}, {second, 2, 0.2}};
  note(history, window);
  const History::Found found = history.find({});
  REQUIRE(found.rows.size() == 2);
  CHECK(found.rows[0].id == found.rows[1].id);
  CHECK(found.rows[0].last == 2);
  CHECK(history.view(found.rows[0].id)->row.last == 1);
}

TEST_CASE("history: a key that comes twice in one window is one series") {
  History history({.naming = {}, .percents = percents});
  note(history, counters(0, {{"a", 1}, {"b", 1}, {"a", 2}}));
  CHECK(history.series() == 2);
  CHECK(view_by_name(history, "a")->row.last == 2);
}

TEST_CASE("history: the id of a series never changes, for links to it live on") {
  History history({.naming = {}, .percents = percents, .hash_seed = 4711});
  note(history, counters(0, {{"api.hits", 1}}));
  CHECK(history.find({}).rows.at(0).id == 0xac5dff09a00c40d5);
}

TEST_CASE("history: totals are since a series is known, and of the values that were heard") {
  History history({.naming = {}, .percents = {50}});
  Snapshot window = counters(0, {{"hits", 3}});
  window.percents = {50};
  const std::string timer = key_of(Kind::timer, "t");
  window.percentiles = {2};
  window.timers.push_back({.key = timer,
                           .count = 4,
                           .mean = 2,
                           .min = 1,
                           .max = 3,
                           .sum = 8,
                           .stddev = 1,
                           .first_percentile = 0});
  note(history, window);
  note(history, window);
  std::map<std::string, std::pair<double, double>> totals;
  history.each([&](const History::Known& known) {
    totals[std::string(split_series_key(known.key).name)] = {known.count, known.sum};
  });
  CHECK(totals.at("hits") == std::pair{6.0, 0.0});
  CHECK(totals.at("t") == std::pair{8.0, 16.0});
}

TEST_CASE("history: what one forgets is gone at once, and new when it is heard again") {
  History history({.percents = percents});
  std::vector<std::pair<std::string, double>> counts;
  for (int i = 0; i < 1000; ++i) counts.emplace_back("n" + std::to_string(i), 7);
  note(history, counters(1, counts));
  const std::size_t bytes = history.bytes();
  history.forget([](std::string_view key) { return name_of_series_key(key) != "n42"; });
  CHECK(history.series() == 1);
  CHECK(history.bytes() < bytes / 10);
  CHECK(names(history.find({.match = ""})) == std::vector<std::string>{"n42"});
  // In the middle of a window too: what is noted behind it is not lost.
  history.begin(window_span(2), {});
  history.note(counters(2, {{"n1", 1}, {"n42", 2}}));
  history.forget([](std::string_view key) { return name_of_series_key(key) == "n42"; });
  history.note(counters(2, {{"n2", 3}}));
  history.end();
  CHECK(history.find({.match = ""}).matched == 2);
  CHECK_FALSE(view_by_name(history, "n42"));
  CHECK(view_by_name(history, "n2")->row.last == 3);
}

TEST_CASE("history: after the longest silence that is borne nothing of an older course is left") {
  History history({.naming = {}, .percents = percents});
  int window = 0;
  for (; window < 130; ++window) note(history, counters(window, {{"a", 1}}));
  for (; window < 189; ++window) note(history, counters(window, {}));
  note(history, counters(window, {{"a", 2}}));
  const auto detail = view_by_name(history, "a");
  REQUIRE(detail);
  const std::vector<double>& counts = detail->fields[0].second;
  REQUIRE(counts.size() == 60);
  CHECK(std::ranges::count_if(counts, [](double count) { return std::isnan(count); }) == 59);
  CHECK(counts.back() == 2);
}
