#include "udp_socket.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace tally {
namespace {

using MemInfo = std::array<std::uint32_t, SK_MEMINFO_VARS>;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

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

void set_option(int fd, int level, int option, int value) {
  setsockopt(fd, level, option, &value, sizeof value);
}

// The first call needs CAP_NET_ADMIN and ignores net.core.rmem_max; the second is cut to it.
void ask_for_buffer(int fd, std::uint64_t bytes) {
  const int size = static_cast<int>(bytes);
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0) {
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  }
}

MemInfo mem_info(int fd) {
  MemInfo info{};
  socklen_t size = sizeof info;
  getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info.data(), &size);
  return info;
}

std::string why_not_bound(const ListenAddress& literal, int error) {
  const std::string what = "udp " + to_string(literal) + ": cannot listen: " + std::strerror(error);
  const std::string port = std::to_string(literal.port);
  switch (error) {
    case EADDRINUSE:
      return what +
             "; another program (another tallyd?) has the port: find it with `ss -lunp 'sport = :" +
             port + "'` and stop it, or set listen.udp to another port";
    case EACCES:
      return what + "; ports below 1024 need CAP_NET_BIND_SERVICE: set listen.udp to a higher port";
    case EADDRNOTAVAIL:
      return what + "; this host has no such address: see `ip address`, or set listen.udp";
    default:
      return what + "; see listen.udp";
  }
}

}  // namespace

Result<UdpSocket> UdpSocket::open(const ListenAddress& literal, const Options& options) {
  const SocketAddress address = to_socket_address(literal);
  const int fd = socket(address.storage.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return Error{why_not_bound(literal, errno), errno};
  UdpSocket opened(fd, literal);
  if (address.storage.ss_family == AF_INET6) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (options.share_port) set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  // Before bind, so that not one datagram meets the small default buffer.
  ask_for_buffer(fd, options.receive_buffer);
  if (bind(fd, address.get(), address.size) != 0)
    return Error{why_not_bound(literal, errno), errno};
  opened.address_.port = bound_port(fd);
  return opened;
}

UdpSocket::UdpSocket(UdpSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      address_(std::move(other.address_)),
      drops_seen_(other.drops_seen_) {}

UdpSocket& UdpSocket::operator=(UdpSocket&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(address_, other.address_);
  std::swap(drops_seen_, other.drops_seen_);
  return *this;
}

UdpSocket::~UdpSocket() {
  if (fd_ >= 0) close(fd_);
}

std::string UdpSocket::name() const {
  return to_string(address_);
}

std::uint64_t UdpSocket::receive_buffer() const {
  return mem_info(fd_)[SK_MEMINFO_RCVBUF] / 2;
}

std::uint64_t UdpSocket::take_kernel_drops() {
  const std::uint32_t drops = mem_info(fd_)[SK_MEMINFO_DROPS];
  return drops - std::exchange(drops_seen_, drops);
}

void UdpSocket::refuse_new() {
  // A socket filter that takes 0 bytes of each packet: the kernel counts those in the same place.
  sock_filter take_nothing = BPF_STMT(BPF_RET | BPF_K, 0);
  const sock_fprog program{.len = 1, .filter = &take_nothing};
  setsockopt(fd_, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

double UdpSocket::fill() const {
  const MemInfo info = mem_info(fd_);
  return info[SK_MEMINFO_RCVBUF] == 0
             ? 0
             : static_cast<double>(info[SK_MEMINFO_RMEM_ALLOC]) / info[SK_MEMINFO_RCVBUF];
}

std::vector<ListenAddress> literals_of(const ListenAddress& address) {
  if (address.host == "localhost") return {{"127.0.0.1", address.port}, {"::1", address.port}};
  if (address.host == "*") return {{"0.0.0.0", address.port}, {"::", address.port}};
  return {address};
}

bool lacks_ipv6(const ListenAddress& literal, int error) {
  const bool is_v6 = literal.host.find(':') != std::string::npos;
  const bool is_every_hosts = literal.host == "::1" || literal.host == "::";
  return (is_v6 && error == EAFNOSUPPORT) || (is_every_hosts && error == EADDRNOTAVAIL);
}

Result<std::vector<UdpSocket>> open_sockets(const std::vector<ListenAddress>& addresses,
                                            const UdpSocket::Options& options,
                                            std::vector<std::string>& warnings) {
  std::vector<UdpSocket> sockets;
  std::optional<Error> without_ipv6;
  for (const ListenAddress& address : addresses) {
    for (const ListenAddress& literal : literals_of(address)) {
      Result<UdpSocket> opened = UdpSocket::open(literal, options);
      if (opened) {
        sockets.push_back(std::move(opened).value());
      } else if (lacks_ipv6(literal, opened.error().code)) {
        without_ipv6 = opened.error();
        warnings.push_back(opened.error().message);
      } else {
        return opened.error();
      }
    }
  }
  if (sockets.empty() && without_ipv6) return *without_ipv6;
  return sockets;
}

}  // namespace tally
