#pragma once
// A client of any listener of a daemon: UDP, TCP and both kinds of Unix sockets.

#include <string>
#include <string_view>

#include "posix/descriptor.hpp"

namespace tally::testing {

/// One connected socket. REQUIREs (doctest) that what it is asked to do succeeds.
class ListenerClient {
 public:
  /// Connects to a listener by the name that tallyd gives it: "udp 127.0.0.1:40001",
  /// "tcp [::1]:40002", "unixgram /run/tallyd.sock", "unix @name".
  explicit ListenerClient(const std::string& listener);

  /// Sends one datagram, or a piece of a stream; waits while the daemon's queue is full.
  void send(std::string_view bytes);

  /// Waits until nothing is on its way any more: the daemon's kernel has all that was sent, of a
  /// Unix socket the daemon itself.
  void wait_until_arrived() const;

  /// Whether the daemon has closed this connection.
  bool is_hung_up() const;

  /// As the daemon's log names this client: "127.0.0.1:4711", "pid 4711", "local".
  std::string name() const;

  void close() { fd_ = Descriptor(-1); }

 private:
  Descriptor fd_;
};

}  // namespace tally::testing
