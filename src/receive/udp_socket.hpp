#pragma once
// A bound UDP socket, and what the kernel knows about it.

#include <cstdint>
#include <string>
#include <vector>

#include "tally/config.hpp"
#include "tally/result.hpp"

namespace tally {

/// Owns one bound, non-blocking socket. Movable; closes it at the end.
class UdpSocket {
 public:
  struct Options {
    std::uint64_t receive_buffer = 32 << 20;  ///< bytes to ask for
    bool share_port = false;  ///< SO_REUSEPORT: one socket a worker on the same port
  };

  /// Binds to an IP literal (v4 or v6; a v6 socket takes no v4). Port 0 lets the kernel choose.
  /// Errors say what to do.
  static Result<UdpSocket> open(const ListenAddress& literal, const Options& options);

  UdpSocket(UdpSocket&& other) noexcept;
  UdpSocket& operator=(UdpSocket&& other) noexcept;
  ~UdpSocket();

  int fd() const { return fd_; }
  /// "127.0.0.1:8125" or "[::1]:8125", with the port that was really given.
  std::string name() const;
  ListenAddress address() const { return address_; }

  /// Bytes of buffer that the kernel granted (it books twice that, for its own overhead).
  std::uint64_t receive_buffer() const;

  /// Datagrams the kernel dropped since the last call because the buffer was full: SO_MEMINFO,
  /// exact and free of privilege. SO_RXQ_OVFL would lag behind until the next datagram. Unlike
  /// both, drops before the socket (NIC, softnet backlog) are not in it.
  std::uint64_t take_kernel_drops();

  /// Takes no more: what comes from now on is dropped by the kernel and counted as such, what is
  /// queued can still be read. So a stop can read the queue to its end and lose nothing uncounted.
  void refuse_new();

  /// How full the buffer is now, 0 .. 1.
  double fill() const;

 private:
  UdpSocket(int fd, ListenAddress address) : fd_(fd), address_(std::move(address)) {}

  int fd_ = -1;
  ListenAddress address_;
  std::uint32_t drops_seen_ = 0;  // the kernel's counter wraps at 2^32
};

/// The literals behind what the config names: "localhost" is both loopbacks, "*" all of v4 and of
/// v6.
std::vector<ListenAddress> literals_of(const ListenAddress& address);

/// Whether `error` (errno of `open`) only says that this machine has no IPv6: any IPv6 literal
/// whose family is unknown, or ::1 and :: that are missing. An address that was typed and is
/// missing is a mistake.
bool lacks_ipv6(const ListenAddress& literal, int error);

/// Opens one socket for each address. One that `lacks_ipv6` is left out and
/// named in `warnings`, as long as another socket is open.
Result<std::vector<UdpSocket>> open_sockets(const std::vector<ListenAddress>& addresses,
                                            const UdpSocket::Options& options,
                                            std::vector<std::string>& warnings);

}  // namespace tally
