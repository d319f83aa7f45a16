// sd_notify by hand, with the test as systemd.

#include "daemon/service_manager.hpp"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "process.hpp"

using namespace std::chrono_literals;
using namespace tally;

namespace {

/// systemd's end of the wire, at a path or, with a leading '@', at an abstract name.
class Manager {
 public:
  explicit Manager(const std::string& name) : name_(name) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name.front() == '@') address.sun_path[0] = '\0';
    const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    REQUIRE(bind(socket_, reinterpret_cast<const sockaddr*>(&address), bytes) == 0);
  }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;
  ~Manager() {
    close(socket_);
    if (name_.front() != '@') unlink(name_.c_str());
  }

  std::vector<std::string> heard() const {
    std::vector<std::string> messages;
    std::array<char, 256> piece;
    for (;;) {
      const ssize_t got = recv(socket_, piece.data(), piece.size(), 0);
      if (got < 0) return messages;
      messages.emplace_back(piece.data(), static_cast<std::size_t>(got));
    }
  }

 private:
  int socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  std::string name_;
};

}  // namespace

TEST_CASE("service manager: each state is one datagram, to a path and to an abstract name") {
  const tally::testing::TemporaryDirectory directory;
  const std::string abstract = "@tallyd-test-" + std::to_string(getpid());
  for (const std::string& name : {directory.path() + "/notify", abstract}) {
    CAPTURE(name);
    const Manager manager(name);
    const ServiceManager service({.notify_socket = name});
    service.ready();
    service.status("written to http://127.0.0.1:8086");
    service.alive();
    service.stopping();
    CHECK(manager.heard() == std::vector<std::string>{"READY=1",
                                                      "STATUS=written to http://127.0.0.1:8086",
                                                      "WATCHDOG=1", "STOPPING=1"});
  }
}

TEST_CASE("service manager: none, one that is gone and an impossible name are survived") {
  for (const std::string& name :
       {std::string(), std::string("/nonexistent/notify"), std::string(500, 'x')}) {
    CAPTURE(name);
    const ServiceManager service({.notify_socket = name});
    service.ready();
    service.stopping();
  }
}

TEST_CASE("service manager: the watchdog is fed twice as often as it bites, if it watches us") {
  struct Row {
    const char* name;
    ServiceEnvironment environment;
    std::optional<std::chrono::milliseconds> interval;
  };
  const std::string self = std::to_string(getpid());
  const Row rows[] = {
      {"no systemd", {"", "", ""}, {}},
      {"no socket to feed it by", {"", "20000000", self}, {}},
      {"no watchdog", {"/n", "", ""}, {}},
      {"twenty seconds", {"/n", "20000000", self}, 10s},
      {"whoever reads it", {"/n", "20000000", ""}, 10s},
      {"another process", {"/n", "20000000", "1"}, {}},
      {"less than the clock can do", {"/n", "1", self}, 1ms},
      {"zero", {"/n", "0", self}, {}},
      {"negative", {"/n", "-5", self}, {}},
      {"no number", {"/n", "20s", self}, {}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(ServiceManager(row.environment).watchdog_interval() == row.interval);
  }
}
