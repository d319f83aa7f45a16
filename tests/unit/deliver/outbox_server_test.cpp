// The outbox against a server in memory that stores, refuses and keeps silent as influxd 1.6.7
// does: what counts is where each line is in the end, and in how many requests.

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "deliver/body.hpp"
#include "deliver/known_series.hpp"
#include "tally/outbox.hpp"

using namespace std::chrono_literals;
using tally::Action;
using tally::Instant;
using tally::KnownSeries;
using tally::Outbox;
using tally::Payload;
using tally::PointLoss;
using tally::Verdict;

namespace {

constexpr Instant start_of_time{1'000'000s};

/// Stores lines. One whose name begins with "panic" makes it answer 500, one with "poison" does not
/// parse.
struct FakeServer {
  std::size_t body_bytes_max = SIZE_MAX;
  std::size_t series_max = SIZE_MAX;
  bool stores_rest = true;  ///< of a body with lines that do not parse: 1.x; false: 2.x
  bool is_ill = false;      ///< fails whatever it gets
  std::set<std::string, std::less<>> series;
  std::set<std::string, std::less<>> stored;  ///< lines
  std::uint64_t requests = 0;

  Verdict write(std::string_view body) {
    ++requests;
    std::vector<std::string_view> lines;
    tally::for_each_line(body, [&](std::string_view line) { lines.push_back(line); });
    if (body.size() > body_bytes_max) return {.action = Action::split, .message = "too large"};
    const bool panics = std::any_of(lines.begin(), lines.end(), [](std::string_view line) {
      return line.starts_with("panic");
    });
    if (is_ill || panics)
      return {.action = Action::keep, .may_be_a_line = true, .message = "server error"};
    return parse(lines);
  }

 private:
  Verdict parse(const std::vector<std::string_view>& lines) {
    Verdict verdict{.action = Action::written, .loss = PointLoss::refused, .message = "no parse"};
    std::vector<std::string_view> good;
    for (std::uint32_t number = 0; number < lines.size(); ++number) {
      if (lines[number].starts_with("poison")) {
        verdict.refused_lines.push_back(number);
      } else {
        good.push_back(lines[number]);
      }
    }
    verdict.points_lost = static_cast<std::uint32_t>(verdict.refused_lines.size());
    if (!verdict.refused_lines.empty() && !stores_rest) verdict.action = Action::without_lines;
    if (verdict.action == Action::without_lines) return verdict;
    if (good.empty()) verdict.action = Action::drop;
    // The error about series hides the one about lines.
    const std::uint32_t dropped = store(good);
    if (dropped == 0) return verdict;
    return {.action = Action::known_alone, .loss = PointLoss::series_limit, .points_lost = dropped};
  }

  /// As 1.6.7: if the new series do not fit it takes none of them, and drops as many points from
  /// the front of the batch, of whatever series; it reports the new ones alone (influxdb.md 2.3).
  std::uint32_t store(const std::vector<std::string_view>& lines) {
    std::set<std::string_view> added;
    for (const std::string_view line : lines)
      if (series.find(tally::series_of(line)) == series.end()) added.insert(tally::series_of(line));
    const bool fits = series.size() + added.size() <= series_max;
    const std::size_t dropped = fits ? 0 : added.size();
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const bool is_new = added.count(tally::series_of(lines[i])) > 0;
      if (!fits && (is_new || i < dropped)) continue;
      series.emplace(tally::series_of(lines[i]));
      stored.emplace(lines[i]);
    }
    return static_cast<std::uint32_t>(dropped);
  }
};

Payload payload_of(const std::vector<std::string>& lines) {
  static std::chrono::milliseconds window{0};
  Payload payload;
  payload.window = tally::WallTime(++window);
  for (const std::string& line : lines) payload.body += line + "\n";
  payload.points = static_cast<std::uint32_t>(lines.size());
  return payload;
}

std::vector<std::string> series_lines(const std::string& name, int count, int value) {
  std::vector<std::string> lines;
  for (int i = 0; i < count; ++i)
    lines.push_back(name + std::to_string(i) + " v=" + std::to_string(value));
  return lines;
}

