#pragma once
// The bounded queue and the retry schedule of one destination. Pure: `now` is an argument.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <random>

#include "tally/payload.hpp"
#include "tally/time.hpp"
#include "tally/verdict.hpp"

namespace tally {

/// A line that the database will never take.
struct DeadLetter {
  std::string line;    ///< line protocol, without its line end
  std::string reason;  ///< what the database said, one line
  WallTime window{};   ///< of the payload it came from
};

struct OutboxLimits {
  /// Of the bodies of older windows beside the newest. Past it the oldest payload is dropped and
  /// counted. The newest window is held whole, however large: it was not late yet.
  std::size_t bytes_max = 64 << 20;
};

/// Where every point that entered the outbox is: the third balance,
/// `pushed = written + queued + dropped(by reason)`.
struct OutboxCounts {
  std::uint64_t pushed = 0;
  std::uint64_t written = 0;
  std::uint64_t queued = 0;            ///< in memory, in flight included
  std::uint64_t dropped_full = 0;      ///< oldest first, when the outbox was full
  std::uint64_t dropped_refused = 0;   ///< the database would not have them
  std::uint64_t dropped_conflict = 0;  ///< field type conflict
  std::uint64_t dropped_expired = 0;   ///< beyond the retention policy
  std::uint64_t dropped_series = 0;    ///< the database's series limit
  std::uint64_t dropped_shutdown = 0;  ///< still queued when the process had to end
  std::uint64_t attempts = 0;          ///< requests settled
  std::uint64_t retries = 0;           ///< of them: to be sent again

  std::uint64_t dropped() const {
    return dropped_full + dropped_refused + dropped_conflict + dropped_expired + dropped_series +
           dropped_shutdown;
  }
  bool balances() const { return pushed == written + queued + dropped(); }
};

/// Payloads in order, one in flight at a time. Back-off is full jitter: a random time up to
/// 0.5 s * 2^n, at most 30 s (60 s when only an operator can mend it), reset by the first success
/// (M. Brooker, "Exponential Backoff And Jitter", 2015).
class Outbox {
 public:
  Outbox(OutboxLimits limits, std::uint64_t jitter_seed);

  /// Takes a payload and gives it an id. Drops the oldest ones if the bound is passed, but never
  /// the one in flight nor one of the new one's window. Returns how many points were dropped for
  /// it.
  std::uint64_t push(Payload payload);

  /// The payload to send now: the oldest, if none is in flight and the back-off has passed. The
  /// caller sends it and calls `settle`; the pointer is valid until then.
  const Payload* start(Instant now);

  /// When `start` will next give something; nothing while one is in flight or none waits.
  std::optional<Instant> due() const;

  /// Ends the attempt. REQUIRES: `id` is in flight. The halves of a split take its place, with new
  /// ids; a payload of one line that cannot be split is dropped.
  void settle(PayloadId id, const Verdict& verdict, Instant now);

  /// Send at once what waits (the destination came back, or the last attempt before the end).
  void hurry() { not_before_ = Instant{}; }

  /// Gives up all that is queued, in flight included: counted as dropped by shutdown. Returns the
  /// points. What was in flight is not to be settled any more.
  std::uint64_t abandon();

  const OutboxCounts& counts() const { return counts_; }
  std::size_t bytes() const { return bytes_; }
  std::size_t payloads() const { return queue_.size(); }
  bool empty() const { return queue_.empty(); }
  bool in_flight() const { return in_flight_; }
  std::uint32_t failures() const { return failures_; }  ///< in a row

 private:
  void pop_front();
  bool split_front();
  void settle_front(const Verdict& verdict);
  void wait(const Verdict& verdict, Instant now);
  std::chrono::milliseconds backoff(const Verdict& verdict);

  OutboxLimits limits_;
  std::minstd_rand random_;
  std::list<Payload> queue_;  ///< a list: dropping the second must not move the one in flight
  std::size_t bytes_ = 0;
  bool in_flight_ = false;
  std::uint32_t failures_ = 0;
  Instant not_before_{};
  PayloadId next_id_ = 1;
  OutboxCounts counts_;
};

}  // namespace tally
