#pragma once
// A listening stream socket, TCP or Unix.

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "posix/descriptor.hpp"
#include "tally/config.hpp"
#include "tally/result.hpp"
#include "unix_path.hpp"

namespace tally {

/// A bound, listening, non-blocking stream socket. Movable; closes it (and unlinks its file).
class StreamSocket {
 public:
  /// An IP literal; a v6 socket takes no v4. Port 0 lets the kernel choose. Errors say what to do,
  /// and with which `key` of the configuration.
  static Result<StreamSocket> open_tcp(const ListenAddress& literal,
                                       std::string_view key = "listen.tcp");
  /// A path or an "@abstract" name.
  static Result<StreamSocket> open_unix(const std::string& path, const UnixAccess& access);

  int fd() const { return fd_.get(); }
  bool is_unix() const { return path_.has_value(); }
  /// "tcp 127.0.0.1:8125" with the port that was really given, "unix /run/tallyd.sock".
  std::string name() const;
  ListenAddress address() const { return address_; }  ///< of TCP

 private:
  explicit StreamSocket(Descriptor fd) : fd_(std::move(fd)) {}

  Descriptor fd_;
  ListenAddress address_;
  std::optional<UnixPath> path_;  // behind fd_: it goes while the socket is open
};

}  // namespace tally
