#include "demo/address.hpp"

#include <fmt/format.h>
#include <netdb.h>

#include <cstring>
#include <memory>

#include "tally/text.hpp"

namespace tally::demo {
namespace {

struct HostPort {
  std::string host;
  std::string port;
};

HostPort split(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return {};
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return {.host = std::string(host), .port = std::string(text.substr(colon + 1))};
}

}  // namespace

Result<Address> resolve(std::string_view host_port) {
  const HostPort parts = split(host_port);
  if (parts.host.empty() || parts.port.empty()) {
    return Error{fmt::format("{} is no address; write HOST:PORT, for example 127.0.0.1:3000",
                             quote(host_port))};
  }
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;  // only so that each address is listed once
  addrinfo* found = nullptr;
  const int status = getaddrinfo(parts.host.c_str(), parts.port.c_str(), &hints, &found);
  if (status != 0) {
    return Error{fmt::format("{} cannot be resolved: {}; check its host and port", quote(host_port),
                             gai_strerror(status))};
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, freeaddrinfo);
  Address address;
  std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  address.size = found->ai_addrlen;
  return address;
}

std::string to_string(const Address& address) {
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  const int status = getnameinfo(address.raw(), address.size, host, sizeof host, port, sizeof port,
                                 NI_NUMERICHOST | NI_NUMERICSERV);
  if (status != 0) return "?";
  if (address.storage.ss_family == AF_INET6) return fmt::format("[{}]:{}", host, port);
  return fmt::format("{}:{}", host, port);
}

Address local_address(int fd) {
  Address address;
  address.size = sizeof address.storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.size) != 0) return {};
  return address;
}

}  // namespace tally::demo
