#include "spool/backlog.hpp"

#include <spdlog/logger.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "tally/text.hpp"

namespace tally {
namespace {

// What is put within this time is forced to disk by one call: a window, mostly.
constexpr std::chrono::milliseconds sync_pause{200};

}  // namespace

Result<std::unique_ptr<Backlog>> Backlog::open(uv::Loop& loop, SpoolSettings settings,
                                               WallClock clock, spdlog::logger& log) {
  Result<std::unique_ptr<Spool>> spool = Spool::begin(std::move(settings));
  if (!spool) return spool.error();
  return std::make_unique<Backlog>(loop, std::move(spool).value(), std::move(clock), log);
}

Backlog::Backlog(uv::Loop& loop, std::unique_ptr<Spool> spool, WallClock clock, spdlog::logger& log)
    : spool_(std::move(spool)),
      clock_(std::move(clock)),
      log_(log),
      recovery_(loop,
                [this](RecoveryFinding finding) {
                  spool_->end_step(std::move(finding), clock_());
                  log_findings();
                  recover();
                  if (on_recovered_) on_recovered_();
                }),
      sync_timer_(loop, [this] { sync(); }),
      sync_work_(loop, [this](const Status& outcome) {
        spool_->end_sync(outcome);
        log_findings();
        if (!sync_timer_.active()) sync_timer_.start(sync_pause);
      }) {
  Result<std::unique_ptr<DeadLetters>> dead = DeadLetters::open(spool_->settings().directory);
  if (dead) {
    dead_ = std::move(dead).value();
  } else {
    log_.error("{}; lines that the database refuses are counted, but not kept",
               dead.error().message);
  }
  recover();
}

void Backlog::recover() {
  if (std::optional<RecoveryStep> step = spool_->next_step()) recovery_.start(std::move(*step));
}

bool Backlog::put(const Payload& payload) {
  return report(spool_->put(payload, clock_()));
}

bool Backlog::put_fresh(const Payload& payload) {
  return report(spool_->put_fresh(payload, clock_()));
}

/// Whether it went well; said when that changes.
bool Backlog::report(const Status& error) {
  log_findings();
  if (error) {
    if (!std::exchange(is_failing_, true))
      log_.error("{}; points wait in memory until the disk takes them again", error->message);
    return false;
  }
  if (std::exchange(is_failing_, false))
    log_.info("{} takes points again", quote(spool_->settings().directory));
  if (!sync_timer_.active() && !sync_work_.busy()) sync_timer_.start(sync_pause);
  return true;
}

std::optional<Payload> Backlog::front() {
  std::optional<Payload> payload = spool_->front(clock_());
  log_findings();
  return payload;
}

std::optional<Payload> Backlog::fresh() {
  std::optional<Payload> payload = spool_->fresh(clock_());
  log_findings();
  return payload;
}

void Backlog::ack() {
  spool_->ack();
  log_findings();
}

void Backlog::ack_fresh() {
  spool_->ack_fresh();
  log_findings();
}

void Backlog::set_back() {
  spool_->set_back();
}

std::chrono::milliseconds Backlog::age() const {
  const std::optional<WallTime> oldest = spool_->oldest();
  if (!oldest) return {};
  return std::max(std::chrono::milliseconds{0}, clock_() - *oldest);
}

std::uint64_t Backlog::bury(const std::vector<DeadLetter>& letters) {
  if (!dead_) return letters.size();
  std::uint64_t failures = 0;
  for (const DeadLetter& letter : letters) {
    const Status error = dead_->add(letter);
    if (error && failures++ == 0)
      log_.error("{}; the line is counted as refused, but not kept", error->message);
  }
  tell_dead_dropped();
  return failures;
}

/// Dead letters are counted as such also after the newer ones took their place.
void Backlog::tell_dead_dropped() {
  constexpr std::chrono::seconds pause{10};
  const std::uint64_t dropped = dead_->counts().dropped_full - dead_dropped_;
  const WallTime now = clock_();
  if (dropped == 0 || (now >= dead_dropped_said_ && now - dead_dropped_said_ < pause)) return;
  dead_dropped_ += dropped;
  dead_dropped_said_ = now;
  log_.warn("spool {}: full of dead letters ({}): the oldest {} are gone; see tallyd spool dead",
            spool_->settings().directory, as_size(dead_->bytes_max()), with_commas(dropped));
}

void Backlog::sync() {
  if (sync_work_.busy()) return;
  if (std::optional<SpoolSync> task = spool_->start_sync()) sync_work_.start(std::move(*task));
}

void Backlog::log_findings() {
  for (const std::string& finding : spool_->take_findings()) log_.warn("{}", finding);
}

}  // namespace tally
