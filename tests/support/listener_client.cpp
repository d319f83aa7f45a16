#include "listener_client.hpp"

#include <doctest/doctest.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>

#include "process.hpp"

namespace tally::testing {
namespace {

using namespace std::chrono_literals;

// A daemon that does not read must fail a test, not hold it.
constexpr timeval send_within{.tv_sec = 30, .tv_usec = 0};

Descriptor connected(int family, int type, const sockaddr* to, socklen_t size) {
  Descriptor fd(socket(family, type | SOCK_CLOEXEC, 0));
  REQUIRE(fd);
  REQUIRE(setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &send_within, sizeof send_within) == 0);
  REQUIRE(connect(fd.get(), to, size) == 0);
  return fd;
}

Descriptor connected_to_unix(int type, const std::string& path) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  REQUIRE(path.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, path.data(), path.size());
  if (path.starts_with('@')) address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  return connected(AF_UNIX, type, reinterpret_cast<const sockaddr*>(&address), size);
}

/// `address` is "127.0.0.1:40001" or "[::1]:40001".
Descriptor connected_to_ip(int type, const std::string& address) {
  const std::size_t colon = address.rfind(':');
  REQUIRE(colon != std::string::npos);
  const bool is_v6 = address.starts_with('[');
  const std::string host = is_v6 ? address.substr(1, colon - 2) : address.substr(0, colon);
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  REQUIRE(getaddrinfo(host.c_str(), address.c_str() + colon + 1, &hints, &found) == 0);
  Descriptor fd = connected(found->ai_family, type, found->ai_addr, found->ai_addrlen);
  freeaddrinfo(found);
  return fd;
}

Descriptor connected_to(const std::string& listener) {
  const std::size_t space = listener.find(' ');
  REQUIRE_MESSAGE(space != std::string::npos, listener);
  const std::string protocol = listener.substr(0, space);
  const std::string address = listener.substr(space + 1);
  if (protocol == "unixgram") return connected_to_unix(SOCK_DGRAM, address);
  if (protocol == "unix") return connected_to_unix(SOCK_STREAM, address);
  REQUIRE_MESSAGE((protocol == "udp" || protocol == "tcp"), listener);
  return connected_to_ip(protocol == "udp" ? SOCK_DGRAM : SOCK_STREAM, address);
}

int option(int fd, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  REQUIRE(getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0);
  return value;
}

}  // namespace

ListenerClient::ListenerClient(const std::string& listener) : fd_(connected_to(listener)) {}

void ListenerClient::send(std::string_view bytes) {
  const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  REQUIRE(sent == static_cast<ssize_t>(bytes.size()));
}

void ListenerClient::wait_until_arrived() const {
  const auto has_arrived = [this] {
    int on_its_way = 0;
    REQUIRE(ioctl(fd_.get(), SIOCOUTQ, &on_its_way) == 0);
    return on_its_way == 0;
  };
  REQUIRE(eventually(30s, has_arrived));
}

bool ListenerClient::is_hung_up() const {
  char byte = 0;
  const ssize_t got = recv(fd_.get(), &byte, 1, MSG_DONTWAIT);
  return got == 0 || (got < 0 && errno != EAGAIN);
}

std::string ListenerClient::name() const {
  if (option(fd_.get(), SO_DOMAIN) == AF_UNIX) {
    const bool is_stream = option(fd_.get(), SO_TYPE) == SOCK_STREAM;
    return is_stream ? "pid " + std::to_string(getpid()) : "local";
  }
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  REQUIRE(getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&own), &size) == 0);
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  REQUIRE(getnameinfo(reinterpret_cast<const sockaddr*>(&own), size, host.data(), host.size(),
                      port.data(), port.size(), NI_NUMERICHOST | NI_NUMERICSERV) == 0);
  const std::string address =
      own.ss_family == AF_INET6 ? "[" + std::string(host.data()) + "]" : std::string(host.data());
  return address + ":" + port.data();
}

}  // namespace tally::testing
