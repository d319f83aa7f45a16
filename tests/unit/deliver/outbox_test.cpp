#include "tally/outbox.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using tally::Action;
using tally::Instant;
using tally::Outbox;
using tally::Payload;
using tally::PointLoss;
using tally::Verdict;

namespace {

constexpr Instant start_of_time{1'000'000s};

/// `lines` lines that no other call returns; `first` numbers them.
Payload payload_of(std::uint32_t lines, int first = 0) {
  static std::chrono::milliseconds window{0};  // each one is of a window of its own
  Payload payload;
  payload.window = tally::WallTime(++window);
  for (std::uint32_t i = 0; i < lines; ++i)
    payload.body += "m v=" + std::to_string(first + static_cast<int>(i)) + "\n";
  payload.points = lines;
  return payload;
}

/// Pushes, and settles everything that can be started, with `verdict`.
void settle_all(Outbox& outbox, const Verdict& verdict, Instant now) {
  while (const Payload* payload = outbox.start(now)) outbox.settle(payload->id, verdict, now);
}

}  // namespace

TEST_CASE("outbox: an empty one gives nothing and is never due") {
  Outbox outbox({}, 1);
  CHECK(outbox.start(start_of_time) == nullptr);
  CHECK_FALSE(outbox.due());
  CHECK(outbox.abandon() == 0);
}

TEST_CASE("outbox: payloads leave in the order they came, one at a time") {
  Outbox outbox({}, 1);
  CHECK(outbox.push(payload_of(1, 1)) == 0);
  CHECK(outbox.push(payload_of(2, 2)) == 0);
  const Payload* first = outbox.start(start_of_time);
  REQUIRE(first != nullptr);
  CHECK(first->body == "m v=1\n");
  CHECK(outbox.start(start_of_time) == nullptr);
  CHECK_FALSE(outbox.due());
  outbox.settle(first->id, {.action = Action::written}, start_of_time);
  CHECK(outbox.counts().written == 1);
  CHECK(outbox.counts().queued == 2);
  const Payload* second = outbox.start(start_of_time);
  REQUIRE(second != nullptr);
  CHECK(second->body == "m v=2\nm v=3\n");
}

TEST_CASE("outbox: what is kept is sent again, the same bytes, before what came later") {
  Outbox outbox({}, 1);
  outbox.push(payload_of(3));
  outbox.push(payload_of(1, 50));
  const Payload* payload = outbox.start(start_of_time);
  const std::string body = payload->body;
  const tally::PayloadId id = payload->id;
  outbox.settle(id, {.action = Action::keep}, start_of_time);
  CHECK(outbox.failures() == 1);
  REQUIRE(outbox.due());
  payload = outbox.start(*outbox.due());
  REQUIRE(payload != nullptr);
  CHECK(payload->body == body);
  CHECK(payload->id == id);
}

TEST_CASE("outbox: every verdict moves the counter of its name") {
  struct Row {
    const char* name;
    Verdict verdict;
    std::uint64_t tally::OutboxCounts::*lost_to;
    std::uint64_t lost;
  };
  using Counts = tally::OutboxCounts;
  const std::vector<Row> rows{
      {"written", {.action = Action::written}, &Counts::dropped_refused, 0},
      {"written but two did not parse",
       {.action = Action::written, .loss = PointLoss::refused, .points_lost = 2},
       &Counts::dropped_refused,
       2},
      {"written but for conflicts",
       {.action = Action::written, .loss = PointLoss::type_conflict, .points_lost = 3},
       &Counts::dropped_conflict,
       3},
      {"written but for old points",
       {.action = Action::written, .loss = PointLoss::beyond_retention, .points_lost = 4},
       &Counts::dropped_expired,
       4},
      {"written but for new series",
       {.action = Action::written, .loss = PointLoss::series_limit, .points_lost = 1},
       &Counts::dropped_series,
       1},
      {"more lost than there are",
       {.action = Action::written, .loss = PointLoss::refused, .points_lost = 99},
       &Counts::dropped_refused,
       5},
      {"dropped", {.action = Action::drop}, &Counts::dropped_refused, 5},
      {"dropped for a conflict",
       {.action = Action::drop, .loss = PointLoss::type_conflict},
       &Counts::dropped_conflict,
       5},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Outbox outbox({}, 1);
    outbox.push(payload_of(5));
    settle_all(outbox, row.verdict, start_of_time);
    CHECK(outbox.counts().*row.lost_to == row.lost);
    CHECK(outbox.counts().dropped() == row.lost);
    CHECK(outbox.counts().written == 5 - row.lost);
    CHECK(outbox.counts().balances());
    CHECK(outbox.empty());
    CHECK(outbox.bytes() == 0);
    CHECK_FALSE(outbox.due());
  }
}

