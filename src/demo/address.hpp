#pragma once
// "host:port" as a socket address.

#include <sys/socket.h>

#include <string>
#include <string_view>

#include "posix/descriptor.hpp"
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

}  // namespace tally::demo
