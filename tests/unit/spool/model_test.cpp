// A million random steps against two lists in memory.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "spool_rig.hpp"

using namespace tally;
using namespace tally::testing;

namespace {

struct Waiting {
  std::uint64_t id = 0;
  std::uint64_t points = 0;
};

/// A spool and what it has to hold. Fails the test at the first difference.
class Twin {
 public:
  /// With `has_fresh` both queues are used. The cursor remembers one place: what was acknowledged
  /// in the other may then come again after a restart.
  Twin(std::uint32_t seed, bool has_fresh)
      : has_fresh_(has_fresh), random_(seed), settings_(small_spool(scratch_)) {
    settings_.bytes_max = 12 << 10;
    settings_.age_max = std::chrono::hours(1'000'000);
    reopen();
  }

  void step() {
    ++steps_;
    const auto what = random_() % 10'000;
    // More puts and more acks take turns, so that it is now full and now empty.
    const std::uint32_t puts = steps_ / 2'000 % 2 == 0 ? 5'500 : 3'500;
    if (what < puts)
      put();
    else if (what < 9'000)
      ack(choose(4));
    else if (what < 9'690)
      look(choose(4));
    else if (what < 9'700)
      set_back();
    else if (what < 9'900)
      sync();
    else if (what < 9'960)
      reopen();
    else if (what < 9'975)
      tear();
    else if (what < 9'995)
      flip();
    else
      fill();
    check();
  }

  std::uint64_t losses() const { return losses_; }
  std::uint64_t reopened() const { return reopened_; }
  std::uint64_t dropped() const { return dropped_; }

 private:
  void require(bool is_true, const char* what) const {
    if (!is_true) FAIL("step " << steps_ << ": " << std::string(what));
  }

  void check() const {
    const SpoolCounts& counts = spool_->counts();
    require(counts.balances(), "points do not balance");
    require(counts.waiting == points_, "other points wait than should");
    require(counts.records_waiting == backlog_.model.size() + fresh_.model.size(),
            "other records wait than should");
    require(counts.dropped_expired == 0, "something expired");
  }

  /// One of both queues, and what it has to give.
  struct Queue {
    Status (Spool::*put)(const Payload&, WallTime);
    std::optional<Payload> (Spool::*front)(WallTime);
    void (Spool::*ack)();
    std::deque<Waiting> model = {};
    bool is_held = false;  ///< the first of the model was given
  };

  Queue& choose(std::uint32_t of) { return has_fresh_ && random_() % of == 0 ? fresh_ : backlog_; }

  void put() {
    Queue& queue = choose(5);
    const std::uint64_t before = spool_->counts().dropped_full;
    const Waiting put{++last_, 1 + last_ % 4};
    const Status failed =
        (*spool_.*queue.put)(payload_of(put.id, static_cast<std::uint32_t>(put.points)), test_now);
    require(!failed, "put failed");
    drop(spool_->counts().dropped_full - before);
    queue.model.push_back(put);
    points_ += put.points;
  }

  /// The oldest are gone, with so many points, but for those that were given.
  void drop(std::uint64_t points) {
    dropped_ += points;
    for (Queue* queue : {&backlog_, &fresh_}) {
      const auto first = queue->model.begin() + (queue->is_held ? 1 : 0);
      auto last = first;
      for (; points > 0 && last != queue->model.end() && last->points <= points; ++last) {
        points -= last->points;
        points_ -= last->points;
      }
      queue->model.erase(first, last);
    }
    require(points == 0, "half a record was dropped");
  }

  void look(Queue& queue) {
    const std::uint64_t before = spool_->counts().dropped_full;
    const std::optional<Payload> payload = (*spool_.*queue.front)(test_now);
    lose_given(queue, spool_->counts().dropped_full - before);
    require(payload.has_value() == !queue.model.empty(), "front gives what it should not");
    if (!payload) return;
    require(id_of(*payload) == queue.model.front().id, "out of order");
    require(payload->points == queue.model.front().points, "another number of points");
    queue.is_held = true;
  }

  /// What was given waits again, or is dropped, if its segment is gone.
  void lose_given(Queue& queue, std::uint64_t points) {
    queue.is_held = false;
    if (points == 0) return;
    require(points == queue.model.front().points, "another record was dropped");
    dropped_ += points;
    forget_first(queue);
  }

  void ack(Queue& queue) {
    if (!queue.is_held) look(queue);
    (*spool_.*queue.ack)();
    if (!queue.is_held) return;
    acked_.push_back(queue.model.front());
    if (acked_.size() > acked_max) acked_.pop_front();
    forget_first(queue);
    queue.is_held = false;
  }

  void forget_first(Queue& queue) {
    points_ -= queue.model.front().points;
    queue.model.pop_front();
  }

  void set_back() {
    const std::uint64_t before = spool_->counts().dropped_full;
    spool_->set_back();
    lose_given(fresh_, spool_->counts().dropped_full - before);
    backlog_.model.insert(backlog_.model.end(), fresh_.model.begin(), fresh_.model.end());
    fresh_.model.clear();
  }

  void sync() {
    if (!spool_->start_sync()) return;
    if (random_() % 4 == 0)
      spool_->end_sync(Error{"Input/output error", EIO});
    else
      spool_->end_sync({});
  }

  void fill() {
    for (int i = 0; i < 200; ++i) put();
  }

  /// The process dies: the spool writes nothing more when it goes. What was fresh waits like all
  /// else, in the order of the segments.
  void die() {
    if (!spool_) return;
    spool_.reset();
    const std::vector<std::uint64_t> found = ids_on_disk(scratch_);
    for (Queue* queue : {&backlog_, &fresh_}) {
      // The segment of the record that was given may be gone, and nobody has that record any more.
      const bool was_held = std::exchange(queue->is_held, false);
      if (was_held && std::ranges::find(found, queue->model.front().id) == found.end())
        forget_first(*queue);
    }
    backlog_.model.insert(backlog_.model.end(), fresh_.model.begin(), fresh_.model.end());
    fresh_.model.clear();
  }

  void start() {
    ++reopened_;
    spool_ = open_spool(settings_);
  }

  void reopen() {
    die();
    start();
    expect(0, 0);
  }

  /// The end of the newest file is missing.
  void tear() {
    die();
    const std::vector<std::string> names = scratch_.files();
    if (!names.empty()) {
      const std::string bytes = scratch_.read(names.back());
      const std::size_t torn = std::min<std::size_t>(bytes.size(), 1 + random_() % 200);
      scratch_.write(names.back(), bytes.substr(0, bytes.size() - torn));
      start();
      // Records have at least 56 bytes; a header that is cut takes all with it.
      expect(bytes.size() - torn < segment_header_bytes ? 100 : torn / 56 + 1, 0);
      return;
    }
    start();
  }

  /// One bit of one file.
  void flip() {
    die();
    std::vector<std::string> names = scratch_.files();
    const bool is_cursor = random_() % 10 == 0 && !scratch_.read("cursor").empty();
    if (is_cursor) names = {"cursor"};
    if (!names.empty()) {
      const std::string& name = names[random_() % names.size()];
      std::string bytes = scratch_.read(name);
      const std::size_t bit = random_() % (bytes.size() * 8);
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
      scratch_.write(name, bytes);
    }
    start();
    expect(is_cursor ? 0 : 1, is_cursor ? 100 : 0);
  }

  /// What is on disk is the model but for at most `lost` records, and at most `again` that had been
  /// acknowledged come again. Then that is the model.
  void expect(std::uint64_t lost, std::uint64_t again) {
    if (has_fresh_) again = acked_max;
    std::deque<Waiting> known(
        acked_.end() - static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(again, acked_.size())),
        acked_.end());
    std::deque<Waiting>& model = backlog_.model;
    known.insert(known.end(), model.begin(), model.end());
    std::size_t missing = model.size();
    std::deque<Waiting> left;
    for (const std::uint64_t id : ids_on_disk(scratch_)) {
      const auto found = std::ranges::find(known, id, &Waiting::id);
      require(found != known.end(), "a record that was not there");
      left.push_back(*found);
      known.erase(found);
      if (std::ranges::find(model, id, &Waiting::id) != model.end()) --missing;
    }
    require(missing <= lost, "more is lost than was damaged");
    losses_ += missing;
    model = std::move(left);
    points_ = 0;
    for (const Waiting& waiting : model) points_ += waiting.points;
  }

  static constexpr std::size_t acked_max = 200;

  bool has_fresh_;
  std::mt19937 random_;
  Scratch scratch_;
  SpoolSettings settings_;
  std::unique_ptr<Spool> spool_;
  Queue backlog_{.put = &Spool::put, .front = &Spool::front, .ack = &Spool::ack};
  Queue fresh_{.put = &Spool::put_fresh, .front = &Spool::fresh, .ack = &Spool::ack_fresh};
  std::deque<Waiting> acked_;  ///< the last of them
  std::uint64_t points_ = 0;
  std::uint64_t last_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t losses_ = 0;
  std::uint64_t reopened_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace

TEST_CASE("spool: after each of a million random steps it holds what lists in memory hold") {
  const char* const given = std::getenv("TALLY_MODEL_STEPS");
  const long steps = (given != nullptr ? std::atol(given) : 1'000'000) / 2;
  for (const bool has_fresh : {false, true}) {
    CAPTURE(has_fresh);
    Twin twin(5, has_fresh);
    for (long step = 0; step < steps; ++step) twin.step();
    MESSAGE(steps << " steps, opened " << twin.reopened() << " times, " << twin.losses()
                  << " records damaged, " << twin.dropped() << " points dropped as full");
    if (steps < 50'000) continue;
    CHECK(twin.reopened() > 500);
    CHECK(twin.losses() > 100);
    CHECK(twin.dropped() > 1000);
  }
}
