#pragma once
// The backlog of one destination on disk: what the database has not acknowledged yet survives the
// process. Files are only ever appended to and deleted whole, so there is no clean end: what lies
// on disk after each call is complete, and opening is always a recovery.
//
//     <directory>/            0700, ours
//       LOCK                  flock: one process; holds its pid
//       cursor                where reading goes on: two slots, written in turn
//       seg-<16 digits>.lp    segments, see format.hpp
//       dead/                 see dead_letters.hpp
//
//     put ---------> backlog  (SegmentQueue) ---> front, ack
//                       ^  set_back
//     put_fresh ----> fresh   (SegmentQueue) ---> fresh, ack_fresh
//
// While an earlier process's segments are still being read there is no place behind them: then what
// is put waits in a third queue, and goes behind them once they are known.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "spool/recovery.hpp"
#include "spool/segment_queue.hpp"
#include "spool/shared.hpp"
#include "spool/sync.hpp"
#include "tally/payload.hpp"
#include "tally/result.hpp"
#include "tally/time.hpp"

namespace tally {

/// Two queues, each first in, first out: what waits, and beside it what is fresh and shall not wait
/// behind that. One thread. Nothing here ends the process or throws; a disk that fails gives errors
/// and keeps what it has.
class Spool {
 public:
  /// Makes the directory (0700) if need be, locks it and recovers all that is there. Errors: in use
  /// by another process (code EWOULDBLOCK), a directory that is a symbolic link, not ours or
  /// writable by others, or one that cannot be made or read.
  static Result<std::unique_ptr<Spool>> open(SpoolSettings settings, WallTime now);

  /// As `open`, but what is there is recovered by steps, which the caller runs where it likes, each
  /// when the last has ended. Meanwhile all else works, and `front` gives what was recovered so
  /// far.
  static Result<std::unique_ptr<Spool>> begin(SpoolSettings settings);
  std::optional<RecoveryStep> next_step();  ///< nothing if one is under way or all is recovered
  void end_step(RecoveryFinding finding, WallTime now);
  bool is_recovering() const { return recovery_.has_value(); }

  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  /// Appends a record, into the page cache unless the policy is `always`. On an error nothing of
  /// it is left on disk and the payload is still the caller's; a later `put` tries again by itself,
  /// in a new segment. Past `bytes_max` the oldest segment is dropped, counted and remembered. A
  /// body of more than `spool_body_bytes_max` is an error each time.
  Status put(const Payload& payload, WallTime now);
  Status put_fresh(const Payload& payload, WallTime now);

  /// The oldest record that is not acknowledged, read from disk (id is 0); nothing if none waits.
  /// Expired and damaged ones are dropped and counted on the way. Until `ack` the record counts as
  /// waiting, whatever becomes of its segment. Asked again without `ack`, it gives the same again,
  /// or the next one if its segment has been dropped meanwhile.
  std::optional<Payload> front(WallTime now);
  std::optional<Payload> fresh(WallTime now);

  /// What `front` gave is done: written, dead-lettered, or dropped by the caller with a reason of
  /// its own. Does nothing if `front` gave nothing.
  void ack();
  void ack_fresh();

  /// What is fresh waits behind all the rest from now on, what `fresh` gave and was not
  /// acknowledged among it.
  void set_back();

  /// What is to be forced to disk; nothing if all is, if the policy is not `interval`, or if one
  /// is under way. Run it anywhere and give its outcome to `end_sync`.
  std::optional<SpoolSync> start_sync();
  void end_sync(const Status& outcome);

  const SpoolCounts& counts() const { return shared_.counts; }
  std::uint64_t bytes() const;                                  ///< of the segments on disk
  std::uint64_t fresh_bytes() const { return fresh_.bytes(); }  ///< of them
  bool empty() const { return counts().waiting == 0; }

  /// Window of the oldest and the newest point that wait; nothing if none does.
  std::optional<WallTime> oldest() const;
  std::optional<WallTime> newest() const;

  /// What happened since the last call, one line each, at most a hundred: recovery, segments
  /// dropped, damage met, disks that do not sync.
  std::vector<std::string> take_findings();

  const SpoolSettings& settings() const { return shared_.settings; }

 private:
  Spool(SpoolSettings settings, SpoolDirectory directory);

  Status put_into(SegmentQueue& queue, const Payload& payload, WallTime now);
  Status try_to_put(SegmentQueue& queue, const Payload& payload, WallTime now);
  Status begin_segment(SegmentQueue& queue, std::uint64_t bytes, WallTime now);
  Status check_space() const;
  Status make_room(std::uint64_t bytes, Stretch& lost);
  void expire(WallTime now);

  SpoolShared shared_;
  SyncDebt debt_{shared_};
  SegmentQueue backlog_{shared_, debt_};
  SegmentQueue late_{shared_, debt_};  ///< what will be behind what is recovered
  SegmentQueue fresh_{shared_, debt_};
  SegmentQueue* const queues_[3] = {&backlog_, &late_, &fresh_};  ///< oldest first
  std::optional<SpoolRecovery> recovery_;
  bool is_step_out_ = false;
};

}  // namespace tally