/// An outbox, its server, and the owner between them.
struct Lane {
  FakeServer server;
  Outbox outbox;
  Instant now = start_of_time;

  explicit Lane(KnownSeries* known = nullptr, std::uint64_t seed = 1) : outbox({}, seed, known) {}

  /// One request, as soon as the back-off allows. False if nothing waits.
  bool attempt() {
    if (!outbox.due()) return false;
    now = std::max(now, *outbox.due());
    const Payload* payload = outbox.start(now);
    outbox.settle(payload->id, server.write(payload->body), now);
    return true;
  }
  /// Until nothing waits or so many requests were made.
  void run(int requests_max = 10'000) {
    for (int i = 0; i < requests_max && attempt(); ++i) {
      outbox.halve_front();
      REQUIRE(outbox.counts().balances());
    }
  }
};

std::vector<std::string> dead_lines(Outbox& outbox) {
  std::vector<std::string> lines;
  for (const tally::DeadLetter& letter : outbox.take_dead()) lines.push_back(letter.line);
  std::sort(lines.begin(), lines.end());
  return lines;
}

}  // namespace

TEST_CASE("outbox: one line that fails the server is found in 27 requests, wherever it is") {
  std::vector<std::size_t> places{0, 1, 2'499, 2'500, 4'998, 4'999};
  std::mt19937_64 random(1);
  for (int i = 0; i < 30; ++i) places.push_back(random() % 5'000);
  std::uint64_t most = 0;
  for (const std::size_t place : places) {
    CAPTURE(place);
    Lane lane;
    std::vector<std::string> lines = series_lines("m", 5'000, 1);
    lines[place] = "panic v=1";
    lane.outbox.push(payload_of(lines));
    for (int i = 0; i < 5; ++i) {
      CHECK_FALSE(lane.outbox.suspects_a_line());
      lane.attempt();
    }
    REQUIRE(lane.outbox.suspects_a_line());
    lane.server.requests = 0;
    const Instant before = lane.now;
    lane.outbox.halve_front();
    while (lane.attempt()) CHECK(lane.now == before);
    most = std::max(most, lane.server.requests);
    CHECK(lane.server.stored.size() == 4'999);
    CHECK(dead_lines(lane.outbox) == std::vector<std::string>{"panic v=1"});
    CHECK(lane.outbox.counts().written == 4'999);
    CHECK(lane.outbox.counts().balances());
    CHECK(lane.outbox.failures() == 0);
  }
  CHECK(most <= 27);
  CHECK(most >= 24);
}

TEST_CASE("outbox: several lines that fail the server are found, the rest is stored") {
  struct Row {
    const char* name;
    std::vector<std::size_t> places;
    std::uint64_t requests_max;
  };
  std::vector<std::size_t> many;
  for (std::size_t place = 3; place < 1'000; place += 97) many.push_back(place);
  std::vector<std::size_t> block;
  for (std::size_t place = 700; place < 730; ++place) block.push_back(place);
  for (const Row& row : {Row{"side by side", {10, 11}, 100}, Row{"one in each half", {1, 999}, 100},
                         Row{"the last two", {998, 999}, 100}, Row{"the first two", {0, 1}, 100},
                         Row{"eleven of a thousand", many, 400}, Row{"a block", block, 400}}) {
    CAPTURE(row.name);
    Lane lane;
    std::vector<std::string> lines = series_lines("m", 1'000, 1);
    std::vector<std::string> bad;
    for (const std::size_t place : row.places)
      bad.push_back(lines[place] = "panic" + std::to_string(place) + " v=1");
    std::sort(bad.begin(), bad.end());
    lane.outbox.push(payload_of(lines));
    lane.run();
    CHECK(dead_lines(lane.outbox) == bad);
    CHECK(lane.server.stored.size() == lines.size() - bad.size());
    CHECK(lane.server.requests <= row.requests_max);
  }
}

TEST_CASE("outbox: a server that fails everything kills no line and is not asked more often") {
  std::uint64_t first_minute = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    Lane lane(nullptr, seed);
    lane.server.is_ill = true;
    for (int i = 0; i < 3; ++i) lane.outbox.push(payload_of(series_lines("m", 100, i)));
    while (*lane.outbox.due() < start_of_time + 60s) {
      lane.attempt();
      lane.outbox.halve_front();
    }
    first_minute += lane.server.requests;
    while (lane.server.requests < 200) {
      lane.attempt();
      lane.outbox.halve_front();
    }
    CHECK(lane.now - start_of_time > 30min);
    CHECK(lane.outbox.counts().dead == 0);
    CHECK(lane.outbox.counts().queued == 300);
    lane.server.is_ill = false;
    lane.run(20);
    CHECK(lane.server.stored.size() == 300);
    CHECK(lane.outbox.counts().written == 300);
  }
  CHECK(first_minute <= 40 * 12);
}

TEST_CASE(
    "outbox: a server that falls ill during the search costs few lines, and no more requests") {
  Lane lane;
  std::vector<std::string> lines = series_lines("m", 5'000, 1);
  lines[4'000] = "panic v=1";
  lane.outbox.push(payload_of(lines));
  lane.run(5 + 1);  // the first half is stored
  CHECK(lane.server.stored.size() == 2'500);
  lane.server.is_ill = true;
  lane.run(200);
  CHECK(lane.now - start_of_time > 20min);
  const std::size_t dead = lane.outbox.counts().dead;
  CHECK(dead <= 14);
  lane.server.is_ill = false;
  lane.run();
  CHECK(lane.outbox.empty());
  CHECK(lane.server.stored.size() + lane.outbox.counts().dead == 5'000);
  CHECK(lane.outbox.counts().dead <= dead + 1);
}

TEST_CASE(
    "outbox: a payload of bad lines only lets the others pass, and dies once they are written") {
  for (const int bad : {1, 2, 7}) {
    CAPTURE(bad);
    Lane lane;
    lane.outbox.push(payload_of(series_lines("panic", bad, 1)));
    lane.run(5);
    CHECK_FALSE(lane.outbox.suspects_a_line());  // was looked for, in vain if it is alone
    lane.run(60);
    CHECK(lane.outbox.counts().dead == 0);
    lane.outbox.push(payload_of(series_lines("m", 3, 1)));
    lane.run(80);
    CHECK(lane.server.stored.size() == 3);
    CHECK(lane.outbox.counts().dead == static_cast<std::uint64_t>(bad));
    CHECK(lane.outbox.empty());
  }
}

TEST_CASE("outbox: what another outbox wrote is proof too that the server is well") {
  for (const int bad : {1, 2, 7}) {
    CAPTURE(bad);
    Lane lane;
    lane.outbox.push(payload_of(series_lines("panic", bad, 1)));
    for (int i = 0; i < 5; ++i) lane.attempt();
    lane.outbox.halve_front(true);
    while (lane.attempt()) {
    }
    CHECK(lane.outbox.counts().dead == static_cast<std::uint64_t>(bad));
    CHECK(lane.server.requests <= static_cast<std::uint64_t>(5 + 2 * bad));
  }
}

TEST_CASE("outbox: halving begins only after five refusals, and not while one is in flight") {
  Lane lane;
  lane.outbox.push(payload_of(series_lines("panic", 4, 1)));
  lane.outbox.halve_front();
  CHECK(lane.outbox.payloads() == 1);
  for (int i = 0; i < 4; ++i) lane.attempt();
  // What no line can have caused does not count.
  const Payload* payload = lane.outbox.start(*lane.outbox.due());
  lane.outbox.settle(payload->id, {.action = Action::keep}, lane.now);
  CHECK_FALSE(lane.outbox.suspects_a_line());
  lane.attempt();
  CHECK(lane.outbox.suspects_a_line());
  REQUIRE(lane.outbox.start(*lane.outbox.due()) != nullptr);
  CHECK_FALSE(lane.outbox.suspects_a_line());
  lane.outbox.halve_front();
  CHECK(lane.outbox.payloads() == 1);
}

TEST_CASE("outbox: a size limit is learned by one payload, and the next need no refusal") {
  Lane lane;
  lane.server.body_bytes_max = 10'000;
  const Payload first = payload_of(series_lines("first", 6'000, 1));
  lane.outbox.push(first);
  lane.run();
  CHECK(lane.server.stored.size() == 6'000);
  CHECK(lane.outbox.counts().dead == 0);

  lane.server.requests = 0;
  const std::uint64_t retries = lane.outbox.counts().retries;
  const Payload second = payload_of(series_lines("second", 6'000, 1));
  lane.outbox.push(second);
  lane.run();
  CHECK(lane.server.stored.size() == 12'000);
  CHECK(lane.outbox.counts().retries == retries);
  const double fewest = std::ceil(static_cast<double>(second.body.size()) / 10'000);
  CHECK(static_cast<double>(lane.server.requests) <= 2 * fewest);
}

TEST_CASE("outbox: a line over the size limit is dead, and makes no other smaller") {
  Lane lane;
  lane.server.body_bytes_max = 1'000;
  lane.outbox.push(payload_of({std::string(2'000, 'a') + " v=1"}));
  lane.outbox.push(payload_of(series_lines("m", 50, 1)));
  lane.run();
  CHECK(lane.outbox.counts().dead == 1);
  CHECK(lane.outbox.counts().written == 50);
  CHECK(lane.server.requests == 2);
}

TEST_CASE("outbox: a database full of series keeps all points of those it has") {
  enum class Order { known_first, new_first, shuffled };
  enum class Memory { learned, forgotten, none };
  struct Row {
    const char* name;
    Order order;
    Memory memory;
    std::uint64_t requests_max;
  };
  const std::vector<Row> rows{
      {"known first", Order::known_first, Memory::learned, 3},
      {"new first", Order::new_first, Memory::learned, 3},
      {"shuffled", Order::shuffled, Memory::learned, 3},
      {"known first, after a restart", Order::known_first, Memory::forgotten, 25},
      {"new first, after a restart", Order::new_first, Memory::forgotten, 25},
      {"shuffled, after a restart", Order::shuffled, Memory::forgotten, 280},
      {"shuffled, no memory", Order::shuffled, Memory::none, 280},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    KnownSeries known(1'000, 1);
    known.begin();
    KnownSeries emptied(1'000, 1);
    emptied.begin();
    Lane before(&known);
    before.server.series_max = 100;
    before.outbox.push(payload_of(series_lines("known", 90, 1)));
    before.run();

    Lane lane(row.memory == Memory::learned     ? &known
              : row.memory == Memory::forgotten ? &emptied
                                                : nullptr);
    lane.server = before.server;
    lane.server.requests = 0;
    std::vector<std::string> lines = series_lines("known", 90, 2);
    const std::vector<std::string> added = series_lines("new", 50, 2);
    lines.insert(row.order == Order::new_first ? lines.begin() : lines.end(), added.begin(),
                 added.end());
    std::mt19937_64 random(7);
    if (row.order == Order::shuffled) std::shuffle(lines.begin(), lines.end(), random);
    lane.outbox.push(payload_of(lines));
    lane.run();
    const auto has = [&](const std::string& line) { return lane.server.stored.count(line) > 0; };
    for (const std::string& line : series_lines("known", 90, 2)) CHECK(has(line));
    const auto stored_new = std::count_if(added.begin(), added.end(), has);
    CHECK(lane.outbox.counts().written == 90 + static_cast<std::uint64_t>(stored_new));
    CHECK(lane.outbox.counts().dropped_series == 50 - static_cast<std::uint64_t>(stored_new));
    CHECK(lane.outbox.counts().balances());
    CHECK(lane.server.requests <= row.requests_max);
  }
}

TEST_CASE("outbox: new series go in parts of 500, behind the known ones") {
  KnownSeries known(10'000, 1);
  known.begin();
  Outbox outbox({}, 1, &known);
  const std::vector<std::string> old = series_lines("known", 20, 1);
  known.learn(payload_of(old).body);
  std::vector<std::string> lines = series_lines("new", 1'100, 1);
  lines.insert(lines.begin() + 400, old.begin(), old.end());
  outbox.push(payload_of(lines));
  const auto settle = [&](const Verdict& verdict) {
    const Payload* payload = outbox.start(start_of_time);
    REQUIRE(payload != nullptr);
    const std::uint32_t points = payload->points;
    outbox.settle(payload->id, verdict, start_of_time);
    return points;
  };
  const auto refuse = [](std::uint32_t lost) {
    return Verdict{.action = Action::known_alone, .points_lost = lost};
  };
  CHECK(settle(refuse(1'100)) == 1'120);
  CHECK(settle({.action = Action::written}) == 20);
  CHECK(settle(refuse(500)) == 500);  // all of them: its count is exact
  CHECK(outbox.counts().dropped_series == 500);
  CHECK(settle(refuse(3)) == 500);  // some of them: it has the others
  CHECK(settle({.action = Action::written}) == 250);
  CHECK(settle(refuse(250)) == 250);
  CHECK(outbox.counts().dropped_series == 750);
  CHECK(settle(refuse(0)) == 100);  // it does not say how many
  CHECK(outbox.payloads() == 2);
  CHECK(outbox.counts().balances());
}

TEST_CASE("outbox: a series that the database lost is forgotten, and its neighbours are stored") {
  KnownSeries known(1'000, 1);
  known.begin();
  Lane lane(&known);
  lane.server.series_max = 64;
  lane.outbox.push(payload_of(series_lines("known", 64, 1)));
  lane.run();
  lane.server.series.erase("known40");
  lane.server.series.insert("someone_elses");
  for (int value = 2; value < 4; ++value) {
    lane.server.requests = 0;
    lane.outbox.push(payload_of(series_lines("known", 64, value)));
    lane.run();
    CHECK(lane.outbox.counts().dropped_series == static_cast<std::uint64_t>(value - 1));
    CHECK(lane.outbox.counts().written == static_cast<std::uint64_t>(64 + 63 * (value - 1)));
    CHECK(lane.server.requests <= (value == 2 ? 13 : 3));
  }
  CHECK_FALSE(known.knows("known40 v=1"));
}

namespace {

/// Two lanes of one destination with random payloads, silence, refusals and moves, and where every
/// line has to be in the end.
class Storm {
 public:
  explicit Storm(std::uint64_t seed)
      : random_(seed), known_(500, seed), live_({}, seed, &known_), replay_({}, seed + 1, &known_) {
    known_.begin();
    server_.body_bytes_max = pick(3) == 0 ? 300 : SIZE_MAX;
    server_.series_max = pick(2) == 0 ? 80 : SIZE_MAX;
    server_.stores_rest = pick(2) == 0;
    for (int i = 0; i < 40; ++i) server_.series.insert("m" + std::to_string(i * 3));
  }

  void step() {
    now_ += std::chrono::milliseconds(pick(20'000));
    switch (pick(8)) {
      case 0:
        push(window());
        break;
      case 1:
        if (live_.payloads() > 3) move();
        break;
      default:
        attempt(pick(2) == 0 ? live_ : replay_, true);
        break;
    }
    check();
  }

  void drain() {
    for (int i = 0; i < 20'000 && !(live_.empty() && replay_.empty()); ++i) {
      now_ += 30s;
      if (i % 40 == 0) push({"m0 v=1 " + std::to_string(pushed_.size())});  // life goes on
      attempt(live_, false);
      attempt(replay_, false);
      check();
    }
  }

  /// Each line is in one place, for the right reason.
  void check_end() {
    CHECK(live_.empty());
    CHECK(replay_.empty());
    std::uint64_t stored = 0;
    std::uint64_t refused = 0;
    for (const std::string& line : pushed_) {
      const bool is_bad = line.starts_with("panic") || line.starts_with("poison") ||
                          line.size() + 1 > server_.body_bytes_max;
      const bool is_stored = server_.stored.count(line) > 0;
      CAPTURE(line);
      REQUIRE(dead_.count(line) == (is_bad ? 1 : 0));
      REQUIRE((is_bad && is_stored) == false);
      stored += is_stored;
      refused += !is_bad && !is_stored;
    }
    CHECK(dead_.size() == live_.counts().dead + replay_.counts().dead);
    CHECK(live_.counts().written + replay_.counts().written == stored);
    CHECK(live_.counts().dropped_series + replay_.counts().dropped_series == refused);
    CHECK(live_.counts().dropped() + replay_.counts().dropped() == refused);
    CHECK(live_.counts().moved == replay_.counts().pushed);
    CHECK(live_.counts().pushed == pushed_.size());
    if (server_.series_max == SIZE_MAX) CHECK(refused == 0);
    CHECK(server_.requests <= requests_max());
  }

 private:
  /// A payload needs one; each disturbance a few more.
  std::uint64_t requests_max() const {
    const std::uint64_t for_size = server_.body_bytes_max == SIZE_MAX ? 0 : 2 * pushed_.size() / 4;
    const std::uint64_t for_series = server_.series_max == SIZE_MAX ? 0 : pushed_.size();
    return payloads_ + silences_ + 60 * panics_ + 2 * poisons_ + for_size + for_series;
  }

  std::size_t pick(std::size_t below) {
    return std::uniform_int_distribution<std::size_t>(0, below - 1)(random_);
  }

  std::string line(std::size_t number) {
    const std::string stamp = " v=1 " + std::to_string(number);
    const std::size_t kind = pick(400);
    if (kind == 0) return "panic," + std::to_string(number) + stamp;
    if (kind <= 4) return "poison," + std::to_string(number) + stamp;
    if (kind == 5) return "m" + std::string(400, 'x') + stamp;
    return "m" + std::to_string(pick(pick(3) == 0 ? 1'000 : 120)) + stamp;
  }

  std::vector<std::string> window() {
    std::vector<std::string> lines;
    std::set<std::string, std::less<>> series;  // one point a series
    for (std::size_t i = 0, count = 1 + pick(40); i < count; ++i) {
      std::string made = line(pushed_.size() + i);
      if (series.emplace(tally::series_of(made)).second) lines.push_back(std::move(made));
    }
    return lines;
  }

  void push(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
      pushed_.push_back(line);
      panics_ += line.starts_with("panic");
      poisons_ += line.starts_with("poison");
    }
    ++payloads_;
    live_.push(payload_of(lines));
  }

  void move() {
    if (replay_.empty()) live_written_before_ = live_.counts().written;
    std::optional<Payload> payload = live_.take_oldest();
    if (payload) replay_.push(std::move(*payload));
  }

  void attempt(Outbox& outbox, bool may_be_silent) {
    const Payload* payload = outbox.start(now_);
    if (payload == nullptr) return;
    outbox.settle(payload->id, answer(payload->body, may_be_silent), now_);
    const bool is_live_well = live_.counts().written > live_written_before_;
    if (pick(4) != 0) outbox.halve_front(&outbox == &replay_ && is_live_well);
    for (tally::DeadLetter& letter : outbox.take_dead()) dead_.insert(std::move(letter.line));
  }

  Verdict answer(std::string_view body, bool may_be_silent) {
    if (!may_be_silent || pick(6) != 0) return server_.write(body);
    ++silences_;
    if (pick(2) == 0) server_.write(body);  // it was written, but nobody says so
    return {.action = Action::keep, .message = "time-out"};
  }

  void check() const {
    REQUIRE(live_.counts().balances());
    REQUIRE(replay_.counts().balances());
    const bool counts_what_waits = live_.empty() == (live_.counts().queued == 0);
    REQUIRE(counts_what_waits);
  }

  std::mt19937_64 random_;
  FakeServer server_;
  KnownSeries known_;
  Outbox live_;
  Outbox replay_;
  Instant now_ = start_of_time;
  std::vector<std::string> pushed_;
  std::multiset<std::string, std::less<>> dead_;
  std::uint64_t live_written_before_ = 0;
  std::uint64_t payloads_ = 0, silences_ = 0, panics_ = 0, poisons_ = 0;
};

}  // namespace

TEST_CASE("outbox: after a storm of refusals and silence every line is in its one right place") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    Storm storm(seed);
    for (int step = 0; step < 600; ++step) storm.step();
    storm.drain();
    storm.check_end();
  }
}
