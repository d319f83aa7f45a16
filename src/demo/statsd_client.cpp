#include "demo/statsd_client.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstring>

namespace tally::demo {

std::string counter(std::string_view name, std::uint64_t delta) {
  return fmt::format("{}:{}|c", name, delta);
}

std::string timer(std::string_view name, Milliseconds duration) {
  return fmt::format("{}:{:.4f}|ms", name, duration.count());
}

Result<StatsdClient> StatsdClient::open(const Address& daemon) {
  Descriptor socket(::socket(daemon.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  // Connected: the kernel looks the route up once, and tells us when nobody listens there.
  if (socket.get() < 0 || connect(socket.get(), daemon.raw(), daemon.size) != 0) {
    return Error{fmt::format("statsd {}: no socket: {}; check --statsd", to_string(daemon),
                             std::strerror(errno))};
  }
  return StatsdClient(std::move(socket), to_string(daemon));
}

StatsdClient::StatsdClient(Descriptor socket, std::string daemon)
    : socket_(std::move(socket)), daemon_(std::move(daemon)) {}

void StatsdClient::send(std::initializer_list<std::string> lines) {
  const std::string datagram = fmt::format("{}", fmt::join(lines, "\n"));
  ++sent_;
  if (transmit(datagram)) return;
  const int error = errno;
  note_lost(error);
  // "Connection refused" is news of the datagram before this one, and has kept this one back.
  if (error == ECONNREFUSED) transmit(datagram);
}

bool StatsdClient::transmit(std::string_view datagram) {
  // MSG_DONTWAIT: when the kernel's buffer is full, rather lose a sample than make a user wait.
  return ::send(socket_.get(), datagram.data(), datagram.size(), MSG_DONTWAIT) >= 0;
}

void StatsdClient::note_lost(int error) {
  if (++lost_ > 1) return;  // once is enough: it would be said for every request
  spdlog::warn(
      "statsd {}: {}; metrics are lost until a daemon listens there, requests go on being "
      "answered; "
      "start tallyd or check --statsd",
      daemon_, std::strerror(error));
}

}  // namespace tally::demo
