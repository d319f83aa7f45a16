#pragma once
// Reads datagrams in batches: one system call for up to 64 of them.

#include <sys/socket.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "tally/scan.hpp"

namespace tally {

/// One received datagram: borrowed bytes, valid until the next `receive`, with padding (scan.hpp)
/// behind them.
struct Datagram {
  std::string_view bytes;
  bool is_truncated;             ///< it was larger than the buffer; `bytes` is its beginning
  const sockaddr_storage* from;  ///< valid as long; AF_UNSPEC where the sender has no name
};

/// Buffers for one batch. 64 KiB each takes the largest UDP datagram whole; the kernel gives the
/// pages only as they are touched, so small packets cost one page each.
class Receiver {
 public:
  static constexpr std::size_t batch_max = 64;

  explicit Receiver(std::size_t datagram_bytes = 64 << 10);

  struct Received {
    std::span<const Datagram> datagrams;
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
