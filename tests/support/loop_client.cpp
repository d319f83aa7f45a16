#include "loop_client.hpp"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <array>
#include <cstdlib>

#include "receive/socket_address.hpp"

namespace tally::testing {
namespace {

constexpr std::chrono::milliseconds patience{60'000};
constexpr std::chrono::milliseconds ask_every{5};

/// Chunks of HTTP/1.1 as far as they go, put together.
std::string unchunked(std::string_view text) {
  std::string out;
  for (;;) {
    const std::size_t line_end = text.find("\r\n");
    if (line_end == text.npos) return out;
    const std::size_t size =
        std::strtoul(std::string(text.substr(0, line_end)).c_str(), nullptr, 16);
    if (size == 0) return out;
    text.remove_prefix(line_end + 2);
    out += text.substr(0, size);
    if (text.size() < size + 2) return out;
    text.remove_prefix(size + 2);
  }
}

}  // namespace

GuardedLoop::~GuardedLoop() {
  CHECK_FALSE(loop.turn());
}

bool GuardedLoop::until(const std::function<bool()>& is_so) {
  const auto now = [this] { return std::chrono::milliseconds(uv_now(loop.raw())); };
  const auto end = now() + patience;
  uv::Timer ask_again(loop, [] {});  // where `is_so` waits for no event of this loop
  ask_again.start(ask_every, ask_every);
  while (!is_so()) {
    if (now() > end) {
      FAIL_CHECK("it did not come to be within 60 s");
      return false;
    }
    uv_run(loop.raw(), UV_RUN_ONCE);
  }
  return true;
}

int GuardedLoop::turn_for(std::chrono::milliseconds time) {
  int turns = 0;
  bool is_over = false;
  uv::Timer timer(loop, [&] { is_over = true; });
  timer.start(time);
  while (!is_over) {
    uv_run(loop.raw(), UV_RUN_ONCE);
    ++turns;
  }
  return turns;
}

LoopClient::LoopClient(uv::Loop& loop, const ListenAddress& server)
    : LoopClient(loop, server, Options{}) {}

LoopClient::LoopClient(uv::Loop& loop, const ListenAddress& server, Options options) {
  const SocketAddress address = to_socket_address(server);
  socket_ = Descriptor(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int bytes = options.receive_buffer_bytes;
  if (bytes > 0) setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  REQUIRE(connect(socket_.get(), address.get(), address.size) == 0);  // the backlog takes it
  poll_.emplace(loop, socket_.get(), [this](int events) { on_ready(events); });
  if (options.reads) read();
}

void LoopClient::send(std::string_view text) {
  ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void LoopClient::end_sending() {
  shutdown(socket_.get(), SHUT_WR);
}

void LoopClient::close() {
  poll_.reset();
  socket_ = Descriptor();
}

void LoopClient::on_ready(int events) {
  // We wait for readable alone, so writable means an error, and no further call.
  const bool is_broken = (events & UV_WRITABLE) != 0;
  std::array<char, 65536> piece;
  ssize_t got = 0;
  do {
    got = recv(socket_.get(), piece.data(), piece.size(), MSG_DONTWAIT);
    if (got > 0) received.append(piece.data(), static_cast<std::size_t>(got));
  } while (is_broken && got > 0);
  if (got > 0 || (got < 0 && errno == EAGAIN && !is_broken)) return;
  is_closed = true;
  poll_->watch(0);
}

std::string exchange(GuardedLoop& loop, const ListenAddress& server, std::string_view text) {
  LoopClient client(loop.loop, server);
  client.send(text);
  loop.until([&] { return client.is_closed; });
  return client.received;
}

std::optional<std::string> ParsedAnswer::header(std::string_view name) const {
  const std::string mark = "\r\n" + std::string(name) + ": ";
  const std::size_t at = head.find(mark);
  if (at == head.npos) return std::nullopt;
  const std::size_t begin = at + mark.size();
  return head.substr(begin, head.find('\r', begin) - begin);
}

ParsedAnswer parse_answer(std::string_view text) {
  ParsedAnswer answer;
  const std::size_t end = text.find("\r\n\r\n");
  if (!text.starts_with("HTTP/1.") || end == text.npos) return answer;
  answer.status = std::atoi(std::string(text.substr(9, 3)).c_str());
  answer.head = text.substr(0, end + 2);
  const bool is_chunked = answer.header("Transfer-Encoding") == "chunked";
  const std::string_view rest = text.substr(end + 4);
  answer.body = is_chunked ? unchunked(rest) : std::string(rest);
  return answer;
}

}  // namespace tally::testing
