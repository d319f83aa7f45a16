#pragma once
// Main introduces the parts to each other: windows, flush, outputs, those who look, signals.
//
//     Windows --a closed window--> Flush --payloads--> Outputs
//        ^                           |                    ^
//        +---------- Watching: page, admin port ----------+
//
// A stop is one last window through the same path.

#include <spdlog/logger.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/flush.hpp"
#include "daemon/loss_log.hpp"
#include "daemon/outputs.hpp"
#include "daemon/service_manager.hpp"
#include "daemon/watching.hpp"
#include "daemon/windows.hpp"
#include "tally/config.hpp"
#include "tally/ledger.hpp"
#include "tally/result.hpp"
#include "uv/handles.hpp"

namespace tally {

/// The running daemon. Owned by `run_daemon`, on the main thread.
class Daemon {
 public:
  /// All three must outlive the daemon.
  Daemon(uv::Loop& loop, const LoadedConfig& loaded, spdlog::logger& logger);
  ~Daemon();

  /// Opens the sockets and starts to receive. On an error nothing is left running.
  Status start();

  /// Serves until SIGTERM or SIGINT and the last window is out. Returns the exit status.
  int run();

 private:
  Windows::Owner windows_owner();
  Flush::Owner flush_owner();
  LiveView::Parts parts_to_see();
  void watch_signals();
  void ignore_signals();
  void begin_flush();
  void on_flushed(ClosedWindow window, std::chrono::nanoseconds took);
  void end_burst(std::size_t series);
  void log_losses(bool is_last);
  std::optional<std::string> newest_refused() const;
  void log_refused() const;
  void on_signal(const char* name);
  void stop_at_once(const char* name);
  void stop();
  void finish();

  const LoadedConfig& loaded_;
  const Config& config_;
  spdlog::logger& log_;
  uv::Loop& loop_;
  Ledger ledger_;
  RefusedRing refused_;
  std::optional<LossLog> loss_log_;
  ServiceManager service_manager_;
  uv::Timer watchdog_timer_;
  std::vector<std::unique_ptr<uv::Signal>> signals_;
  Outputs outputs_;
  Windows windows_;
  Flush flush_;
  Watching watching_;
  std::size_t burst_ = 0;  // series of the largest window whose memory is still ours
  bool is_stopping_ = false;
  std::optional<Instant> signalled_;  // to stop
  int exit_status_ = 0;
};

/// Runs the daemon until it is told to stop. Returns the exit status of the process: 0 stopped
/// cleanly, 1 could not start or go on.
int run_daemon(const LoadedConfig& loaded, const std::string& log_level_override);

}  // namespace tally
