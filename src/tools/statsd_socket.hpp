#pragma once
// A socket connected to a StatsD daemon.

#include <cstddef>
#include <string>
#include <string_view>

#include "posix/descriptor.hpp"
#include "tally/result.hpp"
#include "tools/target.hpp"

namespace tally {

/// Sends datagrams, or lines over a stream. Movable. Blocks, for at most 5 s a call, while the
/// daemon takes no more. Errors name the target and say what to do.
class StatsdSocket {
 public:
  /// Resolves and connects. A Unix socket is of datagrams or a stream, as the daemon made it.
  static Result<StatsdSocket> connect(const Target& target);

  /// Sends one datagram. Over a stream a line end goes behind it if it has none.
  Status send(std::string_view lines);

  /// Of UDP: whether the host has said that nobody listens. What a distant host says may come later
  /// than this waits, a few milliseconds for our own and not at all for others.
  Status find_refusal();

  /// How much is well packed into one datagram, or one piece of a stream.
  std::size_t bytes_max() const;

 private:
  StatsdSocket(Descriptor fd, Target target, bool is_stream)
      : fd_(std::move(fd)), target_(std::move(target)), is_stream_(is_stream) {}

  Descriptor fd_;
  Target target_;
  bool is_stream_;
  bool is_loopback_ = false;
};

}  // namespace tally
