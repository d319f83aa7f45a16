// Stream connections on real sockets: what is heard of whom, who is hung up on, and that no one
// holds up the others.
#include "receive/streams.hpp"

#include <doctest/doctest.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "process.hpp"
#include "receive/framing.hpp"
#include "receive/socket_address.hpp"

using namespace tally;
using namespace std::chrono_literals;
using namespace std::string_literals;
using tally::testing::TemporaryDirectory;

// Every Loop of these tests ends empty: its destructor asserts it.

namespace {

using Lines = std::vector<std::string>;

StreamSocket tcp(const ListenAddress& address = {"127.0.0.1", 0}) {
  auto opened = StreamSocket::open_tcp(address);
  if (!opened) FAIL(opened.error().message);
  return std::move(opened).value();
}

SocketAddress name_of(int fd) {
  SocketAddress address;
  address.size = sizeof address.storage;
  REQUIRE(getsockname(fd, address.get(), &address.size) == 0);
  return address;
}

/// A client that blocks when it writes.
class Client {
 public:
  explicit Client(const SocketAddress& to)
      : fd_(::socket(to.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    REQUIRE(connect(fd_.get(), to.get(), to.size) == 0);
  }

  void send(std::string_view bytes) {
    REQUIRE(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(bytes.size()));
  }
  /// Sends what the kernel takes without waiting; returns how much that was.
  std::size_t stuff(std::string_view bytes) {
    const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent < 0 ? 0 : static_cast<std::size_t>(sent);
  }
  void half_close() { REQUIRE(shutdown(fd_.get(), SHUT_WR) == 0); }
  void close() { fd_ = Descriptor(-1); }
  void reset() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    REQUIRE(setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    close();
  }
  bool is_hung_up() const {
    char byte = 0;
    const ssize_t got = recv(fd_.get(), &byte, 1, MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN);
  }
  Peer own_address() const { return peer_of(name_of(fd_.get()).storage); }

 private:
  Descriptor fd_;
};

/// Streams, and what they said. The first listener is TCP, the second Unix.
class Receiving {
 public:
  explicit Receiving(const Streams::Settings& settings = {}) {
    std::vector<StreamSocket> sockets;
    sockets.push_back(tcp());
    auto opened = StreamSocket::open_unix(directory_.path() + "/s", {});
    REQUIRE(opened);
    sockets.push_back(std::move(opened).value());
    const int room = 1 << 20;  // for more than one read
    REQUIRE(setsockopt(sockets[0].fd(), SOL_SOCKET, SO_RCVBUF, &room, sizeof room) == 0);
    tcp_at = name_of(sockets[0].fd());
    unix_at = name_of(sockets[1].fd());
    streams.emplace(loop, std::move(sockets), settings, owner());
  }

  /// Turns the loop until `is_true`.
  void drive(const std::function<bool()>& is_true) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!is_true()) {
      if (std::chrono::steady_clock::now() > deadline) FAIL("waited in vain");
      loop.turn();
    }
  }
  void drive_until_lines(std::size_t count) {
    drive([&] { return lines.size() >= count; });
  }
  void drive_until_open(std::size_t count) {
    drive([&] { return streams->open() == count; });
  }
  void drive_until_read(std::uint64_t bytes) {
    drive([&] { return counts().bytes >= bytes; });
  }

  /// Of both listeners, since the beginning.
  ConnectionCounts counts() {
    for (const ConnectionCounts& more : streams->take_counts()) counts_ += more;
    return counts_;
  }

  SocketAddress tcp_at;
  SocketAddress unix_at;
  uv::Loop loop;
  Lines lines;
  std::vector<Streams::Origin> origins;  ///< of each line
  Lines refused;
  Lines judged;  ///< what was asked about
  std::optional<Streams> streams;

 private:
  Streams::Owner owner() {
    return {.on_text = [this](const Streams::Origin& origin,
                              std::string_view text) { note(origin, text); },
            .on_refused =
                [this](const Streams::Origin&, Reason reason, std::string_view start) {
                  refused.push_back(std::string(to_string(reason)) + " " + std::string(start));
                },
            .is_whole =
                [this](std::string_view line) {
                  judged.emplace_back(line);
                  return line.ends_with("|c");
                }};
  }

