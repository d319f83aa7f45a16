#pragma once
// What the stream of events says of a window. Pure.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "tally/time.hpp"
#include "watch/history.hpp"
#include "watch/insight.hpp"

namespace tally {

/// A window that was flushed.
struct WindowSummary {
  Span span;
  std::uint64_t series = 0;
  std::uint64_t points = 0;           ///< flushed to each destination
  std::chrono::milliseconds flush{};  ///< that it took
  std::uint64_t lost = 0;             ///< Ledger::lost at its end
  std::uint64_t lost_in_window = 0;
};

/// The data of the event `window`.
std::string window_json(const WindowSummary& window, const LiveState& live,
                        const History::Found& busiest);

/// One event as text/event-stream has it. REQUIRES: no line end in `data`; JSON has none.
std::string event_text(std::string_view name, std::string_view data);

}  // namespace tally
