#pragma once
// Main introduces the parts to each other: workers, windows, the output, signals.
//
//   window timer -> close_window on every worker -> their parts come back -> flush, slice by slice
//   -> output
//
// A stop is one last window through the same path.

#include <spdlog/logger.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/loss_log.hpp"
#include "daemon/outputs.hpp"
#include "daemon/service_manager.hpp"
#include "receive/worker.hpp"
#include "tally/carry.hpp"
#include "tally/config.hpp"
#include "tally/encode.hpp"
#include "tally/ledger.hpp"
#include "tally/result.hpp"
#include "tally/window_clock.hpp"
#include "uv/handles.hpp"
#include "uv/mailbox.hpp"
#include "watch/self_metrics.hpp"

namespace tally {

/// The running daemon. Owned by `run_daemon`, on the main thread.
class Daemon {
 public:
  /// `config` and `logger` must outlive the daemon.
  Daemon(const Config& config, spdlog::logger& logger);
  ~Daemon();

  /// Opens the sockets and starts to receive. On an error nothing is left running.
  Status start();

  /// Serves until SIGTERM or SIGINT and the last window is out. Returns the exit status.
  int run();

 private:
  // A window that was closed and whose parts are on their way back.
  struct Closing {
    std::uint64_t number;
    Span span;
    bool is_last;
    std::size_t parts_missing;
    std::optional<Gathered> gathered;
    double buffer_fill = 0;
    std::size_t connections = 0;
  };

  // The window whose points are being made.
  struct Flushing {
    Closing closing;
    Instant begun;
    std::size_t done = 0;  // series
  };

  void watch_signals();
  void raise_descriptor_limit();
  Status start_workers();
  void announce(const Listeners& listeners);
  void arm_window_timer();
  void on_window_end();
  void close_window(const WindowClock::Cut& cut, bool is_last);
  void on_part(WindowPart part);
  void add_late_part(WindowPart part);
  void arm_overdue_timer();
  void on_parts_overdue();
  void flush_complete();
  void begin_flush(Closing closing);
  void flush_slice();
  void complete(Snapshot& snapshot);
  void end_flush();
  std::chrono::milliseconds pause_of_flush() const;
  void push(std::vector<Payload> payloads, WallTime window);
  void merge_part(std::optional<Gathered>& whole, Gathered part);
  void log_losses(bool is_last);
  std::optional<std::string> newest_refused() const;
  void log_refused() const;
  void on_signal(const char* name);
  void stop();
  void finish();
  Table take_spare();
  void give_back(Table table);

  const Config& config_;
  spdlog::logger& log_;
  Worker::Settings worker_settings_;
  TableRules table_rules_;
  Naming naming_;
  uv::Loop loop_;
  uv::Mailbox<WindowPart> parts_;
  uv::Timer window_timer_;
  uv::Timer overdue_timer_;
  uv::Timer flush_timer_;
  uv::Timer watchdog_timer_;
  std::vector<std::unique_ptr<uv::Signal>> signals_;
  ServiceManager service_manager_;
  WindowClock clock_;
  Outputs outputs_;
  Carry carry_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Table> spares_;
  std::size_t series_ = 0;       // of the table that came back last
  std::deque<Closing> closing_;  // oldest first
  std::optional<Flushing> flushing_;
  std::optional<Gathered> late_;        // parts that came after their window was flushed
  std::vector<std::string> listeners_;  // names, in the order of their counts
  RefusedRing refused_;
  std::optional<LossLog> loss_log_;
  std::uint64_t next_window_ = 1;
  bool clock_held_back_ = false;
  std::uint64_t said_joined_ = 0;  // windows_joined when a window was last closed
  Ledger ledger_;
  SelfState reported_;  // as the self-metrics last wrote it
  bool is_stopping_ = false;
  int exit_status_ = 0;
};

/// Runs the daemon until it is told to stop. Returns the exit status of the process: 0 stopped
/// cleanly, 1 could not start or go on.
int run_daemon(const LoadedConfig& loaded, const std::string& log_level_override);

}  // namespace tally