  void note(const Streams::Origin& origin, std::string_view text) {
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      if (end != 0) {
        lines.emplace_back(text.substr(0, end));
        origins.push_back(origin);
      }
      text = end == std::string_view::npos ? "" : text.substr(end + 1);
    }
  }

  TemporaryDirectory directory_;
  ConnectionCounts counts_;
};

std::string frame(const std::string& content) {
  std::string bytes;
  for (std::size_t shift = 0; shift < 32; shift += 8) {
    bytes += static_cast<char>(content.size() >> shift);
  }
  return bytes + content;
}

/// Milliseconds until the loop wakes of itself; -1: never.
int wakes_after(uv::Loop& loop) {
  uv_update_time(loop.raw());
  return uv_backend_timeout(loop.raw());
}

/// The soft limit of open files, until the end.
class FileLimit {
 public:
  explicit FileLimit(rlim_t soft) {
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before_) == 0);
    set(soft);
  }
  ~FileLimit() { setrlimit(RLIMIT_NOFILE, &before_); }
  FileLimit(const FileLimit&) = delete;
  FileLimit& operator=(const FileLimit&) = delete;

  void set(rlim_t soft) const {
    const rlimit limit{.rlim_cur = soft, .rlim_max = before_.rlim_max};
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  }
  rlim_t hard() const { return before_.rlim_max; }

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("socket address: a peer is who the kernel says, and IPv4 inside IPv6 is IPv4") {
  struct Row {
    const char* host;
    const char* peer;
  };
  const Row rows[] = {
      {"10.1.2.3", "10.1.2.3:4711"},
      {"fd00::1", "[fd00::1]:4711"},
      {"::ffff:10.1.2.3", "10.1.2.3:4711"},
      {"::10.1.2.3", "[::10.1.2.3]:4711"},
      {"no literal", "local"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.peer);
    CHECK(to_string(peer_of(to_socket_address({row.host, 4711}).storage)) == row.peer);
  }
}

TEST_CASE("stream socket: port 0 is replaced by the port that the kernel chose") {
  const StreamSocket v4 = tcp();
  CHECK(v4.address().port != 0);
  CHECK(v4.name() == "tcp 127.0.0.1:" + std::to_string(v4.address().port));
  CHECK_FALSE(v4.is_unix());
  const StreamSocket v6 = tcp({"::1", 0});
  CHECK(v6.name() == "tcp [::1]:" + std::to_string(v6.address().port));
}

TEST_CASE(
    "stream socket: a port in use is an error that names the port and how to find its owner") {
  const StreamSocket first = tcp();
  const auto second = StreamSocket::open_tcp(first.address());
  REQUIRE_FALSE(second);
  CHECK(second.error().code == EADDRINUSE);
  CHECK(
      second.error().message.starts_with(first.name() + ": cannot listen: Address already in use"));
  CHECK(second.error().message.find("ss -ltnp") != std::string::npos);
}

TEST_CASE("stream socket: all of v6 leaves v4 to a socket of its own") {
  const StreamSocket v6 = tcp({"::", 0});
  CHECK(tcp({"0.0.0.0", v6.address().port}).address().port == v6.address().port);
}

TEST_CASE("stream socket: a port can be taken again while old connections fade away") {
  uv::Loop loop;
  std::vector<StreamSocket> sockets;
  sockets.push_back(tcp());
  const ListenAddress address = sockets[0].address();
  const Client client(name_of(sockets[0].fd()));
  Streams streams(loop, std::move(sockets), {}, {});
  streams.finish(
      Instant::max());  // we hang up first, so the connection stays in TIME_WAIT on our side
  CHECK(client.is_hung_up());
  CHECK(StreamSocket::open_tcp(address));
}

