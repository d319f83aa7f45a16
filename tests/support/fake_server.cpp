#include "fake_server.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <optional>
#include <sstream>
#include <utility>

namespace tally::test {

bool run_until(uv::Loop& loop, const std::function<bool()>& is_done,
               std::chrono::milliseconds at_most) {
  bool is_late = false;
  uv::Timer guard(loop, [&] { is_late = true; });
  guard.start(at_most);
  // UV_RUN_ONCE runs the due timers and then waits for the next event: this is one, soon.
  uv::Timer tick(loop, [] {});
  tick.start(std::chrono::milliseconds{1}, std::chrono::milliseconds{1});
  while (!is_done() && !is_late) uv_run(loop.raw(), UV_RUN_ONCE);
  return is_done();
}

FakeReply reply(int status, const std::string& body, const std::string& headers) {
  const bool may_have_body = status != 204;
  return {.bytes =
              "HTTP/1.1 " + std::to_string(status) + " Whatever\r\n" + headers +
              (may_have_body ? "Content-Length: " + std::to_string(body.size()) + "\r\n" : "") +
              "\r\n" + body};
}

struct FakeServer::Connection {
  int fd;
  int number;
  std::string in;
  std::string out;
  bool closes = false;
  std::unique_ptr<uv::Poll> poll;
};

namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// Takes one whole request from the front of `in`.
std::optional<FakeRequest> take_request(std::string& in) {
  const std::size_t end = in.find("\r\n\r\n");
  if (end == std::string::npos) return std::nullopt;
  FakeRequest request;
  std::istringstream head(in.substr(0, end + 2));
  std::string line;
  head >> request.method >> request.target;
  std::getline(head, line);
  while (std::getline(head, line)) {
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) continue;
    request.headers[lower(line.substr(0, colon))] = line.substr(colon + 2, line.size() - colon - 3);
  }
  const auto length = request.headers.find("content-length");
  const std::size_t bytes = length == request.headers.end() ? 0 : std::stoul(length->second);
  if (in.size() < end + 4 + bytes) return std::nullopt;
  request.body = in.substr(end + 4, bytes);
  in.erase(0, end + 4 + bytes);
  return request;
}

}  // namespace

FakeServer::FakeServer(uv::Loop& loop, Script script)
    : loop_(loop),
      script_(std::move(script)),
      fd_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t bytes = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd_, any, bytes) != 0 || ::getsockname(fd_, any, &bytes) != 0) std::abort();
  port_ = ntohs(address.sin_port);
}

FakeServer::~FakeServer() {
  hang_up();
  poll_.reset();
  ::close(fd_);
}

void FakeServer::hang_up() {
  while (!connections_.empty()) close(connections_.front());
}

void FakeServer::listen() {
  if (::listen(fd_, 16) != 0) std::abort();
  poll_ = std::make_unique<uv::Poll>(loop_, fd_, [this](int) { accept(); });
  poll_->watch(UV_READABLE);
}

void FakeServer::accept() {
  const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  Connection& connection = connections_.emplace_back();
  connection.fd = fd;
  connection.number = accepted_++;
  connection.poll = std::make_unique<uv::Poll>(loop_, fd, [this, &connection](int events) {
    if ((events & UV_WRITABLE) != 0) return write(connection);
    read(connection);
  });
  connection.poll->watch(UV_READABLE);
}

void FakeServer::read(Connection& connection) {
  std::array<char, 65536> buffer;
  const ssize_t bytes = ::recv(connection.fd, buffer.data(), buffer.size(), 0);
  if (bytes <= 0) return close(connection);
  connection.in.append(buffer.data(), static_cast<std::size_t>(bytes));
  answer(connection);
}

void FakeServer::answer(Connection& connection) {
  while (auto request = take_request(connection.in)) {
    request->connection = connection.number;
    requests_.push_back(*request);
    FakeReply reply = script_(*request);
    connection.out += reply.bytes;
    connection.closes = reply.then == FakeReply::Then::close;
  }
  write(connection);
}

void FakeServer::write(Connection& connection) {
  const ssize_t bytes =
      ::send(connection.fd, connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
  if (bytes < 0 && errno != EAGAIN) return close(connection);
  if (bytes > 0) connection.out.erase(0, static_cast<std::size_t>(bytes));
  if (connection.out.empty() && connection.closes) return close(connection);
  connection.poll->watch(connection.out.empty() ? UV_READABLE : UV_WRITABLE);
}

void FakeServer::close(Connection& connection) {
  connection.poll.reset();
  ::close(connection.fd);
  connections_.remove_if([&](const Connection& other) { return &other == &connection; });
}

}  // namespace tally::test