TEST_CASE(
    "outbox: the back-off doubles up to its cap, is spread over it, and ends with a success") {
  struct Row {
    const char* name;
    bool configuration;
    std::chrono::milliseconds first;
    std::chrono::milliseconds cap;
  };
  for (const Row& row :
       {Row{"the server's trouble", false, 500ms, 30s}, Row{"the operator's", true, 5s, 60s}}) {
    CAPTURE(row.name);
    std::vector<std::chrono::nanoseconds> longest(12);
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
      Outbox outbox({}, seed);
      outbox.push(payload_of(1));
      Instant now = start_of_time;
      for (std::size_t failure = 0; failure < longest.size(); ++failure) {
        const Payload* payload = outbox.start(now);
        REQUIRE(payload != nullptr);
        outbox.settle(payload->id, {.action = Action::keep, .configuration = row.configuration},
                      now);
        const auto pause = *outbox.due() - now;
        const auto most = std::min<std::chrono::milliseconds>(row.cap, row.first * (1 << failure));
        CHECK(pause >= 0ms);
        CHECK(pause <= most);
        longest[failure] = std::max(longest[failure], std::chrono::nanoseconds(pause));
        CHECK((pause == 0ms || outbox.start(now) == nullptr));
        now = *outbox.due();
      }
      settle_all(outbox, {.action = Action::written}, now);
      CHECK(outbox.failures() == 0);
      outbox.push(payload_of(1));
      CHECK(outbox.start(now) != nullptr);
    }
    // Of 200 draws the longest is nearly the whole range: the jitter is full.
    CHECK(longest[0] > row.first * 9 / 10);
    CHECK(longest[3] > row.first * 8 * 9 / 10);
    CHECK(longest[11] > row.cap * 9 / 10);
  }
}

TEST_CASE("outbox: the server's wish is obeyed when it is longer than the back-off") {
  Outbox outbox({}, 1);
  outbox.push(payload_of(1));
  const Payload* payload = outbox.start(start_of_time);
  outbox.settle(payload->id, {.action = Action::keep, .retry_after = 120s}, start_of_time);
  CHECK(*outbox.due() == start_of_time + 120s);
  CHECK(outbox.start(start_of_time + 119s) == nullptr);
  CHECK(outbox.start(start_of_time + 120s) != nullptr);
}

TEST_CASE("outbox: hurry ends the back-off") {
  Outbox outbox({}, 1);
  outbox.push(payload_of(1));
  const Payload* payload = outbox.start(start_of_time);
  outbox.settle(payload->id, {.action = Action::create_database, .retry_after = 120s},
                start_of_time);
  CHECK(outbox.start(start_of_time) == nullptr);
  outbox.hurry();
  CHECK(outbox.start(start_of_time) != nullptr);
}

TEST_CASE("outbox: a window larger than the bound is held whole, and makes older ones go") {
  Outbox outbox({.bytes_max = 30}, 1);
  Payload older = payload_of(5, 0);
  CHECK(outbox.push(std::move(older)) == 0);
  std::vector<Payload> window(4, payload_of(5, 5));
  CHECK(outbox.push(window[0]) == 5);
  for (std::size_t i = 1; i < window.size(); ++i) CHECK(outbox.push(window[i]) == 0);
  CHECK(outbox.counts().queued == 20);
  CHECK(outbox.push(payload_of(1, 9)) == 20);
  CHECK(outbox.counts().balances());
}

