#pragma once
// Addresses as the kernel has them, from and to ours.

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "tally/config.hpp"
#include "tally/peer.hpp"

namespace tally {

/// Any address; `size` says how much of it counts.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

/// Of an IP literal; size 0 if it is none.
SocketAddress to_socket_address(const ListenAddress& literal);

/// The port that a TCP or UDP socket is really bound to.
std::uint16_t bound_port(int fd);

/// Who stands behind an address that recvmmsg or accept4 filled in. Of any family but IP: local,
/// without a pid, for a Unix address does not say it.
Peer peer_of(const sockaddr_storage& from);

/// What a socket was to be.
struct Listening {
  std::string protocol;  ///< "udp" or "tcp"
  std::string_view key;  ///< of the configuration: "listen.udp"
};

/// Why it cannot listen (`error` is errno), and what to do about it.
std::string why_not_bound(const Listening& listening, const ListenAddress& literal, int error);

}  // namespace tally
