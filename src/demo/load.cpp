#include "demo/load.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

namespace tally::demo {
namespace {

constexpr std::size_t visits_max = 128;
constexpr std::size_t answer_bytes_max = 4096;
constexpr std::chrono::milliseconds tick_min{10};

// HTTP/1.0: the server closes after its answer, and the end of the stream is the end of the visit.
constexpr std::string_view request = "GET / HTTP/1.0\r\nHost: tallyd-demo\r\n\r\n";

}  // namespace

Load::Load(uv::Loop& loop, const Address& server, unsigned per_second)
    : loop_(loop),
      server_(server),
      per_second_(per_second),
      start_ms_(uv_now(loop.raw())),
      timer_(loop, [this] { on_tick(); }) {
  const auto tick = std::max(tick_min, std::chrono::milliseconds(1000 / per_second));
  timer_.start(tick, tick);
}

void Load::on_tick() {
  // What is due by the clock, not one a tick: ticks are whole milliseconds and come late.
  const std::uint64_t due = (uv_now(loop_.raw()) - start_ms_) * per_second_ / 1000;
  for (; begun_ < due; ++begun_) begin_visit();
}

void Load::begin_visit() {
  if (visits_.size() >= visits_max) {
    ++failed_;
    return;
  }
  const Place visit = visits_.emplace(visits_.end());
  visit->socket = Descriptor(
      ::socket(server_.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int fd = visit->socket.get();
  if (fd < 0 || (connect(fd, server_.raw(), server_.size) != 0 && errno != EINPROGRESS)) {
    return end_visit(visit, false);
  }
  visit->poll =
      std::make_unique<uv::Poll>(loop_, fd, [this, visit](int events) { on_ready(visit, events); });
  visit->poll->watch(UV_WRITABLE);
}

void Load::on_ready(Place visit, int events) {
  if ((events & UV_WRITABLE) != 0) return send_request(visit);
  read_answer(visit);
}

void Load::send_request(Place visit) {
  // Forty bytes into the empty buffer of a new connection: all of them or a dead connection.
  const ssize_t sent = send(visit->socket.get(), request.data(), request.size(), MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(request.size())) return end_visit(visit, false);
  visit->poll->watch(UV_READABLE);
}

void Load::read_answer(Place visit) {
  std::array<char, answer_bytes_max> piece;
  const ssize_t got = recv(visit->socket.get(), piece.data(), piece.size(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got > 0) visit->answer.append(piece.data(), static_cast<std::size_t>(got));
  if (got <= 0 || visit->answer.size() > answer_bytes_max) {
    end_visit(visit, visit->answer.substr(0, visit->answer.find('\r')).ends_with(" 200 OK"));
  }
}

void Load::end_visit(Place visit, bool good) {
  ++(good ? answered_ : failed_);
  visits_.erase(visit);
}

}  // namespace tally::demo