TEST_CASE("outbox: past its bound the oldest go, never the one in flight nor the new one") {
  Outbox outbox({.bytes_max = 30}, 1);  // five lines of six bytes
  outbox.push(payload_of(2, 1));
  const Payload* flying = outbox.start(start_of_time);
  REQUIRE(flying != nullptr);
  CHECK(outbox.push(payload_of(2, 3)) == 0);
  CHECK(outbox.push(payload_of(1, 5)) == 0);
  CHECK(outbox.push(payload_of(1, 6)) == 2);
  CHECK(flying->body == "m v=1\nm v=2\n");
  CHECK(outbox.bytes() == 24);
  CHECK(outbox.push(payload_of(9, 0)) == 2);  // alone over the bound, and kept
  CHECK(outbox.payloads() == 2);
  CHECK(outbox.counts().dropped_full == 4);
  CHECK(outbox.counts().balances());
  outbox.settle(flying->id, {.action = Action::written}, start_of_time);
  CHECK(outbox.start(start_of_time)->points == 9);
}

TEST_CASE("outbox: what is too large is sent in halves, at once and in order") {
  Outbox outbox({}, 1);
  const Payload whole = payload_of(6);
  outbox.push(whole);
  outbox.push(payload_of(1, 99));
  const Payload* payload = outbox.start(start_of_time);
  outbox.settle(payload->id, {.action = Action::split}, start_of_time);
  CHECK(outbox.payloads() == 3);
  CHECK(outbox.counts().queued == 7);

  std::string sent;
  std::set<tally::PayloadId> ids;
  for (int i = 0; i < 2; ++i) {
    payload = outbox.start(start_of_time);
    REQUIRE(payload != nullptr);
    CHECK(std::count(payload->body.begin(), payload->body.end(), '\n') == payload->points);
    CHECK(payload->points >= 2);
    sent += payload->body;
    ids.insert(payload->id);
    outbox.settle(payload->id, {.action = Action::written}, start_of_time);
  }
  CHECK(sent == whole.body);
  CHECK(ids.size() == 2);
  CHECK(outbox.counts().written == 6);
  CHECK(outbox.start(start_of_time)->body == "m v=99\n");
}

TEST_CASE("outbox: lines of very unequal length are split too, and a single one is dead") {
  struct Row {
    const char* name;
    std::size_t first, second;
  };
  for (const Row& row :
       {Row{"long first", 1000, 1}, Row{"long last", 1, 1000}, Row{"alike", 7, 7}}) {
    CAPTURE(row.name);
    Outbox outbox({}, 1);
    outbox.push({.body = std::string(row.first, 'a') + "\n" + std::string(row.second, 'b') + "\n",
                 .points = 2});
    outbox.settle(outbox.start(start_of_time)->id, {.action = Action::split}, start_of_time);
    CHECK(outbox.payloads() == 2);
    settle_all(outbox, {.action = Action::split, .message = "413"}, start_of_time);
    const std::vector<tally::DeadLetter> dead = outbox.take_dead();
    REQUIRE(dead.size() == 2);
    CHECK(dead[0].line == std::string(row.first, 'a'));
    CHECK(dead[1].line == std::string(row.second, 'b'));
    CHECK(dead[1].reason == "413");
    CHECK(outbox.counts().dead == 2);
    CHECK(outbox.counts().balances());
    CHECK(outbox.empty());
  }
}

