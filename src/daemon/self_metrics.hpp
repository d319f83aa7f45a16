#pragma once
// tallyd's own series: the ledger as ordinary points, `tallyd.*`, written each window.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tally/ledger.hpp"
#include "tally/series.hpp"
#include "tally/snapshot.hpp"

namespace tally {

/// What is, rather than what happened.
struct SelfGauges {
  std::size_t series = 0;          ///< of the window that ends
  double receive_buffer_fill = 0;  ///< 0 .. 1, of the fullest socket at the end of the window
  std::vector<std::size_t> outbox_bytes;   ///< in memory, of each destination
  std::vector<std::uint64_t> spool_bytes;  ///< on disk, of each
  std::size_t gauges_held = 0;
  std::size_t connections = 0;  ///< open streams
};

/// What is written beside the numbers: who was listened on and who was written to, in the order of
/// the ledger's counts, and the tags of every point.
struct SelfNaming {
  std::span<const std::string> listeners;
  std::span<const std::string> destinations;  ///< a tag of their points if there are several
  std::span<const StaticTag> static_tags;
};

/// Adds the points to `snapshot`: counters for what happened between two states of the ledger,
/// gauges for what is. Both ledgers are taken before the window's own points are flushed, so that
/// the balances hold in the written numbers too: over any run of windows the sum of flushed and
/// recovered points is the sum of written, dead and dropped ones plus what is queued and spooled at
/// the end.
void add_self_metrics(const Ledger& before, const Ledger& now, const SelfGauges& gauges,
                      const SelfNaming& naming, Snapshot& snapshot);

}  // namespace tally
