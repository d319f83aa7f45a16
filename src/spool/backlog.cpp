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
  Result<std::unique_ptr<Spool>> spool = Spool::open(std::move(settings), clock());
  if (!spool) return spool.error();
  return std::make_unique<Backlog>(loop, std::move(spool).value(), std::move(clock), log);
}

Backlog::Backlog(uv::Loop& loop, std::unique_ptr<Spool> spool, WallClock clock, spdlog::logger& log)
    : spool_(std::move(spool)),
      clock_(std::move(clock)),
      log_(log),
      sync_timer_(loop, [this] { sync(); }),
      sync_work_(loop, [this](const Status& outcome) {
        spool_->end_sync(outcome);
        log_findings();
        if (!sync_timer_.active()) sync_timer_.start(sync_pause);
      }) {
  log_findings();
  Result<std::unique_ptr<DeadLetters>> dead = DeadLetters::open(spool_->settings().directory);
  if (dead) {
    dead_ = std::move(dead).value();
  } else {
    log_.error("{}; lines that the database refuses are counted, but not kept",
               dead.error().message);
  }
}

bool Backlog::put(const Payload& payload) {
  const Status error = spool_->put(payload, clock_());
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

void Backlog::ack() {
  spool_->ack();
  log_findings();
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
  return failures;
}

void Backlog::sync() {
  if (sync_work_.busy()) return;
  if (std::optional<SpoolSync> task = spool_->start_sync()) sync_work_.start(std::move(*task));
}

void Backlog::log_findings() {
  for (const std::string& finding : spool_->take_findings()) log_.warn("{}", finding);
}

}  // namespace tally
