#include "stream_socket.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "socket_address.hpp"

namespace tally {
namespace {

void set_option(int fd, int level, int option) {
  const int on = 1;
  setsockopt(fd, level, option, &on, sizeof on);
}

}  // namespace

Result<StreamSocket> StreamSocket::open_tcp(const ListenAddress& literal, std::string_view key) {
  const SocketAddress address = to_socket_address(literal);
  Descriptor socket(
      ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return Error{why_not_bound({"tcp", key}, literal, errno), errno};
  StreamSocket opened(std::move(socket));
  opened.address_ = literal;
  if (address.storage.ss_family == AF_INET6) set_option(opened.fd(), IPPROTO_IPV6, IPV6_V6ONLY);
  // A restart must not wait for the connections of the last run to be forgotten (TIME_WAIT).
  set_option(opened.fd(), SOL_SOCKET, SO_REUSEADDR);
  if (bind(opened.fd(), address.get(), address.size) != 0 || listen(opened.fd(), SOMAXCONN) != 0) {
    return Error{why_not_bound({"tcp", key}, literal, errno), errno};
  }
  opened.address_.port = bound_port(opened.fd());
  return opened;
}

Result<StreamSocket> StreamSocket::open_unix(const std::string& path, const UnixAccess& access) {
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return Error{"unix " + path + ": cannot listen: " + std::strerror(errno), errno};
  StreamSocket opened(std::move(socket));
  Result<UnixPath> bound = UnixPath::bind(opened.fd(), path, access);
  if (!bound) return Error{"unix " + bound.error().message, bound.error().code};
  opened.path_ = std::move(bound).value();
  return opened;
}

std::string StreamSocket::name() const {
  return path_ ? "unix " + path_->path() : "tcp " + to_string(address_);
}

}  // namespace tally
