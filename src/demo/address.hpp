#pragma once
// "host:port" as a socket address, and open sockets that close themselves.

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "tally/result.hpp"

namespace tally::demo {

/// A socket address of IPv4 or IPv6.
struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;

  const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

/// Resolves "127.0.0.1:3000", "[::1]:3000" or "name:3000". A name is looked up once and blocks
/// until it is answered, so call this before the loop runs. Port 0 means "any free one".
Result<Address> resolve(std::string_view host_port);

/// The other way round: "127.0.0.1:3000", "[::1]:3000".
std::string to_string(const Address& address);

/// The address an open socket is bound to: with port 0 asked, the port that was given.
Address local_address(int fd);

/// A file descriptor with one owner; -1 is none.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor();

  int get() const { return fd_; }

  /// For an API that closes it itself from now on.
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

}  // namespace tally::demo