TEST_CASE("streams: lines of several clients arrive whole, with their listener and their sender") {
  Receiving server;
  Client a(server.tcp_at);
  Client b(server.unix_at);
  a.send("a:1|c\na:2|c\n");
  server.drive_until_lines(2);
  b.send("b:1|c\n");
  server.drive_until_lines(3);
  CHECK(server.lines == Lines{"a:1|c", "a:2|c", "b:1|c"});
  CHECK(server.origins[1].listener == 0);
  CHECK(server.origins[1].peer == a.own_address());
  CHECK(server.origins[2].listener == 1);
  CHECK(server.origins[2].peer == Peer{.pid = getpid()});
  CHECK(server.streams->open() == 2);
  const auto counts = server.streams->take_counts();
  REQUIRE(counts.size() == 2);
  CHECK(counts[0] == ConnectionCounts{.accepted = 1, .bytes = 12});
  CHECK(counts[1] == ConnectionCounts{.accepted = 1, .bytes = 6});
  CHECK(server.streams->take_counts() == std::vector<ConnectionCounts>(2));
}

TEST_CASE("streams: a peer on IPv6 is told as such") {
  uv::Loop loop;
  std::vector<StreamSocket> sockets;
  sockets.push_back(tcp({"::1", 0}));
  Client client(name_of(sockets[0].fd()));
  client.send("a:1|c\n");
  std::vector<Peer> peers;
  Streams streams(loop, std::move(sockets), {},
                  {.on_text = [&](const Streams::Origin& origin,
                                  std::string_view) { peers.push_back(origin.peer); },
                   .on_refused = {},
                   .is_whole = {}});
  streams.finish(Instant::max());
  CHECK(peers == std::vector<Peer>{client.own_address()});
  CHECK(peers[0].family == Peer::Family::v6);
}

TEST_CASE("streams: one byte at a time, of lines and of frames, gives the same lines") {
  Receiving server;
  Client lines(server.tcp_at);
  Client frames(server.unix_at);
  const std::string by_line = "name:1|c\nother:2|ms\n";
  const std::string by_frame = frame("unix:1|c\nunix:2|c") + frame("") + frame("unix:3|c");
  for (std::size_t i = 0; i < std::max(by_line.size(), by_frame.size()); ++i) {
    lines.send(by_line.substr(std::min(i, by_line.size()), 1));
    frames.send(by_frame.substr(std::min(i, by_frame.size()), 1));
    server.drive_until_read(std::min(i + 1, by_line.size()) + std::min(i + 1, by_frame.size()));
  }
  std::ranges::sort(server.lines);
  CHECK(server.lines == Lines{"name:1|c", "other:2|ms", "unix:1|c", "unix:2|c", "unix:3|c"});
}

TEST_CASE("streams: a last line without a line end counts, however the connection ends") {
  struct Row {
    const char* name;
    void (*end)(Client&);
  };
  constexpr Row rows[] = {
      {"close", [](Client& client) { client.close(); }},
      {"half close", [](Client& client) { client.half_close(); }},
      {"reset", [](Client& client) { client.reset(); }},
  };
  for (const Row& row : rows) {
    for (const bool is_unix : {false, true}) {
      CAPTURE(row.name);
      CAPTURE(is_unix);
      Receiving server;
      Client client(is_unix ? server.unix_at : server.tcp_at);
      client.send("a:1|c\nb:2|c");
      server.drive_until_read(11);
      CHECK(server.lines == Lines{"a:1|c"});
      CHECK(server.streams->bytes_held() > 0);
      row.end(client);
      server.drive_until_open(0);
      CHECK(server.lines == Lines{"a:1|c", "b:2|c"});
      CHECK(server.streams->bytes_held() == 0);
    }
  }
}

TEST_CASE("streams: a line that was cut off is refused, a number in it may be too") {
  struct Row {
    const char* name;
    void (*end)(Receiving&, Client&);
  };
  constexpr Row rows[] = {
      {"reset", [](Receiving&, Client& client) { client.reset(); }},
      {"our stop", [](Receiving& server, Client&) { server.streams->finish(Instant::max()); }},
      {"our stop has no time left",
       [](Receiving& server, Client&) { server.streams->finish(Instant::min()); }},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Receiving server;
    Client client(server.tcp_at);
    client.send("a:1|c\nb:2|c|@0.2");
    server.drive_until_read(16);
    row.end(server, client);
    server.drive_until_open(0);
    CHECK(server.lines == Lines{"a:1|c"});
    CHECK(server.refused == Lines{"truncated b:2|c|@0.2"});
  }
}

