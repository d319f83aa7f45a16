#include "badflux.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <deque>
#include <future>
#include <list>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>

#include "process.hpp"

// One thread, one poll() over a list of connections. Each is in one state; `serve` moves it on when
// its descriptor is ready or its time has come.

namespace tally::testing {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::size_t filler_piece = 65536;

void must(bool is_done) {
  if (!is_done) std::abort();
}

sockaddr_in address_of(std::uint16_t port, in_addr_t host = INADDR_LOOPBACK) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(host);
  return address;
}

void close_with_reset(int fd) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(fd);
}

struct Connection {
  enum class State : std::uint8_t { head, body, answering, mute, ignored };

  bool is_reading() const { return state == State::head || state == State::body; }
  bool has_request() const {
    return state == State::body || state == State::answering || state == State::mute;
  }

  int fd = -1;
  int number = 0;
  State state = State::head;
  std::string in;
  std::size_t request = 0;  ///< its index among all
  std::string body;         ///< of it, as it came
  Behaviour behaviour;
  std::string out;
  std::uint64_t filler = 0;
  std::uint64_t room = 0;  ///< bytes of the answer that may still be sent
  Clock::time_point not_before{};
  bool is_over = false;
};

/// A connection of the proxy: waits for each step, 10 s at most.
class Forward {
 public:
  explicit Forward(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    must(fd_ >= 0);
    const timeval limit{.tv_sec = 10, .tv_usec = 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    const sockaddr_in address = address_of(port);
    is_open_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~Forward() { ::close(fd_); }
  Forward(const Forward&) = delete;
  Forward& operator=(const Forward&) = delete;

  /// Sends all and gives what came until the end; "" if there is no server.
  std::string exchange(std::string_view bytes) {
    while (is_open_ && !bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) break;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    std::string answer;
    std::array<char, 65536> piece;
    while (is_open_) {
      const ssize_t got = ::recv(fd_, piece.data(), piece.size(), 0);
      if (got <= 0) break;
      answer.append(piece.data(), static_cast<std::size_t>(got));
    }
    return answer;
  }

 private:
  int fd_;
  bool is_open_ = false;
};

std::string proxied(const HttpMessage& request, const std::string& body, std::uint16_t port) {
  std::string bytes = request.method + " " + request.target + " HTTP/1.1\r\n";
  for (const auto& [name, value] : request.headers)
    if (name != "connection") bytes += name + ": " + value + "\r\n";
  const std::string answer = Forward(port).exchange(bytes + "connection: close\r\n\r\n" + body);
  return answer.empty() ? to_bytes({.status = 502, .body = "nothing behind the proxy\n"}) : answer;
}

Behaviour fixed(std::string bytes) {
  return {.answer = Behaviour::Answer::fixed, .bytes = std::move(bytes)};
}

}  // namespace

// ---- behaviours ---------------------------------------------------------------------------------

Behaviour answer(int status, const std::string& body, std::vector<std::string> headers) {
  return fixed(to_bytes({.status = status, .body = body, .headers = std::move(headers)}));
}

Behaviour raw(std::string bytes, Behaviour::Then then) {
  Behaviour behaviour = fixed(std::move(bytes));
  behaviour.then = then;
  return behaviour;
}

Behaviour mute() {
  return {.answer = Behaviour::Answer::none};
}

Behaviour reset() {
  return raw("", Behaviour::Then::reset);
}

Behaviour cut_request(std::size_t body_bytes) {
  return {.request_cut = body_bytes};
}

Behaviour cut_answer(std::size_t bytes) {
  return {.then = Behaviour::Then::close, .answer_cut = bytes};
}

Behaviour swallow() {
  return {.then = Behaviour::Then::close, .is_swallowed = true};
}

Behaviour proxy(std::uint16_t port) {
  // Proxied without keep-alive: where the answer ends is then plain.
  return {.answer = Behaviour::Answer::proxied, .then = Behaviour::Then::close, .proxy_port = port};
}

Behaviour proxy_and_swallow(std::uint16_t port) {
  Behaviour behaviour = proxy(port);
  behaviour.is_swallowed = true;
  return behaviour;
}

Behaviour big_body(int status, std::uint64_t bytes) {
  Behaviour behaviour =
      fixed("HTTP/1.1 " + std::to_string(status) +
            " Whatever\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(bytes) +
            "\r\n\r\n");
  behaviour.filler_bytes = bytes;
  return behaviour;
}

Behaviour long_headers(int status, std::size_t bytes) {
  std::string head = "HTTP/1.1 " + std::to_string(status) + " Whatever\r\nContent-Length: 0\r\n";
  const std::string line = "X-Filler: " + std::string(1012, 'x') + "\r\n";
  while (head.size() < bytes) head += line;
  return fixed(head + "\r\n");
}

Behaviour http_0_9() {
  return raw("<html>this is the answer of another age</html>\n");
}

Behaviour truncated_chunk() {
  return raw(
      "HTTP/1.1 400 Bad Request\r\nX-Influxdb-Version: 1.6.7~rc0\r\nContent-Type: "
      "application/json\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{\"error\":\"unable to parse");
}

Behaviour redirect(int status, const std::string& location) {
  return answer(status, "", {"Location: " + location});
}

Behaviour web_page() {
  return answer(200, "<!doctype html><html></html>", {"Content-Type: text/html; charset=utf-8"});
}

Behaviour dripped(Behaviour behaviour, milliseconds pause) {
  behaviour.drip = pause;
  return behaviour;
}

Behaviour delayed(Behaviour behaviour, milliseconds delay) {
  behaviour.delay = delay;
  return behaviour;
}

// ---- the thread ---------------------------------------------------------------------------------

class Badflux::Server {
 public:
  Server(ServerKind kind, FakeInfluxRules rules)
      : influx_(kind, std::move(rules)),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        thread_([this] { run(); }) {
    must(wake_ >= 0);
  }
  ~Server() {
    there([this] { is_ending_ = true; });
    thread_.join();
    for (Connection& connection : connections_) drop(connection);
    if (listener_ >= 0) ::close(listener_);
    ::close(wake_);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Runs `work` on the server's thread and waits for what it gives.
  template <class Work>
  std::invoke_result_t<Work> there(Work work) {
    std::packaged_task<std::invoke_result_t<Work>()> task(std::move(work));
    auto result = task.get_future();
    {
      const std::lock_guard lock(mutex_);
      commands_.emplace_back([&task] { task(); });
    }
    const std::uint64_t one = 1;
    must(::write(wake_, &one, sizeof one) == sizeof one);
    return result.get();
  }

  std::uint16_t port() const { return port_.number(); }

  // The rest is called on the thread only.

  void listen(in_addr_t host);
  void stop_listening();

  struct Figures {
    std::vector<Clock::time_point> connects;
    int in_flight_max = 0;
    std::uint64_t bytes_sent = 0;
  };

  Script script;
  std::deque<Behaviour> queue;
  Welcome welcome = Welcome::read;
  std::vector<HttpMessage> requests;
  Figures figures;
  FakeInflux& influx() { return influx_; }

 private:
  void run();
  void run_commands();
  void wait();
  void accept();
  void step(Connection& connection, short ready);
  void read(Connection& connection);
  void take(Connection& connection);
  void refuse(Connection& connection);
  void begin(Connection& connection, HttpMessage head);
  void take_body(Connection& connection);
  void answer(Connection& connection);
  std::string answer_to(const Connection& connection);
  void write(Connection& connection);
  void drop(Connection& connection, bool by_reset = false);
  Behaviour decide(const HttpMessage& head);
  HttpMessage& request_of(const Connection& connection) { return requests[connection.request]; }

  FakeInflux influx_;
  ReservedPort port_;
  int wake_;
  int listener_ = -1;
  std::list<Connection> connections_;
  bool is_ending_ = false;
  std::mutex mutex_;
  std::deque<std::function<void()>> commands_;
  std::thread thread_;  // last: it uses all the others
};

void Badflux::Server::listen(in_addr_t host) {
  if (listener_ >= 0) return;
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int yes = 1;
  must(setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0);
  const sockaddr_in address = address_of(port_.number(), host);
  must(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  must(::listen(listener_, 64) == 0);
}

void Badflux::Server::stop_listening() {
  if (listener_ >= 0) ::close(listener_);
  listener_ = -1;
  for (Connection& connection : connections_) drop(connection, true);
}

void Badflux::Server::run() {
  while (!is_ending_) {
    wait();
    run_commands();
    connections_.remove_if([](const Connection& connection) { return connection.is_over; });
  }
}

void Badflux::Server::run_commands() {
  std::uint64_t ignored = 0;
  if (::read(wake_, &ignored, sizeof ignored) < 0 && errno != EAGAIN) std::abort();
  std::deque<std::function<void()>> commands;
  {
    const std::lock_guard lock(mutex_);
    commands.swap(commands_);
  }
  for (const auto& command : commands) command();
}

void Badflux::Server::wait() {
  std::vector<pollfd> watched = {{.fd = wake_, .events = POLLIN, .revents = 0},
                                 {.fd = listener_, .events = POLLIN, .revents = 0}};
  const Clock::time_point now = Clock::now();
  int timeout = -1;
  for (const Connection& connection : connections_) {
    short events = connection.is_reading() ? POLLIN : POLLRDHUP;
    if (connection.state == Connection::State::answering) {
      const auto left = std::chrono::ceil<milliseconds>(connection.not_before - now).count();
      if (left <= 0) events |= POLLOUT;
      if (left > 0) timeout = static_cast<int>(timeout < 0 ? left : std::min<long>(timeout, left));
    }
    watched.push_back({.fd = connection.fd, .events = events, .revents = 0});
  }
  must(::poll(watched.data(), watched.size(), timeout) >= 0 || errno == EINTR);
  auto at = watched.begin() + 2;
  for (Connection& connection : connections_) step(connection, (at++)->revents);
  if ((watched[1].revents & POLLIN) != 0) accept();
}

void Badflux::Server::accept() {
  const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  const int number = static_cast<int>(figures.connects.size());
  figures.connects.push_back(Clock::now());
  if (welcome == Welcome::reset) return close_with_reset(fd);
  Connection& connection = connections_.emplace_back();
  connection.fd = fd;
  connection.number = number;
  if (welcome == Welcome::ignore) connection.state = Connection::State::ignored;
}

void Badflux::Server::step(Connection& connection, short ready) {
  if ((ready & POLLIN) != 0) return read(connection);
  if ((ready & (POLLRDHUP | POLLHUP | POLLERR)) != 0) return drop(connection);
  if ((ready & POLLOUT) != 0) write(connection);
}

void Badflux::Server::read(Connection& connection) {
  std::array<char, 65536> piece;
  const ssize_t got = ::recv(connection.fd, piece.data(), piece.size(), 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) return drop(connection);
  connection.in.append(piece.data(), static_cast<std::size_t>(got));
  take(connection);
}

void Badflux::Server::take(Connection& connection) {
  if (connection.state == Connection::State::head) {
    if (!connection.in.empty() && std::isupper(static_cast<unsigned char>(connection.in[0])) == 0)
      return refuse(connection);
    if (auto head = take_head(connection.in)) begin(connection, *std::move(head));
  }
  if (connection.state == Connection::State::body) take_body(connection);
}

/// What does not begin like a method is no HTTP: TLS, most likely.
void Badflux::Server::refuse(Connection& connection) {
  const std::string bytes = to_bytes({.status = 400, .body = "400 Bad Request"});
  static_cast<void>(::send(connection.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL));
  drop(connection);
}

void Badflux::Server::begin(Connection& connection, HttpMessage head) {
  head.at = Clock::now();
  head.connection = connection.number;
  connection.behaviour = decide(head);
  connection.request = requests.size();
  connection.body.clear();
  connection.state = Connection::State::body;
  requests.push_back(std::move(head));
  const auto in_flight = std::count_if(connections_.begin(), connections_.end(),
                                       [](const auto& c) { return !c.is_over && c.has_request(); });
  figures.in_flight_max = std::max(figures.in_flight_max, static_cast<int>(in_flight));
  constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
  if (!request_of(connection).header("expect").empty())
    static_cast<void>(::send(connection.fd, go_on.data(), go_on.size(), MSG_NOSIGNAL));
}

Behaviour Badflux::Server::decide(const HttpMessage& head) {
  if (queue.empty()) return script ? script(head) : serve();
  Behaviour behaviour = std::move(queue.front());
  queue.pop_front();
  return behaviour;
}

void Badflux::Server::take_body(Connection& connection) {
  HttpMessage& request = request_of(connection);
  const std::size_t missing = content_bytes(request) - connection.body.size();
  const std::size_t taken = std::min(missing, connection.in.size());
  connection.body.append(connection.in, 0, taken);
  connection.in.erase(0, taken);
  request.bytes_sent = connection.body.size();
  const std::optional<std::size_t> cut = connection.behaviour.request_cut;
  if (cut && request.bytes_sent >= *cut) return drop(connection, true);
  if (taken < missing) return;
  if (request.header("connection") == "close" && connection.behaviour.then == Behaviour::Then::keep)
    connection.behaviour.then = Behaviour::Then::close;
  const bool is_packed = request.header("content-encoding") == "gzip";
  request.body = is_packed ? gunzip(connection.body).value_or("") : connection.body;
  request.is_whole = true;
  answer(connection);
}

void Badflux::Server::answer(Connection& connection) {
  const Behaviour& behaviour = connection.behaviour;
  if (behaviour.answer == Behaviour::Answer::none) {
    connection.state = Connection::State::mute;
    return;
  }
  connection.out = answer_to(connection);
  if (behaviour.is_swallowed) connection.out.clear();
  connection.filler = behaviour.filler_bytes;
  connection.room = connection.out.size() + connection.filler;
  if (behaviour.answer_cut)
    connection.room = std::min<std::uint64_t>(connection.room, *behaviour.answer_cut);
  connection.not_before = Clock::now() + behaviour.delay;
  connection.state = Connection::State::answering;
  if (connection.filler > 0) {
    // So that what the kernel took and what the peer has read are nearly the same. Not smaller:
    // below two segments of loopback each wait for a delayed acknowledgement.
    const int small = 256 << 10;
    setsockopt(connection.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  }
}

std::string Badflux::Server::answer_to(const Connection& connection) {
  const Behaviour& behaviour = connection.behaviour;
  const HttpMessage& request = requests[connection.request];
  switch (behaviour.answer) {
    case Behaviour::Answer::served:
      return to_bytes(influx_.answer(request));
    case Behaviour::Answer::proxied:
      return proxied(request, connection.body, behaviour.proxy_port);
    case Behaviour::Answer::fixed:
    case Behaviour::Answer::none:
      break;
  }
  return behaviour.bytes;
}

void Badflux::Server::write(Connection& connection) {
  static const std::string filler(filler_piece, 'x');
  const bool is_dripped = connection.behaviour.drip.count() > 0;
  while (connection.room > 0) {
    const std::string& from = connection.out.empty() ? filler : connection.out;
    const std::uint64_t most =
        is_dripped ? 1 : std::min<std::uint64_t>(connection.room, from.size());
    const ssize_t sent = ::send(connection.fd, from.data(), most, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) return;
    if (sent < 0) return drop(connection);
    const auto bytes = static_cast<std::size_t>(sent);
    if (!connection.out.empty()) connection.out.erase(0, bytes);
    connection.room -= bytes;
    figures.bytes_sent += bytes;
    connection.not_before = Clock::now() + connection.behaviour.drip;
    if (is_dripped) return;
  }
  if (connection.behaviour.then != Behaviour::Then::keep)
    return drop(connection, connection.behaviour.then == Behaviour::Then::reset);
  connection.state = Connection::State::head;
  take(connection);  // what came behind the request
}

/// Closes it; the loop takes it out of the list.
void Badflux::Server::drop(Connection& connection, bool by_reset) {
  if (connection.is_over) return;
  if (by_reset) {
    close_with_reset(connection.fd);
  } else {
    ::close(connection.fd);
  }
  connection.fd = -1;  // poll() passes over it
  connection.is_over = true;
}

// ---- what a test calls --------------------------------------------------------------------------

Badflux::Badflux(ServerKind kind, FakeInfluxRules rules)
    : server_(std::make_unique<Server>(kind, std::move(rules))) {}
Badflux::~Badflux() = default;

std::uint16_t Badflux::port() const {
  return server_->port();
}
void Badflux::listen() {
  server_->there([this] { server_->listen(INADDR_LOOPBACK); });
}
void Badflux::listen_everywhere() {
  server_->there([this] { server_->listen(INADDR_ANY); });
}
void Badflux::stop_listening() {
  server_->there([this] { server_->stop_listening(); });
}
void Badflux::welcome(Welcome how) {
  server_->there([&] { server_->welcome = how; });
}

void Badflux::set_script(Script script) {
  server_->there([&] { server_->script = std::move(script); });
}
void Badflux::set_script(Behaviour behaviour) {
  set_script([behaviour = std::move(behaviour)](const HttpMessage&) { return behaviour; });
}
void Badflux::next(Behaviour behaviour, int times) {
  server_->there([&] {
    server_->queue.insert(server_->queue.end(), static_cast<std::size_t>(times), behaviour);
  });
}

void Badflux::become(ServerKind kind, FakeInfluxRules rules) {
  server_->there([&] { server_->influx() = FakeInflux(kind, std::move(rules)); });
}
void Badflux::change_rules(const std::function<void(FakeInfluxRules&)>& change) {
  server_->there([&] { change(server_->influx().rules()); });
}

std::vector<HttpMessage> Badflux::requests() const {
  return server_->there([this] { return server_->requests; });
}
std::size_t Badflux::request_count() const {
  return server_->there([this] { return server_->requests.size(); });
}
std::vector<Clock::time_point> Badflux::connects() const {
  return server_->there([this] { return server_->figures.connects; });
}
int Badflux::in_flight_max() const {
  return server_->there([this] { return server_->figures.in_flight_max; });
}
std::uint64_t Badflux::bytes_sent() const {
  return server_->there([this] { return server_->figures.bytes_sent; });
}

StoredPoints Badflux::stored() const {
  return server_->there([this] { return server_->influx().points(); });
}
double Badflux::sum(const std::string& measurement, const std::string& field) const {
  return server_->there([&] { return server_->influx().points().sum(measurement, field); });
}
double Badflux::sum(const std::string& measurement, const std::string& field,
                    const std::pair<std::string, std::string>& tag) const {
  return server_->there([&] { return server_->influx().points().sum(measurement, field, tag); });
}
std::uint64_t Badflux::integers() const {
  return server_->there([this] { return server_->influx().integers(); });
}

}  // namespace tally::testing
