#pragma once
// Where the points of one destination are. Plain counts.

#include <cstdint>

namespace tally {

/// The third balance of the README: at every moment
///
///     pushed + recovered = written + queued + spooled + dead + dropped (by reason)
struct DeliveryCounts {
  std::uint64_t pushed = 0;     ///< points flushed
  std::uint64_t recovered = 0;  ///< found on disk at the start: an earlier process flushed them
  std::uint64_t written = 0;    ///< acknowledged by the database
  std::uint64_t queued = 0;     ///< in memory, in flight included
  std::uint64_t spooled = 0;    ///< on disk
  std::uint64_t dead = 0;       ///< refused by the database, and kept on disk to be looked at

  std::uint64_t dropped_full = 0;      ///< oldest first, when the memory for them was full
  std::uint64_t dropped_refused = 0;   ///< the database would not have them
  std::uint64_t dropped_conflict = 0;  ///< field type conflict
  std::uint64_t dropped_expired = 0;   ///< beyond the retention policy
  std::uint64_t dropped_series = 0;    ///< the database's series limit
  std::uint64_t dropped_spool = 0;     ///< oldest first, when the spool was full
  std::uint64_t dropped_age = 0;       ///< in the spool for longer than spool.max_age
  std::uint64_t dropped_damaged = 0;   ///< what the disk lost
  std::uint64_t dropped_shutdown = 0;  ///< still queued when the process had to end

  std::uint64_t attempts = 0;  ///< requests settled
  std::uint64_t retries = 0;   ///< of them: to be sent again, whole or in parts

  DeliveryCounts& operator+=(const DeliveryCounts& other);
  std::uint64_t dropped() const {
    return dropped_full + dropped_refused + dropped_conflict + dropped_expired + dropped_series +
           dropped_spool + dropped_age + dropped_damaged + dropped_shutdown;
  }
  bool balances() const {
    return pushed + recovered == written + queued + spooled + dead + dropped();
  }
};

}  // namespace tally
