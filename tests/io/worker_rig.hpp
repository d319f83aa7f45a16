#pragma once
// A receive thread on a real socket, and who sends to it.

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "receive/datagram_socket.hpp"
#include "receive/socket_address.hpp"
#include "receive/worker.hpp"

namespace tally::testing {

inline DatagramSocket open_or_fail(const ListenAddress& address,
                                   DatagramSocket::Options options = {}) {
  auto opened = DatagramSocket::open(address, options);
  if (!opened) FAIL(opened.error().message);
  return std::move(opened).value();
}

// A plain client socket on the v4 loopback.
class Client {
 public:
  explicit Client(const DatagramSocket& to) : Client(to.address().port) {}
  explicit Client(std::uint16_t port, const char* from = "127.0.0.1")
      : fd_(socket(AF_INET, SOCK_DGRAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    inet_pton(AF_INET, from, &address.sin_addr);
    REQUIRE(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  ~Client() {
    if (fd_ >= 0) close(fd_);
  }
  Client(Client&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Client& operator=(Client&&) = delete;

  void send(std::string_view datagram) {
    REQUIRE(::send(fd_, datagram.data(), datagram.size(), 0) ==
            static_cast<ssize_t>(datagram.size()));
  }

  std::uint16_t port() const { return bound_port(fd_); }

 private:
  int fd_;
};

// Collects what a worker tells main, on the worker's thread.
class Letters {
 public:
  Worker::OnLetter box() {
    return [this](Worker::Letter letter) {
      const std::lock_guard lock(mutex_);
      letters_.push_back(std::move(letter));
      arrived_.notify_all();
    };
  }

  /// The oldest letter of a kind, which then is no longer here.
  template <class Kind>
  Kind next() {
    std::unique_lock lock(mutex_);
    auto found = letters_.end();
    REQUIRE(arrived_.wait_for(lock, std::chrono::seconds(30), [&] {
      found = std::ranges::find_if(
          letters_, [](const auto& each) { return std::holds_alternative<Kind>(each); });
      return found != letters_.end();
    }));
    Kind letter = std::get<Kind>(std::move(*found));
    letters_.erase(found);
    return letter;
  }
  WindowPart part(std::uint64_t window) {
    WindowPart part = next<WindowPart>();
    REQUIRE(part.window == window);
    return part;
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<Worker::Letter> letters_;
};

inline Worker::Window window_of(const TableRules& rules) {
  return {Table(rules), WallTime{}};
}

}  // namespace tally::testing