TEST_CASE(
    "outbox: lines that the database names are dead, and the others go where the verdict says") {
  struct Row {
    const char* name;
    Verdict verdict;
    std::uint64_t written, dead, conflict, queued;
  };
  const std::vector<Row> rows{
      {"stored but for two",
       {.action = Action::written, .points_lost = 2, .refused_lines = {0, 3}},
       4,
       2,
       0,
       0},
      {"stored but for one it names and two it does not",
       {.action = Action::written,
        .loss = PointLoss::type_conflict,
        .points_lost = 3,
        .refused_lines = {5}},
       3,
       1,
       2,
       0},
      {"refused, one of them named",
       {.action = Action::drop, .loss = PointLoss::type_conflict, .refused_lines = {1}},
       0,
       1,
       5,
       0},
      {"all named", {.action = Action::drop, .refused_lines = {0, 1, 2, 3, 4, 5}}, 0, 6, 0, 0},
      {"nothing stored for one's sake",
       {.action = Action::without_lines, .refused_lines = {2}},
       0,
       1,
       0,
       5},
      {"nothing stored, all named",
       {.action = Action::without_lines, .refused_lines = {0, 1, 2, 3, 4, 5}},
       0,
       6,
       0,
       0},
      {"a line that is not there",
       {.action = Action::without_lines, .refused_lines = {6}},
       0,
       0,
       0,
       6},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Outbox outbox({}, 1);
    outbox.push(payload_of(6));
    outbox.settle(outbox.start(start_of_time)->id, row.verdict, start_of_time);
    CHECK(outbox.counts().written == row.written);
    CHECK(outbox.counts().dead == row.dead);
    CHECK(outbox.counts().dropped_conflict == row.conflict);
    CHECK(outbox.counts().queued == row.queued);
    CHECK(outbox.counts().balances());
    CHECK(outbox.empty() == (row.queued == 0));
    CHECK(outbox.bytes() == row.queued * 6);
    CHECK(outbox.take_dead().size() == row.dead);
    CHECK(outbox.take_dead().empty());
  }
}

TEST_CASE("outbox: the rest of a payload is sent at once, and what it names for ever ends it") {
  Outbox outbox({}, 1);
  Payload payload = payload_of(4);
  const tally::WallTime window = payload.window;
  outbox.push(std::move(payload));
  outbox.push(payload_of(1, 9));
  std::vector<std::string> sent;
  std::set<tally::PayloadId> ids;
  for (int i = 0; i < 4; ++i) {
    const Payload* rest = outbox.start(start_of_time);
    REQUIRE(rest != nullptr);
    sent.push_back(rest->body);
    ids.insert(rest->id);
    outbox.settle(rest->id,
                  {.action = Action::without_lines, .refused_lines = {0}, .message = "no"},
                  start_of_time);
    CHECK(outbox.failures() == 0);
  }
  CHECK(sent == std::vector<std::string>{"m v=0\nm v=1\nm v=2\nm v=3\n", "m v=1\nm v=2\nm v=3\n",
                                         "m v=2\nm v=3\n", "m v=3\n"});
  CHECK(ids.size() == 4);
  const std::vector<tally::DeadLetter> dead = outbox.take_dead();
  REQUIRE(dead.size() == 4);
  CHECK(dead[2].line == "m v=2");
  CHECK(dead[2].reason == "no");
  CHECK(dead[2].window == window);
  CHECK(outbox.start(start_of_time)->body == "m v=9\n");
}

TEST_CASE("outbox: an answer that names no line to take out waits like any failure") {
  Outbox outbox({}, 1);
  outbox.push(payload_of(2));
  outbox.settle(outbox.start(start_of_time)->id,
                {.action = Action::without_lines, .retry_after = 7s}, start_of_time);
  CHECK(outbox.failures() == 1);
  CHECK(outbox.start(start_of_time + 6s) == nullptr);
  CHECK(outbox.start(start_of_time + 7s)->points == 2);
}

TEST_CASE("outbox: dead letters that nobody takes are bounded, and those beyond are counted") {
  Outbox outbox({.dead_bytes_max = 21}, 1);  // three lines of five bytes with reasons of two
  outbox.push(payload_of(5));
  const Verdict verdict{.action = Action::drop, .refused_lines = {0, 1, 2, 3, 4}, .message = "no"};
  settle_all(outbox, verdict, start_of_time);
  CHECK(outbox.counts().dead == 3);
  CHECK(outbox.counts().dropped_refused == 2);
  CHECK(outbox.counts().balances());
  CHECK(outbox.take_dead().size() == 3);
  outbox.push(payload_of(5));
  settle_all(outbox, verdict, start_of_time);
  CHECK(outbox.take_dead().size() == 3);
}

