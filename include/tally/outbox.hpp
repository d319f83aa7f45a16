#pragma once
// The bounded queue and the retry schedule of one lane to a destination. Pure: `now` is an
// argument.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tally/delivery.hpp"
#include "tally/payload.hpp"
#include "tally/time.hpp"
#include "tally/verdict.hpp"

namespace tally {

class KnownSeries;

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
  /// Of dead letters that nobody took yet; past it a line is dropped as refused.
  std::size_t dead_bytes_max = 8 << 20;
};

/// Where every point that entered the outbox is: the third balance,
/// `pushed = written + queued + dead + moved + dropped(by reason)`.
struct OutboxCounts {
  std::uint64_t pushed = 0;
  std::uint64_t written = 0;
  std::uint64_t queued = 0;            ///< in memory, in flight included
  std::uint64_t dead = 0;              ///< handed out as dead letters, or waiting to be
  std::uint64_t moved = 0;             ///< handed out by `take_oldest`
  std::uint64_t dropped_full = 0;      ///< oldest first, when the outbox was full
  std::uint64_t dropped_refused = 0;   ///< the database would not have them
  std::uint64_t dropped_conflict = 0;  ///< field type conflict
  std::uint64_t dropped_expired = 0;   ///< beyond the retention policy
  std::uint64_t dropped_series = 0;    ///< the database's series limit
  std::uint64_t dropped_shutdown = 0;  ///< still queued when the process had to end
  std::uint64_t attempts = 0;          ///< requests settled
  std::uint64_t retries = 0;           ///< of them: to be sent again, whole or in parts

  std::uint64_t dropped() const {
    return dropped_full + dropped_refused + dropped_conflict + dropped_expired + dropped_series +
           dropped_shutdown;
  }
  bool balances() const { return pushed == written + queued + dead + moved + dropped(); }
};

/// What an outbox tells of its destination. What it `moved` is not in it: someone else has that.
DeliveryCounts delivery_of(const OutboxCounts& counts);

/// Payloads in order, one in flight at a time. Back-off is full jitter: a random time up to
/// 0.5 s * 2^n, at most 30 s (5 s * 2^n and 60 s when only an operator can mend it), at least the
/// server's Retry-After (of which 300 s at most), reset by the first success and the first
/// `may_be_a_line` (M. Brooker, "Exponential Backoff And Jitter", 2015).
///
/// What a verdict makes of the payload in flight. Parts take its place, with new ids, and are sent
/// at once, for the server is well:
///
///     written          gone; the lines it names are dead letters
///     drop             gone; the lines it names are dead letters
///     keep             sent again after the back-off
///     split            parts of at most half its size; from then on nothing larger than half of
///                      the smallest that was too large is sent. A line that is too large is dead
///     without_lines    the rest, the named lines are dead letters; as `keep` if it names none
///     known_alone      the lines of series that were acknowledged before, then the others in parts
///                      of 500; a part of which the database refuses some but not all is halved
///                      again, for its own count is only right when it refuses all (it drops
///                      points of series it has beside new ones, and does not say so)
///     may_be_a_line    as `keep`; after five of them see `suspects_a_line`
class Outbox {
 public:
  /// `known` is what the destination has acknowledged, shared by its outboxes; without it series
  /// are told apart by halving alone.
  Outbox(OutboxLimits limits, std::uint64_t jitter_seed, KnownSeries* known = nullptr);

  /// Takes a payload and gives it an id. Drops the oldest ones if the bound is passed, but never
  /// the one in flight nor one of the new one's window. Returns how many points were dropped for
  /// it.
  std::uint64_t push(Payload payload);

  /// The payload to send now: the oldest, if none is in flight and the back-off has passed. The
  /// caller sends it and calls `settle`; the pointer is valid until then.
  const Payload* start(Instant now);

  /// When `start` will next give something; nothing while one is in flight or none waits.
  std::optional<Instant> due() const;

  /// Ends the attempt. REQUIRES: `id` is in flight.
  void settle(PayloadId id, const Verdict& verdict, Instant now);

