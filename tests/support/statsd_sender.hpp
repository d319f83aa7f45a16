#pragma once
// Sends datagrams to a daemon on this machine, counts them, and never faster than it reads.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tally::testing {

enum class IpVersion { v4, v6 };

/// A UDP socket connected to a loopback port.
class StatsdSender {
 public:
  /// Room in a queue of the kernel's default size, whatever is sent between two looks.
  static constexpr std::size_t default_queue_bytes_max = 50'000;

  /// `queue_bytes_max` may be more where the daemon was granted a larger receive buffer.
  explicit StatsdSender(std::uint16_t port, IpVersion version = IpVersion::v4,
                        std::size_t queue_bytes_max = default_queue_bytes_max);
  ~StatsdSender();
  StatsdSender(const StatsdSender&) = delete;
  StatsdSender& operator=(const StatsdSender&) = delete;

  /// Sends now, and REQUIREs that the kernel took it. Before that it waits while the daemon's
  /// socket holds more than `queue_bytes_max`: then nothing can be dropped, however slow the
  /// machine is.
  void send(std::string_view datagram);

  /// As `send`, however full the daemon's socket is: for provoking drops.
  void send_regardless(std::string_view datagram);

  /// Sends a line with others in one datagram of at most 1,400 bytes; `flush` sends the rest.
  void send_packed(std::string_view line);
  void flush();

  /// Waits until the daemon's kernel queue is empty: all that was sent has been read.
  void wait_until_read() const;

  std::uint64_t datagrams() const { return datagrams_; }
  std::uint64_t lines() const { return lines_; }  ///< of `send_packed`

 private:
  std::size_t queued_bytes() const;

  int fd_;
  std::uint16_t port_;
  IpVersion version_;
  std::size_t queue_bytes_max_;
  std::string packed_;
  std::uint64_t datagrams_ = 0;
  std::uint64_t lines_ = 0;
};

/// What the kernel says of a UDP port of this machine: bytes waiting, and datagrams dropped so far.
/// Summed over all sockets of the port. From /proc/net/udp or udp6.
struct UdpQueue {
  std::size_t bytes = 0;
  std::uint64_t drops = 0;
};
UdpQueue udp_queue(std::uint16_t port, IpVersion version);

}  // namespace tally::testing
