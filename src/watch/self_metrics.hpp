#pragma once
// What tallyd measures about itself. Each metric stands once, in the table of self_metrics.cpp;
// from it come the `tallyd.*` series of every window, the text of /metrics, README's table and the
// page's list. Pure.

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

/// What those who look have caused, since the start.
struct WatchCounts {
  std::uint64_t tap_skipped = 0;  ///< datagrams that taps and captures had no room for
  std::array<std::uint64_t, 4> http_requests{};  ///< answered: 2xx, 3xx, 4xx, 5xx
};

/// What is, rather than what happened.
struct SelfGauges {
  std::size_t series = 0;          ///< of the window that ends
  double receive_buffer_fill = 0;  ///< 0 .. 1, of the fullest socket at the end of the window
  std::vector<std::size_t> outbox_bytes;   ///< in memory, of each destination
  std::vector<std::uint64_t> spool_bytes;  ///< on disk, of each
  std::size_t gauges_held = 0;
  std::size_t connections = 0;         ///< open streams of senders
  std::size_t history_series = 0;      ///< History::series
  std::size_t history_bytes = 0;       ///< History::bytes
  std::uint64_t history_left_out = 0;  ///< History::left_out
  std::size_t streams = 0;             ///< open answers that go on: pages, taps, captures
  double flush_seconds = 0;            ///< that the last window took to be written into outboxes
  std::uint64_t memory_resident = 0;   ///< bytes
};

/// All that the table is read from.
struct SelfState {
  Ledger ledger;
  WatchCounts watched;
  SelfGauges gauges;
};

/// What is written beside the numbers: who was listened on and who was written to, in the order of
/// the ledger's counts, and the tags of every point.
struct SelfNaming {
  std::span<const std::string> listeners;
  std::span<const std::string> destinations;  ///< a tag of their points if there are several
  std::span<const StaticTag> static_tags;     ///< Prometheus has targets for that: not in /metrics
};

/// Adds the points to `snapshot`: counters for what happened between two states, gauges for what
/// is. Both ledgers are taken before the window's own points are flushed, so that the balances hold
/// in the written numbers too: over any run of windows the sum of flushed and recovered points is
/// the sum of written, dead and dropped ones plus what is queued and spooled at the end.
void add_self_metrics(const SelfState& before, const SelfState& now, const SelfNaming& naming,
                      Snapshot& snapshot);

/// Prometheus' text: `tallyd.lines` is `tallyd_lines_total`, counters are since the start and there
/// at zero too.
std::string self_metrics_text(const SelfState& now, const SelfNaming& naming);

/// README's table, in Markdown. Ends with a line feed.
std::string self_metrics_table();

/// A JSON array, one object a metric:
///
///     {"name":"tallyd.lines","prometheus":"tallyd_lines_total","kind":"counter","unit":"lines",
///      "meaning":"..","values":[{"tags":{"state":"accepted"},"value":42}, ..]}
std::string self_metrics_json(const SelfState& now, const SelfNaming& naming);

}  // namespace tally
