// A million random steps against a list in memory.
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
  explicit Twin(std::uint32_t seed) : random_(seed), settings_(small_spool(scratch_)) {
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
      ack();
    else if (what < 9'700)
      look();
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
    require(counts.records_waiting == model_.size(), "other records wait than should");
    require(counts.dropped_expired == 0, "something expired");
  }

  void put() {
    const std::uint64_t before = spool_->counts().dropped_full;
    const Waiting put{++last_, 1 + last_ % 4};
    const Status failed =
        spool_->put(payload_of(put.id, static_cast<std::uint32_t>(put.points)), test_now);
    require(!failed, "put failed");
    drop(spool_->counts().dropped_full - before);
    model_.push_back(put);
    points_ += put.points;
  }

  /// The oldest of the model are gone, with so many points, but for the one that was given.
  void drop(std::uint64_t points) {
    dropped_ += points;
    const auto first = model_.begin() + (is_held_ ? 1 : 0);
    auto last = first;
    for (; points > 0 && last != model_.end() && last->points <= points; ++last) {
      points -= last->points;
      points_ -= last->points;
    }
    require(points == 0, "half a record was dropped");
    model_.erase(first, last);
  }

  void look() {
    const std::uint64_t before = spool_->counts().dropped_full;
    const std::optional<Payload> payload = spool_->front(test_now);
    is_held_ = false;
    drop(spool_->counts().dropped_full - before);  // what was given, if its segment is gone
    require(payload.has_value() == !model_.empty(), "front gives what it should not");
    if (!payload) return;
    require(id_of(*payload) == model_.front().id, "out of order");
    require(payload->points == model_.front().points, "another number of points");
    is_held_ = true;
  }

  void ack() {
    if (!is_held_) look();
    spool_->ack();
    if (!is_held_) return;
    acked_.push_back(model_.front());
    if (acked_.size() > 100) acked_.pop_front();
    forget_first();
    is_held_ = false;
  }

  void forget_first() {
    points_ -= model_.front().points;
    model_.pop_front();
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

  /// The process dies: the spool writes nothing more when it goes.
  void die() {
    spool_.reset();
    if (!std::exchange(is_held_, false)) return;
    // The segment of the record that was given may be gone, and nobody has that record any more.
    const std::vector<std::uint64_t> found = ids_on_disk(scratch_);
    if (found.empty() || found.front() != model_.front().id) forget_first();
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
    const std::vector<std::uint64_t> found = ids_on_disk(scratch_);
    std::deque<Waiting> known(
        acked_.end() - static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(again, acked_.size())),
        acked_.end());
    known.insert(known.end(), model_.begin(), model_.end());
    const std::size_t before = model_.size();
    std::deque<Waiting> left;
    auto next = known.begin();
    for (const std::uint64_t id : found) {
      next = std::find_if(next, known.end(), [&](const Waiting& w) { return w.id == id; });
      require(next != known.end(), "a record that was not there, or out of order");
      left.push_back(*next);
    }
    require(left.size() + lost >= before, "more is lost than was damaged");
    losses_ += before - std::min(before, left.size());
    model_ = std::move(left);
    points_ = 0;
    for (const Waiting& waiting : model_) points_ += waiting.points;
  }

  std::mt19937 random_;
  Scratch scratch_;
  SpoolSettings settings_;
  std::unique_ptr<Spool> spool_;
  std::deque<Waiting> model_;
  std::deque<Waiting> acked_;  ///< the last of them
  bool is_held_ = false;       ///< the first of the model was given by front
  std::uint64_t points_ = 0;
  std::uint64_t last_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t losses_ = 0;
  std::uint64_t reopened_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace

TEST_CASE("spool: after each of a million random steps it holds what a list in memory holds") {
  const char* const given = std::getenv("TALLY_MODEL_STEPS");
  const long steps = given != nullptr ? std::atol(given) : 1'000'000;
  Twin twin(5);
  for (long step = 0; step < steps; ++step) twin.step();
  MESSAGE(steps << " steps, opened " << twin.reopened() << " times, " << twin.losses()
                << " records damaged, " << twin.dropped() << " points dropped as full");
  if (steps < 100'000) return;
  CHECK(twin.reopened() > 500);
  CHECK(twin.losses() > 100);
  CHECK(twin.dropped() > 1000);
}
