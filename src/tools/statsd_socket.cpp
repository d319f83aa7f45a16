#include "tools/statsd_socket.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>

namespace tally {
namespace {

using Transport = Target::Transport;

constexpr timeval patience{.tv_sec = 5, .tv_usec = 0};

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

/// What to do, behind what is wrong.
Error failure(const Target& target, int code) {
  const std::string where = to_string(target);
  switch (code) {
    case ECONNREFUSED:
    case ENOENT:
      return {"nobody listens at " + where + ": is tallyd running? --to says where to send", code};
    case EACCES:
    case EPERM:
      return {where + ": permission denied; see listen.unix_mode, or join the socket's group",
              code};
    case EAGAIN:
    case ETIMEDOUT:
      return {where + " has taken nothing for 5 s: the daemon there is stuck or out of reach",
              code};
    case EMSGSIZE:
      return {where + ": the datagram is too large; send shorter lines", code};
    case EPIPE:
    case ECONNRESET:
      return {where + " hung up; its log says why", code};
    default:
      return {where + ": cannot send: " + std::strerror(code), code};
  }
}

/// A socket whose connect and sends end after a while.
Result<Descriptor> connected(const Target& target, int family, int type, const sockaddr* address,
                             socklen_t size) {
  Descriptor fd(socket(family, type | SOCK_CLOEXEC, 0));
  if (!fd) return failure(target, errno);
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (::connect(fd.get(), address, size) != 0)
    return failure(target, errno == EINPROGRESS ? ETIMEDOUT : errno);
  return fd;
}

Result<Descriptor> connect_unix(const Target& target, int type) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  const std::string& path = target.host;
  if (path.size() >= sizeof address.sun_path) return failure(target, ENAMETOOLONG);
  std::ranges::copy(path, address.sun_path);
  auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  if (path.starts_with('@'))
    address.sun_path[0] = '\0';
  else
    ++size;
  return connected(target, AF_UNIX, type, reinterpret_cast<const sockaddr*>(&address), size);
}

Result<Addresses> resolve(const Target& target) {
  addrinfo hints{};
  hints.ai_socktype = target.transport == Transport::udp ? SOCK_DGRAM : SOCK_STREAM;
  // Most daemons listen on 127.0.0.1, fewer on ::1, and nobody answers a datagram.
  if (target.host == "localhost") hints.ai_family = AF_INET;
  addrinfo* list = nullptr;
  const int error =
      getaddrinfo(target.host.c_str(), std::to_string(target.port).c_str(), &hints, &list);
  if (error == 0) return Addresses(list);
  return Error{to_string(target) + ": the name has no address: " + gai_strerror(error)};
}

bool is_loopback(const sockaddr* address) {
  if (address->sa_family == AF_INET6) {
    const in6_addr& ip = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(&ip);
  }
  const in_addr& ip = reinterpret_cast<const sockaddr_in*>(address)->sin_addr;
  return ntohl(ip.s_addr) >> 24 == 127;
}

}  // namespace

Result<StatsdSocket> StatsdSocket::connect(const Target& target) {
  if (target.transport == Transport::unix_socket) {
    Result<Descriptor> fd = connect_unix(target, SOCK_DGRAM);
    const bool is_stream = !fd && fd.error().code == EPROTOTYPE;
    if (is_stream) fd = connect_unix(target, SOCK_STREAM);
    if (!fd) return fd.error();
    return StatsdSocket(std::move(fd).value(), target, is_stream);
  }
  const Result<Addresses> addresses = resolve(target);
  if (!addresses) return addresses.error();
  const addrinfo& first = *addresses.value();
  Result<Descriptor> fd =
      connected(target, first.ai_family, first.ai_socktype, first.ai_addr, first.ai_addrlen);
  if (!fd) return fd.error();
  StatsdSocket made(std::move(fd).value(), target, first.ai_socktype == SOCK_STREAM);
  made.is_loopback_ = is_loopback(first.ai_addr);
  return made;
}

Status StatsdSocket::send(std::string_view lines) {
  std::string ended;
  if (is_stream_ && !lines.ends_with('\n')) lines = ended.append(lines) += '\n';
  while (!lines.empty()) {
    const ssize_t sent = ::send(fd_.get(), lines.data(), lines.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return failure(target_, errno);
    lines.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

Status StatsdSocket::find_refusal() {
  // Our own host answers a datagram before `send` returns, but for moments of great load.
  constexpr int own_host_ms = 5;
  pollfd socket{.fd = fd_.get(), .events = 0, .revents = 0};
  if (target_.transport != Transport::udp) return {};
  if (poll(&socket, 1, is_loopback_ ? own_host_ms : 0) <= 0) return {};
  int code = 0;
  socklen_t size = sizeof code;
  getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &code, &size);
  if (code == 0) return {};
  return failure(target_, code);
}

std::size_t StatsdSocket::bytes_max() const {
  // An Ethernet frame's worth; what DogStatsD's clients take for Unix datagrams; a stream's buffer.
  if (target_.transport == Transport::udp) return 1432;
  return is_stream_ ? 65536 : 8192;
}

}  // namespace tally
