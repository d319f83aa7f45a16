#pragma once
// Takes in who connects to listening sockets.

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "posix/descriptor.hpp"
#include "stream_socket.hpp"
#include "tally/peer.hpp"
#include "uv/handles.hpp"

namespace tally {

/// Accepts on one loop, from all its sockets. Whether a newcomer may stay is its owner's decision.
///
/// Limitation: when the process has no file descriptor left, nothing is accepted for a second: who
/// waits goes on waiting, and how many these are cannot be known.
class Acceptor {
 public:
  struct Newcomer {
    Descriptor fd;         ///< non-blocking
    std::size_t listener;  ///< index in the vector of sockets
    Peer peer;             ///< of a Unix socket with the pid
  };
  /// Called on the loop's thread. Neither may destroy or `close` the Acceptor.
  struct Owner {
    std::function<void(Newcomer)> on_newcomer;
    std::function<void(std::size_t listener)> on_exhausted;  ///< no descriptor is left
  };

  Acceptor(uv::Loop& loop, std::vector<StreamSocket> sockets, Owner owner);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  /// Accepts one that waits, without a turn of the loop. True if more may wait.
  bool accept_one(std::size_t listener);

  /// Listens no more; who still waits is refused by the kernel.
  void close();

  const std::vector<StreamSocket>& sockets() const { return sockets_; }

 private:
  void on_waiting(std::size_t listener);
  void watch(int events);

  std::vector<StreamSocket> sockets_;
  Owner owner_;
  std::vector<std::unique_ptr<uv::Poll>> polls_;  // behind their sockets: they go first
  uv::Timer pause_;
};

}  // namespace tally
