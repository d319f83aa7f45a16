#include "acceptor.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "socket_address.hpp"

namespace tally {
namespace {

// So that a rush of newcomers does not keep those who are in from being read.
constexpr int accepted_per_turn_max = 64;
constexpr std::chrono::milliseconds accept_pause = std::chrono::seconds(1);

std::int32_t pid_behind(int fd) {
  ucred who{};
  socklen_t size = sizeof who;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 ? who.pid : 0;
}

struct Accepted {
  Descriptor fd;
  Peer peer;
};

/// The next that waits; without a descriptor, and errno set, if there is none.
Accepted accept_from(const StreamSocket& socket) {
  SocketAddress from;
  from.size = sizeof from.storage;
  Descriptor fd(accept4(socket.fd(), from.get(), &from.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd) return {.fd = std::move(fd), .peer = {}};
  Peer peer = peer_of(from.storage);
  if (socket.is_unix()) peer.pid = pid_behind(fd.get());
  return {.fd = std::move(fd), .peer = peer};
}

}  // namespace

Acceptor::Acceptor(uv::Loop& loop, std::vector<StreamSocket> sockets, Owner owner)
    : sockets_(std::move(sockets)),
      owner_(std::move(owner)),
      pause_(loop, [this] { watch(UV_READABLE); }) {
  for (std::size_t i = 0; i < sockets_.size(); ++i) {
    polls_.push_back(
        std::make_unique<uv::Poll>(loop, sockets_[i].fd(), [this, i](int) { on_waiting(i); }));
  }
  watch(UV_READABLE);
}

Acceptor::~Acceptor() = default;

void Acceptor::on_waiting(std::size_t listener) {
  for (int i = 0; i < accepted_per_turn_max && accept_one(listener); ++i) {
  }
}

bool Acceptor::accept_one(std::size_t listener) {
  Accepted accepted = accept_from(sockets_[listener]);
  if (accepted.fd) {
    owner_.on_newcomer({.fd = std::move(accepted.fd), .listener = listener, .peer = accepted.peer});
    return true;
  }
  if (errno == EINTR || errno == ECONNABORTED) return true;
  if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
    // It still waits, so asking again at once would be all this thread does.
    owner_.on_exhausted(listener);
    watch(0);
    pause_.start(accept_pause);
  }
  return false;
}

void Acceptor::close() {
  pause_.stop();
  polls_.clear();
  sockets_.clear();
}

void Acceptor::watch(int events) {
  for (const auto& poll : polls_) poll->watch(events);
}

}  // namespace tally
