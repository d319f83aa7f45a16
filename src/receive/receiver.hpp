#pragma once
// Reads datagrams in batches: one system call for up to 64 of them.

#include <sys/socket.h>

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "tally/datagram.hpp"
#include "tally/scan.hpp"

namespace tally {

/// Buffers for one batch. 64 KiB each takes the largest UDP datagram whole; the kernel gives the
/// pages only as they are touched, so small packets cost one page each.
class Receiver {
 public:
  static constexpr std::size_t batch_max = 64;

  explicit Receiver(std::size_t datagram_bytes = 64 << 10);

  /// Valid until the next `receive`.
  struct Received {
    std::span<const Datagram> datagrams;     ///< with padding (scan.hpp) behind their bytes
    std::span<const sockaddr_storage> from;  ///< of each; AF_UNSPEC where the sender has no name
    int error = 0;  ///< errno if the call failed for another reason than an empty queue
  };

  /// Takes what waits in the socket's queue, at most `batch_max` datagrams, without waiting.
  Received receive(int fd);

 private:
  // The padding also keeps the beginnings apart in the cache: at a distance of 64 KiB they would
  // all meet in one of its sets.
  std::size_t stride() const { return datagram_bytes_ + padding_bytes; }

  std::size_t datagram_bytes_;
  std::unique_ptr<char[]> memory_;
  std::vector<iovec> slices_;
  std::vector<sockaddr_storage> names_;
  std::vector<mmsghdr> headers_;
  std::vector<Datagram> datagrams_;
};

}  // namespace tally
