#include "datagram_socket.hpp"

#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "socket_address.hpp"

namespace tally {
namespace {

using MemInfo = std::array<std::uint32_t, SK_MEMINFO_VARS>;

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

}  // namespace

Result<DatagramSocket> DatagramSocket::open(const ListenAddress& literal, const Options& options) {
  const SocketAddress address = to_socket_address(literal);
  const int fd = socket(address.storage.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return Error{why_not_bound({"udp", "listen.udp"}, literal, errno), errno};
  DatagramSocket opened{Descriptor(fd)};
  opened.address_ = literal;
  if (address.storage.ss_family == AF_INET6) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (options.share_port) set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  // Before bind, so that not one datagram meets the small default buffer.
  ask_for_buffer(fd, options.receive_buffer);
  if (bind(fd, address.get(), address.size) != 0)
    return Error{why_not_bound({"udp", "listen.udp"}, literal, errno), errno};
  opened.address_.port = bound_port(fd);
  return opened;
}

Result<DatagramSocket> DatagramSocket::open_unix(const std::string& path,
                                                 const UnixAccess& access) {
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return Error{"unixgram " + path + ": cannot listen: " + std::strerror(errno), errno};
  DatagramSocket opened{Descriptor(fd)};
  Result<UnixPath> bound = UnixPath::bind(fd, path, access);
  if (!bound) return Error{"unixgram " + bound.error().message, bound.error().code};
  opened.path_ = std::move(bound).value();
  return opened;
}

std::string DatagramSocket::name() const {
  return path_ ? "unixgram " + path_->path() : "udp " + to_string(address_);
}

std::uint64_t DatagramSocket::receive_buffer() const {
  return mem_info(fd())[SK_MEMINFO_RCVBUF] / 2;
}

std::uint64_t DatagramSocket::take_kernel_drops() {
  const std::uint32_t drops = mem_info(fd())[SK_MEMINFO_DROPS];
  return drops - std::exchange(drops_seen_, drops);
}

void DatagramSocket::refuse_new() {
  if (is_unix()) {
    // The senders are told (EPIPE); a filter would throw away in silence.
    shutdown(fd(), SHUT_RD);
    return;
  }
  // A socket filter that takes 0 bytes of each packet: the kernel counts those in the same place.
  sock_filter take_nothing = BPF_STMT(BPF_RET | BPF_K, 0);
  const sock_fprog program{.len = 1, .filter = &take_nothing};
  setsockopt(fd(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

double DatagramSocket::fill() const {
  const MemInfo info = mem_info(fd());
  return info[SK_MEMINFO_RCVBUF] == 0
             ? 0
             : static_cast<double>(info[SK_MEMINFO_RMEM_ALLOC]) / info[SK_MEMINFO_RCVBUF];
}

}  // namespace tally
