#pragma once
// A bound datagram socket, UDP or Unix, and what the kernel knows about it.

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "posix/descriptor.hpp"
#include "tally/config.hpp"
#include "tally/result.hpp"
#include "unix_path.hpp"

namespace tally {

/// What a kernel can grant of a buffer of `asked` bytes: it books twice that, in an int.
constexpr std::uint64_t grantable_buffer(std::uint64_t asked) {
  return std::min<std::uint64_t>(asked, std::numeric_limits<int>::max() / 2);
}

/// Owns one bound, non-blocking socket. Movable; closes it at the end.
class DatagramSocket {
 public:
  struct Options {
    std::uint64_t receive_buffer = 32 << 20;  ///< bytes to ask for
    bool share_port = false;  ///< SO_REUSEPORT: one socket a worker on the same port
  };

  /// Binds to an IP literal (v4 or v6; a v6 socket takes no v4). Port 0 lets the kernel choose.
  /// Errors say what to do.
  static Result<DatagramSocket> open(const ListenAddress& literal, const Options& options);

  /// Binds to a path or an "@abstract" name. The kernel holds at most net.unix.max_dgram_qlen
  /// datagrams for it, whatever the buffer; then senders wait, or are told to try again: nothing is
  /// dropped here, and what they drop cannot be known.
  static Result<DatagramSocket> open_unix(const std::string& path, const UnixAccess& access);

  int fd() const { return fd_.get(); }
  bool is_unix() const { return path_.has_value(); }
  bool is_abstract() const { return path_ && path_->is_abstract(); }
  /// "udp 127.0.0.1:8125" or "udp [::1]:8125", with the port that was really given; "unixgram
  /// /run/tallyd.sock".
  std::string name() const;
  ListenAddress address() const { return address_; }  ///< of UDP

  /// Bytes of buffer that the kernel granted (it books twice that, for its own overhead).
  std::uint64_t receive_buffer() const;

  /// Datagrams the kernel dropped since the last call because the buffer was full: SO_MEMINFO,
  /// exact and free of privilege. Always 0 of a Unix socket, whose senders wait instead.
  /// SO_RXQ_OVFL would lag behind until the next datagram. Unlike both, drops before the socket
  /// (NIC, softnet backlog) are not in it.
  std::uint64_t take_kernel_drops();

  /// Takes no more: what comes from now on is dropped by the kernel and counted as such, what is
  /// queued can still be read. So a stop can read the queue to its end and lose nothing uncounted.
  /// Senders on a Unix socket get an error instead.
  void refuse_new();

  /// How full the buffer is now, 0 .. 1.
  double fill() const;

 private:
  explicit DatagramSocket(Descriptor fd) : fd_(std::move(fd)) {}

  Descriptor fd_;
  ListenAddress address_;
  std::optional<UnixPath> path_;  // behind fd_: it goes while the socket is open
  std::uint32_t drops_seen_ = 0;  // the kernel's counter wraps at 2^32
};

}  // namespace tally
