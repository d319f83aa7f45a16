#pragma once
// Plain counters of everything that came in, went out, waits or was given up.

#include <array>
#include <cstdint>
#include <vector>

#include "tally/delivery.hpp"
#include "tally/sample.hpp"

namespace tally {

/// What became of the connections of a stream listener.
struct ConnectionCounts {
  std::uint64_t accepted = 0;
  std::uint64_t denied = 0;      ///< listen.allow does not name the peer
  std::uint64_t refused = 0;     ///< limits.connections were open, or no descriptor was left
  std::uint64_t idle = 0;        ///< hung up on after listen.idle_timeout of silence
  std::uint64_t not_statsd = 0;  ///< hung up on: HTTP or TLS
  std::uint64_t broken = 0;      ///< hung up on: a frame's length over the limit
  std::uint64_t bytes = 0;       ///< read

  ConnectionCounts& operator+=(const ConnectionCounts& other);
  friend bool operator==(const ConnectionCounts&, const ConnectionCounts&) = default;
};

/// What one listener of one receive thread saw in one window. Lives beside the window's Table and
/// is mailed with it, so no counter is shared between threads.
struct IngestCounts {
  std::uint64_t datagrams = 0;     ///< received; empty, truncated, denied, unread ones included
  std::uint64_t bytes = 0;         ///< of datagrams
  std::uint64_t kernel_drops = 0;  ///< by SO_MEMINFO: exact
  std::uint64_t datagrams_empty = 0;
  std::uint64_t datagrams_truncated = 0;
  std::uint64_t datagrams_denied = 0;  ///< listen.allow does not name the sender: not read
  std::uint64_t datagrams_unread = 0;  ///< still waited when a stop's time to read was up
  std::uint64_t lines = 0;             ///< not empty
  std::uint64_t lines_accepted = 0;
  std::array<std::uint64_t, reason_count> lines_refused{};
  std::uint64_t samples = 0;  ///< added to a table
  std::uint64_t fields_skipped = 0;
  std::uint64_t samples_late = 0;    ///< of `samples`: points of their own, by their sender's time
  std::uint64_t times_ignored = 0;   ///< of `samples`: limits.lateness ago, or ahead of our clock
  std::uint64_t receive_errors = 0;  ///< recvmmsg failed for another reason than EAGAIN or EINTR
  ConnectionCounts connections;

  IngestCounts& operator+=(const IngestCounts& other);
  friend bool operator==(const IngestCounts&, const IngestCounts&) = default;
  std::uint64_t refused() const;
  /// The second balance: lines = accepted + refused.
  bool balances() const { return lines == lines_accepted + refused(); }
};

/// The three balances of the README, since the start of the process. Owned by main.
///
///     datagrams sent = received + dropped by the kernel           (the left side is the senders')
///     lines          = accepted + refused (by reason)
///     points flushed = written + queued + spooled + dead-lettered + dropped (by reason), at each
///                      destination
struct Ledger {
  IngestCounts ingest;                    ///< over all listeners
  std::vector<IngestCounts> by_listener;  ///< in the order of the daemon's list
  std::uint64_t windows = 0;
  std::uint64_t windows_late = 0;    ///< a worker did not answer in time; its table came later
  std::uint64_t windows_joined = 0;  ///< kept open past their end: older ones still waited
  std::uint64_t points_flushed = 0;
  std::uint64_t sets_estimated = 0;        ///< points of sets that were too large to be exact
  std::uint64_t timers_estimated = 0;      ///< points of timers whose percentiles are within 1.1 %
  std::uint64_t gauges_expired = 0;        ///< idle for gauges.ttl
  std::uint64_t gauges_not_carried = 0;    ///< written once: limits.series gauges were held already
  std::vector<DeliveryCounts> deliveries;  ///< one a destination, in the daemon's order

  bool balances() const;
  /// The sums over all destinations.
  DeliveryCounts delivered() const;
  /// Adds a window's counts, one a listener.
  void add(const std::vector<IngestCounts>& window);
  /// Everything that is gone: datagrams, lines and points.
  std::uint64_t lost() const {
    return ingest.kernel_drops + ingest.datagrams_denied + ingest.datagrams_unread +
           ingest.refused() + delivered().dropped();
  }
};

}  // namespace tally
