#include "daemon/service_manager.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "tally/text.hpp"

namespace tally {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool send_datagram(const std::string& to, std::string_view message) {
  sockaddr_un address{};
  if (to.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return false;
  }
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, to.data(), to.size());
  if (to.front() == '@') address.sun_path[0] = '\0';
  // An abstract name ends where the address ends: no padding, no NUL.
  const auto address_bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + to.size());

  const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return false;
  const timeval patience{.tv_sec = 1, .tv_usec = 0};
  setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  const bool sent = sendto(socket, message.data(), message.size(), MSG_NOSIGNAL,
                           reinterpret_cast<const sockaddr*>(&address), address_bytes) >= 0;
  const int error = errno;
  close(socket);
  errno = error;
  return sent;
}

}  // namespace

ServiceEnvironment ServiceEnvironment::of_process() {
  return {.notify_socket = variable("NOTIFY_SOCKET"),
          .watchdog_usec = variable("WATCHDOG_USEC"),
          .watchdog_pid = variable("WATCHDOG_PID")};
}

void ServiceManager::status(std::string_view line) const {
  notify(fmt::format("STATUS={}", line));
}

std::optional<std::chrono::milliseconds> ServiceManager::watchdog_interval() const {
  const auto& [socket, usec, pid] = environment_;
  if (socket.empty() || usec.empty()) return {};
  if (!pid.empty() && pid != std::to_string(getpid())) return {};
  std::int64_t allowed = 0;
  const auto [end, error] = std::from_chars(usec.data(), usec.data() + usec.size(), allowed);
  if (error != std::errc{} || end != usec.data() + usec.size() || allowed <= 0) return {};
  const auto half = std::chrono::microseconds(allowed) / 2;
  return std::max(std::chrono::duration_cast<std::chrono::milliseconds>(half),
                  std::chrono::milliseconds(1));
}

void ServiceManager::notify(std::string_view message) const {
  if (environment_.notify_socket.empty()) return;
  if (send_datagram(environment_.notify_socket, message)) return;
  spdlog::warn(
      "systemd: cannot tell it {} at {}: {}; it may kill the service, which loses the open "
      "window; check NotifyAccess= in the unit",
      quote(message), quote(environment_.notify_socket), std::strerror(errno));
}

}  // namespace tally