TEST_CASE("outbox: what waits can be moved away, oldest first, but not what is in flight") {
  Outbox outbox({}, 1);
  CHECK_FALSE(outbox.take_oldest());
  outbox.push(payload_of(1, 1));
  outbox.push(payload_of(2, 2));
  outbox.push(payload_of(1, 4));
  const Payload* flying = outbox.start(start_of_time);
  const std::optional<Payload> moved = outbox.take_oldest();
  REQUIRE(moved);
  CHECK(moved->body == "m v=2\nm v=3\n");
  CHECK(outbox.counts().moved == 2);
  CHECK(outbox.bytes() == 12);
  CHECK(outbox.counts().balances());
  CHECK(outbox.take_oldest()->body == "m v=4\n");
  CHECK_FALSE(outbox.take_oldest());
  CHECK(flying->body == "m v=1\n");
  outbox.settle(flying->id, {.action = Action::keep}, start_of_time);
  CHECK(outbox.take_oldest()->body == "m v=1\n");
  CHECK(outbox.empty());
  CHECK_FALSE(outbox.due());
}

TEST_CASE("outbox: the back-off begins anew when the server answers and may fail at a line") {
  Outbox outbox({}, 1);
  outbox.push(payload_of(1));
  Instant now = start_of_time;
  const auto fail = [&](bool may_be_a_line) {
    const Payload* payload = outbox.start(now);
    REQUIRE(payload != nullptr);
    outbox.settle(payload->id, {.action = Action::keep, .may_be_a_line = may_be_a_line}, now);
    const auto pause = *outbox.due() - now;
    now = *outbox.due();
    return pause;
  };
  for (int i = 0; i < 10; ++i) fail(false);
  CHECK(outbox.failures() == 10);
  CHECK(fail(true) <= 500ms);
  CHECK(fail(true) <= 1s);
  CHECK(outbox.failures() == 2);
}

