#pragma once
// The receive threads, and the windows that they hand over.
//
//     timer -> close_window on every worker -> their parts come back -> a closed window is ready

#include <spdlog/logger.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "receive/listeners.hpp"
#include "receive/worker.hpp"
#include "tally/config.hpp"
#include "tally/ledger.hpp"
#include "tally/result.hpp"
#include "tally/window_clock.hpp"
#include "uv/handles.hpp"
#include "uv/mailbox.hpp"

namespace tally {

/// A window that all receive threads have handed over, or that is not waited for any more.
struct ClosedWindow {
  std::uint64_t number;
  Span span;
  bool is_last;  ///< of the process
  Gathered gathered;
  std::size_t table_of;     ///< the worker whose table it was
  double buffer_fill;       ///< of the fullest socket, 0 .. 1
  std::size_t connections;  ///< open streams
};

/// Cuts time into windows, as long as the flush takes them; keeps tables for the next. Main's loop.
class Windows {
 public:
  /// What the owner is told; on the loop, never from inside a call.
  struct Owner {
    std::function<void()> on_ready;  ///< `take` has a window
    /// What a worker says beside its parts; and that its open window began anew (no letter).
    std::function<void(std::size_t worker, std::optional<Worker::Letter>)> on_letter;
  };

  /// Counts `windows_late` and `windows_joined` in `ledger`. All must outlive the object.
  Windows(uv::Loop& loop, const Config& config, Ledger& ledger, spdlog::logger& log, Owner owner);
  ~Windows();

  /// Opens the sockets and starts to receive. On an error nothing is left running.
  Status open();

  /// From now on windows end.
  void start() { arm_window_timer(); }

  /// The open window is the last one: cut short, and what the kernel still holds is read into it.
  void stop();

  /// The oldest window that is ready; then it is the caller's.
  std::optional<ClosedWindow> take();

  /// One that was written: its table is for a window to come.
  void give_back(ClosedWindow window) {
    keep_spare(std::move(window.gathered.table), window.table_of);
  }

  const std::vector<std::string>& listeners() const { return listeners_; }
  /// Bytes granted, of the first worker's UDP sockets; 0 of Unix ones. Shorter than `listeners`,
  /// where streams stand last.
  const std::vector<std::uint64_t>& receive_buffers() const { return receive_buffers_; }
  std::vector<std::unique_ptr<Worker>>& workers() { return workers_; }
  const std::vector<StaticTag>& static_tags() const { return table_rules_.static_tags; }
  WallTime opened() const { return clock_.opened(); }  ///< start of the open window
  bool has_waiting() const { return !closing_.empty(); }

  /// Adds what was handed over and not taken yet: it is in no ledger.
  void add_waiting(Ledger& ledger) const;

 private:
  // What the workers heard in a window, in the table of one of them.
  struct Whole {
    Gathered gathered;
    std::size_t table_of;  // a worker
  };
  // A window that was closed and whose parts are on their way back.
  struct Closing {
    std::uint64_t number;
    Span span;
    bool is_last;
    std::size_t parts_missing;
    std::optional<Whole> whole;
    double buffer_fill = 0;
    std::size_t connections = 0;
  };
  struct Post {
    std::size_t worker;
    Worker::Letter letter;
  };

  void raise_descriptor_limit();
  void announce(const Listeners& listeners);
  void arm_window_timer();
  void on_window_end();
  void close_window(const WindowClock::Cut& cut, bool is_last);
  void on_post(Post post);
  void on_part(std::size_t worker, WindowPart part);
  void add_late_part(std::size_t worker, WindowPart part);
  void merge_part(std::optional<Whole>& whole, Whole part);
  void arm_overdue_timer();
  void on_parts_overdue();
  void tell_if_ready();
  Table take_spare(std::size_t worker);
  void keep_spare(Table table, std::size_t worker);

  const Config& config_;
  Ledger& ledger_;
  spdlog::logger& log_;
  Owner owner_;
  Worker::Settings worker_settings_;
  TableRules table_rules_;
  WindowClock clock_;
  uv::Mailbox<Post> posts_;
  uv::Timer window_timer_;
  uv::Timer overdue_timer_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::string> listeners_;          // names, in the order of their counts
  std::vector<std::uint64_t> receive_buffers_;  // granted, of the first worker's datagram sockets
  std::vector<std::optional<Table>> spares_;    // by worker
  std::size_t series_ = 0;                      // of the table that came back last
  std::deque<Closing> closing_;                 // oldest first
  std::optional<Whole> late_;                   // parts that came after their window was taken
  std::uint64_t next_window_ = 1;
  bool clock_held_back_ = false;
  std::uint64_t said_joined_ = 0;  // windows_joined when a window was last closed
};

}  // namespace tally