  /// Whether the next payload was refused five times in a way that one line may cause. The caller
  /// then finds out if the server is alive, and if so calls `halve_front`.
  bool suspects_a_line() const;

  /// Looks for the line, by halving: at most 26 requests for one line in 5,000. A line dies only
  /// while the server takes others: a half of this payload, payloads that this outbox wrote since
  /// the first refusal, or, if `others_are_written`, those of another. While it takes nothing the
  /// payload is whole again, waits for the back-off, and lets those behind it pass. Does nothing
  /// unless `suspects_a_line`.
  void halve_front(bool others_are_written = false);

  /// The oldest window of which something waits, in flight included; nothing if none does.
  std::optional<WallTime> oldest_window() const;

  /// The oldest payload that is not in flight, or null. Valid until the next call of another.
  const Payload* oldest() const;

  /// Takes it out, to be kept elsewhere: counted as moved.
  std::optional<Payload> take_oldest();

  /// Takes out all that is on disk too: counted as moved. REQUIRES: nothing is in flight.
  void leave_to_disk();

  /// The lines that died since the last call, oldest first.
  std::vector<DeadLetter> take_dead();

  /// Send at once what waits (the destination came back, or the last attempt before the end).
  void hurry() { not_before_ = Instant{}; }

  /// Gives up all that is queued, in flight included: counted as dropped by shutdown. Returns the
  /// points. What was in flight is not to be settled any more.
  std::uint64_t abandon();

  /// Of what is queued, the points of payloads that are on disk too.
  std::uint64_t points_on_disk() const;

  const OutboxCounts& counts() const { return counts_; }
  std::size_t bytes() const { return bytes_; }
  std::size_t payloads() const { return queue_.size(); }
  bool empty() const { return queue_.empty(); }
  bool in_flight() const { return in_flight_; }
  std::uint32_t failures() const { return failures_; }  ///< in a row

 private:
  struct Waiting {
    Payload payload;
    std::uint32_t refusals = 0;        ///< that a line may have caused
    std::uint32_t halvings = 0;        ///< how often the line was looked for in vain
    std::uint64_t written_before = 0;  ///< points, at its first refusal or last such try
    bool is_suspect = false;           ///< part of the one payload that is being halved
    bool is_refused = false;           ///< a suspect that is not to be sent again whole
    bool is_parted = false;            ///< by series
  };

  enum class Outcome : std::uint8_t {
    done,   ///< the payload is gone
    again,  ///< parts of it are in its place: at once
    later   ///< it waits for the back-off
  };

  void pop_front();
  void replace_front(std::vector<std::string> bodies);
  void step_aside();

  Outcome obey(const Verdict& verdict);
  Outcome finish(const Verdict& verdict);
  Outcome split(const Verdict& verdict);
  Outcome without_lines(const Verdict& verdict);
  Outcome part_by_series(const Verdict& verdict);
  void bury(std::string_view line, const std::string& reason);
  std::uint32_t bury_named(const Verdict& verdict);

  bool is_looking() const { return !queue_.empty() && queue_.front().is_suspect; }
  Outcome refuse(const Verdict& verdict);
  void sift();
  void join_suspects();

  void wait(const Verdict& verdict, Instant now);
  std::chrono::milliseconds backoff(const Verdict& verdict);

  OutboxLimits limits_;
  std::minstd_rand random_;
  KnownSeries* known_;
  std::list<Waiting> queue_;  ///< a list: dropping the second must not move the one in flight
  std::size_t bytes_ = 0;
  std::size_t body_bytes_max_ = SIZE_MAX;  ///< half of the smallest that was too large
  bool in_flight_ = false;
  std::uint32_t failures_ = 0;
  bool was_refused_ = false;     ///< for a line, perhaps, since the last payload was done
  std::uint32_t fruitless_ = 0;  ///< refusals of suspects since the server accepted something
  std::string refusal_;          ///< what it said of the last
  Instant not_before_{};
  PayloadId next_id_ = 1;
  std::vector<DeadLetter> dead_;
  std::size_t dead_bytes_ = 0;
  OutboxCounts counts_;
};

}  // namespace tally