TEST_CASE("outbox: the server's wish counts for 300 s at most") {
  Outbox outbox({}, 1);
  outbox.push(payload_of(1));
  outbox.settle(outbox.start(start_of_time)->id, {.retry_after = 999'999s}, start_of_time);
  CHECK(*outbox.due() == start_of_time + 300s);
}

TEST_CASE("outbox: at the end what is left is counted, in flight included") {
  Outbox outbox({}, 1);
  outbox.push(payload_of(2));
  outbox.push(payload_of(3));
  REQUIRE(outbox.start(start_of_time) != nullptr);
  CHECK(outbox.abandon() == 5);
  CHECK(outbox.counts().dropped_shutdown == 5);
  CHECK(outbox.counts().balances());
  CHECK(outbox.bytes() == 0);
  CHECK_FALSE(outbox.in_flight());
  outbox.push(payload_of(1));
  CHECK(outbox.start(start_of_time) != nullptr);
}

namespace {

/// What the outbox should do, written down line by line: one entry a point, no payloads, no bytes
/// saved.
struct NaiveOutbox {
  struct Batch {
    std::vector<std::string> lines;
    std::size_t bytes() const {
      std::size_t sum = 0;
      for (const std::string& line : lines) sum += line.size();
      return sum;
    }
    std::string body() const {
      std::string all;
      for (const std::string& line : lines) all += line;
      return all;
    }
  };
  std::deque<Batch> batches;
  bool in_flight = false;
  std::size_t body_bytes_max = SIZE_MAX;
  // Of every line: "queued", "written", "dropped", "dead", "moved".
  std::map<std::string, std::string> fate;

  std::size_t bytes() const {
    std::size_t sum = 0;
    for (const Batch& batch : batches) sum += batch.bytes();
    return sum;
  }
  void end_first(const std::string& how, std::size_t lost) {
    auto& lines = batches.front().lines;
    // Which of the lines were lost no one knows; how many is what counts.
    for (std::size_t i = 0; i < lines.size(); ++i) fate[lines[i]] = i < lost ? "dropped" : how;
    batches.pop_front();
  }
  void cut_first(std::size_t bytes_max) {
    const Batch whole = batches.front();
    batches.pop_front();
    std::vector<Batch> parts(1);
    for (const std::string& line : whole.lines) {
      if (!parts.back().lines.empty() && parts.back().bytes() + line.size() > bytes_max)
        parts.emplace_back();
      parts.back().lines.push_back(line);
    }
    batches.insert(batches.begin(), parts.begin(), parts.end());
  }
  void cut_to_limit() {
    if (batches.front().lines.size() > 1 && batches.front().bytes() > body_bytes_max)
      cut_first(body_bytes_max);
  }
  /// Of the first batch, by number.
  void kill(const std::vector<std::uint32_t>& numbers) {
    auto& lines = batches.front().lines;
    for (auto number = numbers.rbegin(); number != numbers.rend(); ++number) {
      fate[lines[*number]] = "dead";
      lines.erase(lines.begin() + *number);
    }
  }
  std::uint64_t count(const std::string& how) const {
    return static_cast<std::uint64_t>(std::count_if(
        fate.begin(), fate.end(), [&](const auto& entry) { return entry.second == how; }));
  }
};

/// Random pushes, starts and settlements against the naive one.
class Walk {
 public:
  explicit Walk(std::uint64_t seed) : random_(seed), outbox_({.bytes_max = bytes_max}, seed) {}

  void step() {
    now_ += std::chrono::milliseconds(pick(5'000));
    switch (pick(4)) {
      case 0:
        pick(6) == 0 ? move() : push();
        break;
      case 1:
        pick(30) == 0 ? abandon() : start();
        break;
      default:
        flying_ == nullptr ? start() : settle();
        break;
    }
    check();
  }

 private:
  static constexpr std::size_t bytes_max = 2'000;
  std::int64_t windows_ = 0;

  std::size_t pick(std::size_t below) {
    return std::uniform_int_distribution<std::size_t>(0, below - 1)(random_);
  }

  void push() {
    NaiveOutbox::Batch batch;
    for (std::size_t i = 0, lines = 1 + pick(20); i < lines; ++i) {
      batch.lines.push_back("m" + std::to_string(next_line_++) + std::string(pick(20), 'x') +
                            " v=1\n");
      naive_.fate[batch.lines.back()] = "queued";
    }
    const std::uint64_t dropped =
        outbox_.push({.body = batch.body(),
                      .points = static_cast<std::uint32_t>(batch.lines.size()),
                      .window = tally::WallTime(std::chrono::milliseconds(++windows_))});
    naive_.batches.push_back(batch);
    std::uint64_t expected = 0;
    const std::size_t oldest = naive_.in_flight ? 1 : 0;
    while (naive_.bytes() > bytes_max && naive_.batches.size() > oldest + 1) {
      const auto victim = naive_.batches.begin() + static_cast<std::ptrdiff_t>(oldest);
      for (const std::string& line : victim->lines) naive_.fate[line] = "dropped";
      expected += victim->lines.size();
      naive_.batches.erase(victim);
    }
    CHECK(dropped == expected);
  }

  void start() {
    const auto due = outbox_.due();
    const Payload* payload = outbox_.start(now_);
    const bool should = !naive_.in_flight && !naive_.batches.empty() && now_ >= not_before_;
    REQUIRE((payload != nullptr) == should);
    CHECK(due.has_value() == (!naive_.in_flight && !naive_.batches.empty()));
    if (payload == nullptr) return;
    naive_.in_flight = true;
    naive_.cut_to_limit();
    flying_ = payload;
    CHECK(payload->body == naive_.batches.front().body());
  }

  void settle() {
    // The outbox was pushed to meanwhile: the bytes in flight are still there and the same.
    REQUIRE(flying_->body == naive_.batches.front().body());
    static constexpr std::array<Action, 6> actions{Action::written,         Action::keep,
                                                   Action::split,           Action::drop,
                                                   Action::create_database, Action::without_lines};
    Verdict verdict{.action = actions[pick(actions.size())],
                    .loss = PointLoss::type_conflict,
                    .message = "why"};
    // Rarely: each one lowers the limit for all that follow.
    if (verdict.action == Action::split && pick(8) != 0) verdict.action = Action::keep;
    const auto lines = static_cast<std::uint32_t>(naive_.batches.front().lines.size());
    if (verdict.action == Action::written)
      verdict.points_lost = static_cast<std::uint32_t>(pick(lines + 1));
    for (std::uint32_t line = 0; line < lines && verdict.action != Action::split; ++line)
      if (pick(4) == 0) verdict.refused_lines.push_back(line);
    outbox_.settle(flying_->id, verdict, now_);
    flying_ = nullptr;
    naive_.in_flight = false;
    ++attempts_;
    not_before_ = outbox_.due().value_or(Instant{});
    settle_naive(verdict, lines);
  }

  void settle_naive(const Verdict& verdict, std::size_t lines) {
    const std::size_t named = verdict.refused_lines.size();
    const bool waits = verdict.action == Action::keep || verdict.action == Action::create_database;
    if (waits || (verdict.action == Action::without_lines && named == 0)) {
      CHECK(not_before_ <= now_ + 30s);
      return;
    }
    CHECK(not_before_ <= now_);
    naive_.kill(verdict.refused_lines);
    if (verdict.action == Action::written) {
      const std::size_t lost = std::max<std::size_t>(verdict.points_lost, named) - named;
      naive_.end_first("written", lost);
    } else if (verdict.action == Action::drop) {
      naive_.end_first("", lines);
    } else if (naive_.batches.front().lines.empty()) {
      naive_.batches.pop_front();
    } else if (verdict.action == Action::split) {
      split_naive();
    }
  }

  void split_naive() {
    if (naive_.batches.front().lines.size() == 1) {
      naive_.kill({0});
      return naive_.batches.pop_front();
    }
    const std::size_t half = naive_.batches.front().bytes() / 2;
    naive_.body_bytes_max = std::min(naive_.body_bytes_max, half);
    naive_.cut_first(half);
  }

  void move() {
    const std::size_t oldest = naive_.in_flight ? 1 : 0;
    const std::optional<Payload> moved = outbox_.take_oldest();
    REQUIRE(moved.has_value() == (naive_.batches.size() > oldest));
    if (!moved) return;
    const auto batch = naive_.batches.begin() + static_cast<std::ptrdiff_t>(oldest);
    CHECK(moved->body == batch->body());
    for (const std::string& line : batch->lines) naive_.fate[line] = "moved";
    naive_.batches.erase(batch);
  }

  void abandon() {
    const std::uint64_t given_up = outbox_.abandon();
    CHECK(given_up == naive_.count("queued"));
    while (!naive_.batches.empty()) naive_.end_first("", naive_.batches.front().lines.size());
    naive_.in_flight = false;
    flying_ = nullptr;
  }

  void check() const {
    const tally::OutboxCounts& counts = outbox_.counts();
    REQUIRE(counts.balances());
    REQUIRE(counts.pushed == naive_.fate.size());
    REQUIRE(counts.queued == naive_.count("queued"));
    REQUIRE(counts.written == naive_.count("written"));
    REQUIRE(counts.dropped() == naive_.count("dropped"));
    REQUIRE(counts.dead == naive_.count("dead"));
    REQUIRE(counts.moved == naive_.count("moved"));
    REQUIRE(counts.attempts == attempts_);
    REQUIRE(outbox_.bytes() == naive_.bytes());
    REQUIRE(outbox_.payloads() == naive_.batches.size());
    REQUIRE(outbox_.in_flight() == naive_.in_flight);
    // Over its bound it is only by the one in flight and the newest.
    REQUIRE((outbox_.bytes() <= bytes_max || outbox_.payloads() <= 2));
  }

  std::mt19937_64 random_;
  Outbox outbox_;
  NaiveOutbox naive_;
  Instant now_ = start_of_time;
  Instant not_before_{};
  const Payload* flying_ = nullptr;
  std::size_t next_line_ = 0;
  std::uint64_t attempts_ = 0;
};

}  // namespace

TEST_CASE("outbox: a random walk keeps order, bytes, bounds and balance") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    Walk walk(seed);
    for (int step = 0; step < 300; ++step) walk.step();
  }
}
