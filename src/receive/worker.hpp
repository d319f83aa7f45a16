#pragma once
// A receive thread: its own loop, its own sockets, its own table, no locks.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "listeners.hpp"
#include "receiver.hpp"
#include "streams.hpp"
#include "tally/ingest.hpp"
#include "uv/handles.hpp"
#include "uv/mailbox.hpp"

namespace tally {

/// What a worker hands over when main closes a window.
struct WindowPart {
  std::uint64_t window;  ///< the number main gave with `close_window`
  Gathered gathered;
  double buffer_fill;       ///< of the fullest socket, 0 .. 1
  std::size_t connections;  ///< open streams
};

/// Receives, parses and aggregates until it is told to close the window: then it swaps its table
/// for an empty one and goes on. Between two windows it shares nothing with anyone.
class Worker {
 public:
  using OnPart = std::function<void(WindowPart)>;

  struct Settings {
    IngestRules rules;
    Streams::Settings streams;  ///< its `allow` holds for datagrams too
  };

  /// An empty table, and from when on it gathers.
  struct Window {
    Table table;
    WallTime opened;
  };

  /// Starts the thread. `on_part` is called on that thread. `settings` must outlive the worker.
  Worker(Listeners listeners, const Settings& settings, Window first, OnPart on_part);
  ~Worker();  ///< ends the thread and waits for it

  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Any thread. Ends the open window and opens the next.
  void close_window(std::uint64_t window, Window next);

  /// Any thread. Reads what still waits in the sockets' queues, hands over the last window and
  /// receives no more.
  void stop(std::uint64_t window);

 private:
  struct Order {
    std::uint64_t window;
    std::optional<Window> next;  // none: stop
  };

  Streams::Owner stream_owner();
  void on_order(Order order);
  void hand_over(std::uint64_t window, Gathered gathered);
  void on_readable(std::uint32_t listener);
  bool read(std::uint32_t listener);
  void begin_nap(std::uint32_t listener);
  void on_nap_over();
  void end_nap();
  bool receive_batch(std::uint32_t listener);
  void take(const Datagram& datagram, Arrival& arrival);
  void take_counts();
  bool is_whole(std::string_view line);
  void drain();

  const Settings& settings_;
  OnPart on_part_;
  std::vector<DatagramSocket> sockets_;
  std::size_t listeners_;
  Receiver receiver_;
  Ingestor ingestor_;
  Gathered gathered_;
  uv::Loop loop_;
  std::vector<std::unique_ptr<uv::Poll>> polls_;
  std::vector<bool> may_nap_;           // by listener
  std::vector<Instant> last_ready_;     // by listener: when the kernel last said so
  std::vector<std::uint32_t> napping_;  // listeners that are read by the timer
  uv::Timer nap_timer_;
  std::unique_ptr<Streams> streams_;  // none without stream listeners
  std::unique_ptr<uv::Mailbox<Order>> orders_;
  std::unique_ptr<uv::Async> end_;
  std::thread thread_;
};

}  // namespace tally