TEST_CASE("streams: many busy connections have a small share of a turn each") {
  Receiving server;
  std::vector<Client> clients;
  for (int i = 0; i < 64; ++i) clients.emplace_back(server.tcp_at);
  server.drive_until_open(64);
  const std::string much(100'000, '\n');
  for (Client& client : clients) client.stuff(much);
  server.drive([&] { return server.counts().bytes > 0; });
  // One turn, or two where the kernel told of them in two parts.
  CHECK(server.counts().bytes <= 2 * (256 << 10));
}

TEST_CASE("streams: what arrived before a reset is read to its end, also when it is much") {
  Receiving server;
  Client client(server.tcp_at);
  server.drive_until_open(1);
  // Loopback moves bytes to the other side as they are sent, as far as there is room.
  REQUIRE(client.stuff(std::string(200'000, 'x')) == 200'000);
  client.reset();
  server.drive_until_open(0);
  CHECK(server.counts().bytes > (128 << 10));
  CHECK(server.refused.size() == 1);  // it is one line over the limit
}

TEST_CASE("streams: a client that comes and goes without a word leaves nothing") {
  for (const bool is_unix : {false, true}) {
    Receiving server;
    { const Client client(is_unix ? server.unix_at : server.tcp_at); }
    server.drive([&] { return server.counts().accepted == 1 && server.streams->open() == 0; });
    CHECK(server.counts() == ConnectionCounts{.accepted = 1});
    CHECK(server.lines.empty());
    CHECK(server.refused.empty());
  }
}

TEST_CASE("streams: an unfinished line counts after a silence, if it is whole as it stands") {
  Receiving server({.unfinished_after = 20ms});
  Client whole(server.tcp_at);
  Client cut(server.tcp_at);
  whole.send("a:1|c");
  cut.send("b:1|");
  server.drive([&] { return server.judged.size() >= 2; });
  CHECK(server.lines == Lines{"a:1|c"});
  Client later(server.tcp_at);
  later.send("c:1|c");
  server.drive_until_lines(2);
  // What is not whole waits on, and is asked about again only when there is more of it.
  cut.send("c\n");
  whole.send("|@0.1\n");
  server.drive_until_lines(4);
  std::ranges::sort(server.lines);
  CHECK(server.lines == Lines{"a:1|c", "b:1|c", "c:1|c", "|@0.1"});
  CHECK(std::ranges::count(server.judged, "b:1|") == 1);
}

TEST_CASE("streams: a frame that is not whole is never taken for a line") {
  Receiving server({.unfinished_after = 5ms});
  Client client(server.unix_at);
  Client other(server.tcp_at);
  client.send(frame("a:1|cc").substr(0, 9));
  server.drive_until_read(9);
  other.send("b:1|c");
  server.drive_until_lines(1);  // so the silence was long enough
  CHECK(server.judged == Lines{"b:1|c"});
  client.close();
  server.drive_until_open(1);
  CHECK(server.lines == Lines{"b:1|c"});
  CHECK(server.refused == Lines{"truncated a:1|c"});
}

TEST_CASE("streams: who is silent for too long is hung up on, who speaks is not") {
  Receiving server({.idle_timeout = 500ms});
  Client silent(server.tcp_at);
  Client busy(server.tcp_at);
  silent.send("a:1|c");
  server.drive([&] {
    busy.send("b\n");
    return server.streams->open() == 1 && silent.is_hung_up();
  });
  CHECK(server.counts().idle == 1);
  CHECK(std::ranges::count(server.lines, "a:1|c") == 1);
  CHECK_FALSE(busy.is_hung_up());
}

TEST_CASE("streams: HTTP and TLS are hung up on, and their bodies count nothing") {
  const std::string hellos[] = {
      "POST /metrics HTTP/1.1\r\nHost: a\r\n\r\na:1|c\nb:1|c\n",
      "GET / HTTP/1.1\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s,
  };
  for (const std::string& hello : hellos) {
    for (const bool is_unix : {false, true}) {
      CAPTURE(hello);
      Receiving server;
      Client browser(is_unix ? server.unix_at : server.tcp_at);
      browser.send(hello.substr(0, 2));
      server.drive_until_read(2);
      browser.send(hello.substr(2));
      server.drive_until_open(0);
      CHECK(browser.is_hung_up());
      CHECK(server.counts() ==
            ConnectionCounts{.accepted = 1, .not_statsd = 1, .bytes = hello.size()});
      CHECK(server.lines.empty());
      CHECK(server.refused.empty());
    }
  }
}

TEST_CASE("streams: a frame's length over the limit is refused and hung up on") {
  Receiving server;
  Client client(server.unix_at);
  client.send(frame("a:1|c") + "\x01\0\x01\0b:1|c\n"s);
  server.drive([&] { return client.is_hung_up(); });
  CHECK(server.counts().broken == 1);
  CHECK(server.lines == Lines{"a:1|c"});
  CHECK(server.refused == Lines{"line_too_long \x01\0\x01\0"s});
}

TEST_CASE("streams: a line over the limit is refused once, holds no memory, and the next counts") {
  Receiving server;
  Client client(server.tcp_at);
  const std::string part(10'000, 'x');
  for (std::size_t sent = 0; sent < 300'000; sent += part.size()) {
    client.send(part);
    server.drive_until_read(sent + part.size());
    CHECK(server.streams->bytes_held() <= 2 * Framing::line_bytes_max);
  }
  CHECK(server.streams->bytes_held() == 0);
  client.send("\na:1|c\n");
  server.drive_until_lines(1);
  CHECK(server.lines == Lines{"a:1|c"});
  CHECK(server.refused == Lines{"line_too_long " + std::string(256, 'x')});
}

TEST_CASE("streams: past the limit newcomers are hung up on, and a place that is freed is taken") {
  Receiving server({.connections_max = 2});
  Client first(server.tcp_at);
  const Client second(server.unix_at);
  server.drive_until_open(2);
  const Client third(server.tcp_at);
  server.drive([&] { return third.is_hung_up(); });
  CHECK(server.counts() == ConnectionCounts{.accepted = 2, .refused = 1});
  first.close();
  server.drive_until_open(1);
  Client fourth(server.tcp_at);
  fourth.send("a:1|c\n");
  server.drive_until_lines(1);
  CHECK(server.counts().accepted == 3);
}

TEST_CASE("streams: a peer that listen.allow does not name is hung up on; local ones may") {
  Receiving server({.allow = {parse_network("10.0.0.0/8").value()}});
  Client far(server.tcp_at);
  Client near(server.unix_at);
  far.send("a:1|c\n");
  near.send("b:1|c\n");
  server.drive([&] { return far.is_hung_up(); });
  server.drive_until_lines(1);
  CHECK(server.lines == Lines{"b:1|c"});
  CHECK(server.streams->take_counts()[0] == ConnectionCounts{.denied = 1});
  Receiving open(
      {.allow = {parse_network("10.0.0.0/8").value(), parse_network("127.0.0.1").value()}});
  Client allowed(open.tcp_at);
  allowed.send("a:1|c\n");
  open.drive_until_lines(1);
}

TEST_CASE("streams: in a turn of the loop each connection is read once, at most 64 KiB") {
  Receiving server;
  Client greedy(server.tcp_at);
  Client modest(server.tcp_at);
  server.drive_until_open(2);
  const std::size_t sent = greedy.stuff(std::string(300'000, '\n'));
  REQUIRE(sent > 3 * (64 << 10));
  modest.send("a:1|c\n");
  std::uint64_t before = 0;
  while (before < sent + 6) {
    server.loop.turn();
    const std::uint64_t bytes = server.counts().bytes;
    CHECK(bytes - before <= (64 << 10) + 6);
    before = bytes;
    if (bytes > 2 * (64 << 10)) CHECK(server.lines == Lines{"a:1|c"});
  }
}

TEST_CASE("streams: a rush of newcomers is let in bit by bit, while those who are in are read") {
  Receiving server;
  Client early(server.unix_at);
  server.drive_until_open(1);
  std::vector<Client> rush;
  rush.reserve(200);
  for (int i = 0; i < 200; ++i) rush.emplace_back(server.unix_at);
  early.send("a:1|c\n");
  server.loop.turn();
  CHECK(server.lines == Lines{"a:1|c"});
  CHECK(server.streams->open() < 100);
  server.drive_until_open(201);
}

TEST_CASE("streams: while no connection is open nothing wakes the loop") {
  Receiving server;
  server.loop.turn();
  CHECK(wakes_after(server.loop) == -1);
  Client client(server.tcp_at);
  server.drive_until_open(1);
  server.loop.turn();  // what is newly watched is told to the kernel at the next turn
  CHECK(wakes_after(server.loop) > 0);
  client.close();
  server.drive_until_open(0);
  server.loop.turn();
  CHECK(wakes_after(server.loop) == -1);
}

TEST_CASE("streams: out of file descriptors they wait a second instead of turning in circles") {
  Receiving server;
  const FileLimit limit(1024);
  Client client(server.tcp_at);
  client.send("a:1|c\n");
  const Descriptor next_free(dup(0));
  limit.set(static_cast<rlim_t>(next_free.get()));
  server.drive([&] { return server.counts().refused == 1; });
  for (int turns = 0; turns < 100; ++turns) server.loop.turn();
  CHECK(server.counts() == ConnectionCounts{.refused = 1});
  CHECK(wakes_after(server.loop) > 0);
  limit.set(1024);
  server.drive_until_lines(1);
  CHECK(server.counts().accepted == 1);
}

TEST_CASE("streams: a thousand clients that send a byte at a time hold less than 8 KiB each") {
  Receiving server;
  const FileLimit limit(4096);
  constexpr std::size_t clients_count = 1000;
  constexpr std::size_t bytes_each = 100;
  std::vector<Client> clients;
  clients.reserve(clients_count);
  const std::size_t before = mallinfo2().uordblks;
  while (clients.size() < clients_count) {
    clients.emplace_back(server.tcp_at);
    server.drive_until_open(clients.size());
  }
  for (std::size_t round = 1; round <= bytes_each; ++round) {
    for (Client& client : clients) client.send("x");
    server.drive_until_read(round * clients_count);
  }
  const std::size_t after = mallinfo2().uordblks;
  CHECK((after - before) / clients_count < 2048);
  CHECK(server.streams->bytes_held() / clients_count < 256);
  CHECK(server.streams->bytes_held() / clients_count >= bytes_each);
}

TEST_CASE(
    "streams: finish reads what has arrived, also of who was not let in yet, and closes all") {
  Receiving server;
  Client known(server.tcp_at);
  Client framed(server.unix_at);
  server.drive_until_open(2);
  const std::string much(50'000, '\n');  // within TCP's first window, so all of it arrives
  known.send(much + "a:1|c");
  framed.send(frame("b:1|c") + "\x05\0\0\0c:"s);
  std::vector<Client> waiting;
  for (int i = 0; i < 5; ++i) {
    waiting.emplace_back(i % 2 == 0 ? server.tcp_at : server.unix_at);
    waiting.back().send("d:1|c");
  }
  const ListenAddress address{"127.0.0.1", peer_of(server.tcp_at.storage).port};
  server.streams->finish(Instant::max());
  CHECK(server.lines.size() == 1 + 1 + 5);
  CHECK(std::ranges::count(server.lines, "a:1|c") == 1);
  CHECK(std::ranges::count(server.lines, "b:1|c") == 1);
  CHECK(std::ranges::count(server.lines, "d:1|c") == 5);
  CHECK(server.refused == Lines{"truncated c:"});
  CHECK(server.streams->open() == 0);
  CHECK(server.counts().accepted == 7);
  CHECK(known.is_hung_up());
  CHECK(waiting[0].is_hung_up());
  CHECK(StreamSocket::open_tcp(address));
  while (server.loop.turn()) {
  }
}

TEST_CASE("streams: finish hangs up on HTTP as ever") {
  Receiving server;
  Client browser(server.tcp_at);
  browser.send("POST / HTTP/1.1\r\n\r\na:1|c");
  server.streams->finish(Instant::max());
  CHECK(server.lines.empty());
  CHECK(server.counts().not_statsd == 1);
}

TEST_CASE("streams: destroyed while connections are open they leave the loop empty") {
  Receiving server;
  Client client(server.tcp_at);
  client.send("a:1");
  server.drive_until_read(3);
  server.streams.reset();
  CHECK(client.is_hung_up());
  CHECK(server.lines.empty());
}
