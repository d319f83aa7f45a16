#pragma once
// Plain counters of everything that came in, went out, waits or was given up.

#include <array>
#include <cstdint>

#include "tally/outbox.hpp"
#include "tally/sample.hpp"

namespace tally {

/// What one receive thread saw in one window. Lives beside the window's Table and is mailed with
/// it, so no counter is shared between threads.
struct IngestCounts {
  std::uint64_t datagrams = 0;  ///< received, empty and truncated ones included
  std::uint64_t bytes = 0;
  std::uint64_t kernel_drops = 0;  ///< by SO_MEMINFO: exact
  std::uint64_t datagrams_empty = 0;
  std::uint64_t datagrams_truncated = 0;
  std::uint64_t lines = 0;  ///< not empty
  std::uint64_t lines_accepted = 0;
  std::array<std::uint64_t, reason_count> lines_refused{};
  std::uint64_t samples = 0;  ///< added to a table
  std::uint64_t fields_skipped = 0;
  std::uint64_t receive_errors = 0;  ///< recvmmsg failed for another reason than EAGAIN or EINTR

  IngestCounts& operator+=(const IngestCounts& other);
  std::uint64_t refused() const;
  /// The second balance: lines = accepted + refused.
  bool balances() const { return lines == lines_accepted + refused(); }
};

/// The three balances of the README, since the start of the process. Owned by main.
///
///     datagrams sent = received + dropped by the kernel           (the left side is the senders')
///     lines          = accepted + refused (by reason)
///     points flushed = written + queued + dropped (by reason)
struct Ledger {
  IngestCounts ingest;
  std::uint64_t windows = 0;
  std::uint64_t windows_late = 0;  ///< a worker did not answer in time; its table came later
  std::uint64_t points_flushed = 0;
  std::uint64_t sets_estimated = 0;      ///< points of sets that were too large to be exact
  std::uint64_t timers_estimated = 0;    ///< points of timers whose percentiles are within 1.1 %
  std::uint64_t gauges_expired = 0;      ///< idle for gauges.ttl
  std::uint64_t gauges_not_carried = 0;  ///< written once: limits.series gauges were held already
  OutboxCounts outbox;

  bool balances() const {
    return ingest.balances() && points_flushed == outbox.pushed && outbox.balances();
  }
  /// Everything that is gone: datagrams, lines and points.
  std::uint64_t lost() const { return ingest.kernel_drops + ingest.refused() + outbox.dropped(); }
};

}  // namespace tally
