#include "socket_address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tally {
namespace {

Peer v4_peer(const std::uint8_t* ip, std::uint16_t port) {
  Peer peer{.family = Peer::Family::v4, .port = port};
  std::copy_n(ip, 4, peer.ip.begin());
  return peer;
}

}  // namespace

SocketAddress to_socket_address(const ListenAddress& literal) {
  SocketAddress result;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&result.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&result.storage);
  if (inet_pton(AF_INET, literal.host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(literal.port);
    result.size = sizeof *v4;
  } else if (inet_pton(AF_INET6, literal.host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(literal.port);
    result.size = sizeof *v6;
  }
  return result;
}

std::uint16_t bound_port(int fd) {
  SocketAddress bound;
  bound.size = sizeof bound.storage;
  getsockname(fd, bound.get(), &bound.size);
  // Port and family stand at the same place for v4 and v6.
  return ntohs(reinterpret_cast<const sockaddr_in*>(&bound.storage)->sin_port);
}

Peer peer_of(const sockaddr_storage& from) {
  if (from.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(from);
    return v4_peer(reinterpret_cast<const std::uint8_t*>(&v4.sin_addr), ntohs(v4.sin_port));
  }
  if (from.ss_family != AF_INET6) return {};
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(from);
  const std::uint8_t* const ip = v6.sin6_addr.s6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) return v4_peer(ip + 12, ntohs(v6.sin6_port));
  Peer peer{.family = Peer::Family::v6, .port = ntohs(v6.sin6_port)};
  std::copy_n(ip, peer.ip.size(), peer.ip.begin());
  return peer;
}

std::string why_not_bound(const Listening& listening, const ListenAddress& literal, int error) {
  const auto& [protocol, named] = listening;
  const std::string key(named);
  const std::string what =
      protocol + " " + to_string(literal) + ": cannot listen: " + std::strerror(error);
  switch (error) {
    case EADDRINUSE:
      return what + "; another program (another tallyd?) has the port: find it with `ss -l" +
             protocol[0] + "np 'sport = :" + std::to_string(literal.port) +
             "'` and stop it, or set " + key + " to another port";
    case EACCES:
      return what + "; ports below 1024 need CAP_NET_BIND_SERVICE: set " + key +
             " to a higher port";
    case EADDRNOTAVAIL:
      return what + "; this host has no such address: see `ip address`, or set " + key;
    default:
      return what + "; see " + key;
  }
}

}  // namespace tally
