#pragma once
// tallyd's own series: the ledger as ordinary points, `tallyd.*`, written each window.

#include <array>
#include <cstddef>

#include "tally/ledger.hpp"
#include "tally/series.hpp"
#include "tally/snapshot.hpp"

namespace tally {

/// What is, rather than what happened.
struct SelfGauges {
  std::size_t series = 0;          ///< of the window that ends
  double receive_buffer_fill = 0;  ///< 0 .. 1, of the fullest socket at the end of the window
  std::size_t outbox_bytes = 0;
  std::size_t gauges_held = 0;
  std::size_t connections = 0;  ///< open streams
};

/// What is written beside the numbers: who was listened on, in the order of the ledger's counts,
/// and the tags of every point.
struct SelfNaming {
  std::span<const std::string> listeners;
  std::span<const StaticTag> static_tags;
};

/// Adds the points to `snapshot`: counters for what happened between two states of the ledger,
/// gauges for what is. Both ledgers are taken before the window's own points are flushed, so that
/// the balances hold in the written numbers too: over any run of windows the sum of flushed points
/// is the sum of written and dropped ones plus what is queued at the end.
void add_self_metrics(const Ledger& before, const Ledger& now, const SelfGauges& gauges,
                      const SelfNaming& naming, Snapshot& snapshot);

}  // namespace tally
