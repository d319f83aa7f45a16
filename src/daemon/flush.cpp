#include "daemon/flush.hpp"

#include <sched.h>

#include <algorithm>
#include <utility>

#include "daemon/wall_clock.hpp"

namespace tally {
namespace {

using std::chrono::milliseconds;

// One payload of counters, some milliseconds.
constexpr std::size_t series_a_slice = 5000;
constexpr std::size_t bytes_ahead_max = 8 << 20;  // of text, made ahead of what is sent

// The workers know the monotonic clock only; both clocks are read here, at one moment.
std::vector<StampedNotice> stamped(std::vector<HeardNotice> notices) {
  const WallTime wall = wall_now();
  const Instant now = std::chrono::steady_clock::now();
  std::vector<StampedNotice> result;
  for (HeardNotice& notice : notices)
    result.push_back({std::move(notice.line), wall_of(notice.heard, now, wall)});
  return result;
}

}  // namespace

Flush::Flush(uv::Loop& loop, const Config& config, Naming naming, Outputs& outputs, Ledger& ledger,
             Owner owner)
    : config_(config),
      naming_(std::move(naming)),
      outputs_(outputs),
      ledger_(ledger),
      owner_(std::move(owner)),
      carry_({.percents = config.flush.percentiles,
              .gauge_ttl = config.gauges.ttl,
              .gauges_max = config.limits.series,
              .details = needs_details(config.output.naming)}),
      timer_(loop, [this] { slice(); }) {}

void Flush::begin(ClosedWindow window) {
  window_ = std::move(window);
  begun_ = std::chrono::steady_clock::now();
  done_ = 0;
  owner_.on_begin(*window_);
  slice();
}

void Flush::slice() {
  Table& table = window_->gathered.table;
  const std::size_t done = std::min(done_ + series_a_slice, table.places());
  const bool is_last = done == table.places();
  Snapshot snapshot = carry_.close_slice(table, window_->span, done_, done);
  if (is_last) complete(snapshot);
  // Where a receive thread waits for this core it is not left to wait for the kernel's next tick.
  sched_yield();
  std::vector<Payload> payloads = encode_influx(snapshot, naming_);
  sched_yield();
  push(std::move(payloads), window_->span.start);
  owner_.on_slice(snapshot);
  if (is_last) return end();
  table.release_first(done);
  done_ = done;
  timer_.start(pause());
}

// What is said once a window, behind its last series.
void Flush::complete(Snapshot& snapshot) {
  carry_.close_idle(snapshot);
  ++ledger_.windows;
  ledger_.sets_estimated = carry_.sets_estimated();
  ledger_.timers_estimated = carry_.timers_estimated();
  ledger_.gauges_expired = carry_.gauges_expired();
  ledger_.gauges_not_carried = carry_.gauges_not_carried();
  if (!outputs_.is_terminal()) owner_.complete(snapshot);
}

void Flush::end() {
  ClosedWindow window = *std::exchange(window_, std::nullopt);
  push(encode_notices(stamped(std::move(window.gathered.notices)), naming_), window.span.start);
  owner_.on_end(std::move(window), std::chrono::steady_clock::now() - begun_);
}

// A series is smaller in the table than as text: what no database takes yet is better left there,
// for as long as the next window leaves time. One that takes nothing does not make the others wait.
milliseconds Flush::pause() const {
  const bool has_time =
      !is_hurried_ && std::chrono::steady_clock::now() - begun_ < config_.flush.interval / 2;
  const std::vector<std::size_t> bytes = outputs_.memory_bytes();
  const bool is_ahead = std::ranges::min(bytes) > bytes_ahead_max;
  return has_time && is_ahead ? milliseconds(10) : milliseconds(0);
}

void Flush::push(std::vector<Payload> payloads, WallTime window) {
  for (Payload& payload : payloads) {
    payload.window = window;
    ledger_.points_flushed += payload.points;
    outputs_.push(std::move(payload));
  }
}

}  // namespace tally
