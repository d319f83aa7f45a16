#include "listeners.hpp"

#include <cerrno>
#include <optional>
#include <utility>

namespace tally {
namespace {

// `open` makes a socket of a literal.
template <class Socket, class Open>
Status open_each(const std::vector<ListenAddress>& addresses, std::vector<Socket>& sockets,
                 std::vector<std::string>& warnings, Open open) {
  const std::size_t before = sockets.size();
  std::optional<Error> without_ipv6;
  for (const ListenAddress& address : addresses) {
    for (const ListenAddress& literal : literals_of(address)) {
      Result<Socket> opened = open(literal);
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
  return sockets.size() == before ? without_ipv6 : std::nullopt;
}

Status open_streams(const Config::Listen& listen, const UnixAccess& access, Listeners& listeners,
                    std::vector<std::string>& warnings) {
  auto tcp = open_tcp(listen.tcp, "listen.tcp", warnings);
  if (!tcp) return tcp.error();
  listeners.streams = std::move(tcp).value();
  for (const std::string& path : listen.unix_stream) {
    Result<StreamSocket> opened = StreamSocket::open_unix(path, access);
    if (!opened) return opened.error();
    listeners.streams.push_back(std::move(opened).value());
  }
  return std::nullopt;
}

Status open_unix(const Config::Listen& listen, Listeners& listeners,
                 std::vector<std::string>& warnings) {
  const Result<UnixAccess> access =
      parse_unix_owner(listen.unix_owner, static_cast<mode_t>(listen.unix_mode));
  if (!access) return access.error();
  for (const std::string& path : listen.unixgram) {
    Result<DatagramSocket> opened = DatagramSocket::open_unix(path, access.value());
    if (!opened) return opened.error();
    listeners.datagrams.push_back(std::move(opened).value());
  }
  return open_streams(listen, access.value(), listeners, warnings);
}

// SO_REUSEPORT would let a second daemon take half of our datagrams in silence.
Status probe_ports(const Config::Listen& listen) {
  std::vector<std::string> warnings;
  const auto alone = open_udp(listen.udp, {.share_port = false}, warnings);
  return alone ? std::nullopt : Status(alone.error());
}

}  // namespace

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

Result<std::vector<DatagramSocket>> open_udp(const std::vector<ListenAddress>& addresses,
                                             const DatagramSocket::Options& options,
                                             std::vector<std::string>& warnings) {
  std::vector<DatagramSocket> sockets;
  const auto open = [&](const ListenAddress& literal) {
    return DatagramSocket::open(literal, options);
  };
  if (Status error = open_each(addresses, sockets, warnings, open)) return *error;
  return sockets;
}

Result<std::vector<StreamSocket>> open_tcp(const std::vector<ListenAddress>& addresses,
                                           std::string_view key,
                                           std::vector<std::string>& warnings) {
  std::vector<StreamSocket> sockets;
  const auto open = [&](const ListenAddress& literal) {
    return StreamSocket::open_tcp(literal, key);
  };
  if (Status error = open_each(addresses, sockets, warnings, open)) return *error;
  return sockets;
}

Result<OpenedListeners> open_listeners(const Config::Listen& listen) {
  const bool share_port = listen.workers > 1;
  if (share_port) {
    if (Status error = probe_ports(listen)) return *error;
  }
  OpenedListeners opened;
  std::vector<ListenAddress> addresses = listen.udp;
  for (std::uint32_t i = 0; i < listen.workers; ++i) {
    std::vector<std::string> warnings;
    auto sockets = open_udp(addresses, {listen.receive_buffer, share_port}, warnings);
    if (!sockets) return sockets.error();
    opened.of_worker.push_back({.datagrams = std::move(sockets).value(), .streams = {}});
    if (i > 0) continue;
    opened.warnings = std::move(warnings);
    // Where the kernel chose a port, the other workers must have the same.
    addresses.clear();
    for (const DatagramSocket& socket : opened.of_worker[0].datagrams)
      addresses.push_back(socket.address());
  }
  Listeners& first = opened.of_worker[0];
  if (Status error = open_unix(listen, first, opened.warnings)) return *error;
  for (const DatagramSocket& socket : first.datagrams) opened.names.push_back(socket.name());
  for (const StreamSocket& socket : first.streams) opened.names.push_back(socket.name());
  return opened;
}

}  // namespace tally
