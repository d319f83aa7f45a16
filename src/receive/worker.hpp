#pragma once
// A receive thread: its own loop, its own sockets, its own table, no locks.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "receiver.hpp"
#include "tally/ingest.hpp"
#include "udp_socket.hpp"
#include "uv/handles.hpp"
#include "uv/mailbox.hpp"

namespace tally {

/// What a worker hands over when main closes a window.
struct WindowPart {
  std::uint64_t window;  ///< the number main gave with `close_window`
  Gathered gathered;
  double buffer_fill;  ///< of the fullest socket, 0 .. 1
};

/// Receives, parses and aggregates until it is told to close the window: then it swaps its table
/// for an empty one and goes on. Between two windows it shares nothing with anyone.
class Worker {
 public:
  using OnPart = std::function<void(WindowPart)>;

  /// Starts the thread. `on_part` is called on that thread. `limits` must outlive the worker.
  Worker(std::vector<UdpSocket> sockets, const LineLimits& limits, Table first, OnPart on_part);
  ~Worker();  ///< ends the thread and waits for it

  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Any thread. Ends the open window; `spare` is the empty table of the next.
  void close_window(std::uint64_t window, Table spare);

  /// Any thread. Reads what still waits in the sockets' queues, hands over the last window and
  /// receives no more.
  void stop(std::uint64_t window);

 private:
  struct Order {
    std::uint64_t window;
    std::optional<Table> spare;  // none: stop
  };

  void on_order(Order order);
  void on_readable(UdpSocket& socket);
  bool receive_batch(UdpSocket& socket);
  void drain();

  const LineLimits& limits_;
  OnPart on_part_;
  std::vector<UdpSocket> sockets_;
  Receiver receiver_;
  Batch batch_;
  Gathered gathered_;
  uv::Loop loop_;
  std::vector<std::unique_ptr<uv::Poll>> polls_;
  std::unique_ptr<uv::Mailbox<Order>> orders_;
  std::unique_ptr<uv::Async> end_;
  std::thread thread_;
};

}  // namespace tally
