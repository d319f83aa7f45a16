#pragma once
// Those who look at the daemon: the page and programs over HTTP, the admin port, and the database,
// which gets tallyd's own points; and what they look at.

#include <spdlog/logger.h>

#include <chrono>
#include <memory>
#include <optional>

#include "daemon/flush.hpp"
#include "daemon/live_view.hpp"
#include "daemon/outputs.hpp"
#include "daemon/windows.hpp"
#include "tally/config.hpp"
#include "tally/ledger.hpp"
#include "tally/result.hpp"
#include "tally/snapshot.hpp"
#include "uv/handles.hpp"
#include "watch/admin.hpp"
#include "watch/history.hpp"
#include "watch/self_metrics.hpp"
#include "watch/watch.hpp"

namespace tally {

/// Main's loop. All that it is given outlives it.
class Watching {
 public:
  Watching(uv::Loop& loop, LiveView::Parts parts, spdlog::logger& log);

  /// Opens the ports, after those of the senders. One that cannot be had is an error if somebody
  /// has set it, and else a warning: receiving matters more.
  Status open();

  /// A flush, in this order: `begin`, then `note` for each slice, `end`. `add_own_points` before
  /// the last slice is noted.
  void begin(const ClosedWindow& window);
  void add_own_points(Snapshot& snapshot);
  void note(const Snapshot& slice) { history_.note(slice); }
  void end(const ClosedWindow& window, std::chrono::nanoseconds took);

  void on_letter(std::size_t worker, std::optional<Worker::Letter> letter) {
    view_.on_letter(worker, std::move(letter));
  }
  void on_stopping() { view_.on_stopping(); }

 private:
  Status open_http();
  Status open_admin_port();
  WatchCounts counts() const;
  SelfGauges gauges() const;
  SelfNaming naming() const;
  std::string metrics(const LiveState& live) const;

  uv::Loop& loop_;
  LiveView::Parts parts_;
  spdlog::logger& log_;
  History history_;
  LiveView view_;
  std::unique_ptr<Watch> http_;       // none: off
  std::unique_ptr<AdminPort> admin_;  // none: off
  const ClosedWindow* flushing_ = nullptr;
  SelfState reported_;                     // as the own points last said it
  std::chrono::nanoseconds flush_took_{};  // the last one
  std::uint64_t flushed_before_ = 0;       // points, when the flush began
  std::uint64_t lost_before_ = 0;          // when the last one ended
};

}  // namespace tally
