// The management interface on real sockets: who is answered, in which order, and who is hung up on.
#include "watch/admin.hpp"

#include <doctest/doctest.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "fake_insight.hpp"
#include "receive/socket_address.hpp"

using namespace tally;
using namespace std::chrono_literals;
using namespace std::string_literals;
using testing::FakeInsight;
using testing::series_key;

// Every Loop of these tests ends empty: its destructor asserts it.

namespace {

/// A client that blocks when it connects and writes, and not when it reads.
class Client {
 public:
  explicit Client(const ListenAddress& to)
      : fd_(::socket(to_socket_address(to).storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const SocketAddress address = to_socket_address(to);
    REQUIRE(connect(fd_.get(), address.get(), address.size) == 0);
  }

  void send(std::string_view bytes) {
    REQUIRE(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(bytes.size()));
  }
  void half_close() { REQUIRE(shutdown(fd_.get(), SHUT_WR) == 0); }
  void reset() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    REQUIRE(setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    fd_ = Descriptor(-1);
  }

  /// All that came so far.
  const std::string& heard() {
    std::array<char, 65536> buffer;
    for (ssize_t got; !is_over_; heard_.append(buffer.data(), static_cast<std::size_t>(got))) {
      got = recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (got < 0 && errno == EAGAIN) break;
      is_over_ = got <= 0;
      if (is_over_) break;
    }
    return heard_;
  }
  bool is_hung_up() {
    heard();
    return is_over_;
  }

 private:
  Descriptor fd_;
  std::string heard_;
  bool is_over_ = false;
};

/// A port with a fake daemon behind it.
class Serving {
 public:
  explicit Serving(const AdminPort::Settings& settings = {}) {
    LoadedConfig loaded;
    loaded.config.admin.listen = ListenAddress{"127.0.0.1", 0};
    Result<AdminListeners> opened = open_admin(loaded);
    REQUIRE(opened);
    REQUIRE(opened.value().warnings.empty());
    add("a.x");
    add("a.y");
    port.emplace(loop, std::move(opened.value().sockets), settings,
                 AdminPort::Around{.insight = insight,
                                   .known = [](const auto&) { return std::vector<AdminName>(); },
                                   .log = log});
    at = port->addresses().at(0);
  }

  void add(std::string_view name) {
    insight.open_window.push_back(
        {.kind = Kind::counter, .key = series_key(Kind::counter, name), .number = 1});
  }

  /// Turns the loop until `is_true`.
  void drive(const std::function<bool()>& is_true) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!is_true()) {
      if (std::chrono::steady_clock::now() > deadline) FAIL("waited in vain");
      loop.turn();
    }
  }
  void drive_until_hung_up(Client& client) {
    drive([&] { return client.is_hung_up(); });
  }
  void drive_until_read(std::uint64_t commands) {
    drive([&] { return port->counts().commands >= commands; });
  }
  void drive_until_open(std::size_t connections) {
    drive([&] { return port->open() == connections; });
  }
  /// Waits for as many bytes as `wanted` has; they may be others.
  void drive_until_heard(Client& client, std::string_view wanted) {
    drive([&] { return client.is_hung_up() || client.heard().size() >= wanted.size(); });
  }
  /// REQUIREs that `client` hears this, and nothing before.
  void check_heard(Client& client, std::string_view wanted) {
    drive_until_heard(client, wanted);
    CHECK(client.heard() == wanted);
  }

  std::string text() const { return log_text.str(); }

  std::ostringstream log_text;
  spdlog::logger log{"test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_text)};
  FakeInsight insight;
  uv::Loop loop;
  ListenAddress at;
  std::optional<AdminPort> port;
};

const std::string counters = "{\n  'a.x': 1,\n  'a.y': 1\n}\nEND\n\n";

std::size_t occurrences(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (auto found = text.find(part); found != text.npos; found = text.find(part, found + 1))
    ++count;
  return count;
}

LoadedConfig listening_on(const ListenAddress& address, bool is_explicit) {
  LoadedConfig loaded;
  loaded.config.admin.listen = address;
  if (is_explicit) loaded.origins["admin.listen"] = "--set";
  return loaded;
}

}  // namespace

TEST_CASE("admin port: several commands in one connection are answered in order, CRLF or LF") {
  Serving serving;
  Client client(serving.at);
  client.send("counters\r\nhealth\nnonsense\n");
  serving.check_heard(client, counters + "health: up\nERROR\n");
  client.send("delcounters a.x a.z\r\n");
  serving.check_heard(client,
                      counters + "health: up\nERROR\ndeleted: a.x\nmetric a.z not found\nEND\n\n");
  CHECK(serving.port->counts() == AdminCounts{.accepted = 1, .commands = 4});
  CHECK_FALSE(client.is_hung_up());
}

TEST_CASE("admin port: who listens where is logged") {
  Serving serving;
  CHECK(serving.text().find("admin " + to_string(serving.at) + ": listening\n") !=
        std::string::npos);
}

TEST_CASE("admin port: a line in many pieces is one command") {
  Serving serving;
  Client client(serving.at);
  for (const char c : "counters\n"s) {
    client.send({&c, 1});
    serving.loop.turn();
  }
  serving.check_heard(client, counters);
}

TEST_CASE("admin port: blank lines get no answer, for the Nagios check sends one") {
  Serving serving;
  Client client(serving.at);
  client.send("\n\r\nhealth\n\n");
  client.half_close();
  serving.drive_until_hung_up(client);
  CHECK(client.heard() == "health: up\n");
}

TEST_CASE("admin port: a client that ends its side is answered all it asked, then hung up on") {
  Serving serving;
  serving.insight.answers_later = true;
  Client client(serving.at);
  client.send("delcounters a.x\nhealth");  // the last without a line end
  client.half_close();
  serving.drive([&] { return serving.insight.owed() == 1; });
  serving.insight.answer_one();
  serving.drive_until_hung_up(client);
  CHECK(client.heard() == "deleted: a.x\nEND\n\nhealth: up\n");
  CHECK(serving.port->open() == 0);
}

TEST_CASE("admin port: a question without a line end is answered after a silence") {
  Serving serving({.unfinished_after = 1ms});
  Client client(serving.at);
  client.send("health");
  serving.check_heard(client, "health: up\n");
  client.send("\ncounters");  // the first ends what was answered already
  serving.check_heard(client, "health: up\n" + counters);
}

TEST_CASE("admin port: what changes something waits for its line end") {
  Serving serving({.unfinished_after = 1ms});
  Client client(serving.at);
  client.send("delcounters a.");
  Client other(serving.at);
  other.send("health");  // later, so that the first has been silent for long enough
  serving.check_heard(other, "health: up\n");
  CHECK(serving.port->counts().commands == 1);
  client.send("x\n");
  serving.check_heard(client, "deleted: a.x\nEND\n\n");
}

TEST_CASE("admin port: quit hangs up when what was asked before is answered") {
  Serving serving;
  Client client(serving.at);
  client.send("counters\nquit\n");
  serving.drive_until_hung_up(client);
  CHECK(client.heard() == counters);
}

TEST_CASE("admin port: HTTP and TLS are hung up on and change nothing, however they come") {
  const std::string post =
      "POST / HTTP/1.1\r\nHost: 127.0.0.1:8126\r\nContent-Type: text/plain\r\n"
      "Content-Length: 15\r\n\r\ndelcounters *\r\n";
  struct Row {
    const char* name;
    std::string bytes;
  };
  const Row rows[] = {
      {"POST", post},
      {"GET", "GET /%0adelcounters%20* HTTP/1.1\r\n\r\ndelcounters *\r\n"},
      {"a method of WebDAV", "PROPFIND / HTTP/1.1\r\n\r\ndelcounters *\r\n"},
      {"a method that is a command", "delcounters * HTTP/1.1\r\n\r\ndelcounters *\r\n"},
      {"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\ndelcounters *\r\n"},
      {"TLS", "\x16\x03\x01\x02\x00\x01\n\ndelcounters *\r\n"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    for (const bool in_pieces : {false, true}) {
      CAPTURE(in_pieces);
      Serving serving;
      Client client(serving.at);
      serving.drive_until_open(1);
      for (std::size_t i = 0; i < row.bytes.size() && serving.port->open() == 1; ++i) {
        client.send(in_pieces ? row.bytes.substr(i, 1) : row.bytes);
        if (in_pieces) serving.loop.turn();
        if (!in_pieces) break;
      }
      serving.drive_until_hung_up(client);
      CHECK(client.heard().empty());
      CHECK(serving.port->counts() == AdminCounts{.accepted = 1, .foreign = 1});
      CHECK(serving.insight.open_window.size() == 2);
    }
  }
}

TEST_CASE("admin port: a flood of HTTP is counted, and logged once in a while") {
  Serving serving;
  for (std::uint64_t i = 1; i <= 100; ++i) {
    Client client(serving.at);
    client.send("GET / HTTP/1.1\r\n\r\n");
    serving.drive([&] { return serving.port->counts().foreign == i; });
  }
  CHECK(occurrences(serving.text(), "spoke HTTP or TLS") == 1);
}

TEST_CASE("admin port: who changes something is logged, quoted") {
  Serving serving;
  Client client(serving.at);
  client.send("counters\ndelcounters a.\x1b[31m\n");
  serving.drive_until_read(2);
  CHECK(serving.text().find("says \"delcounters a.\\x1B[31m\"\n") != std::string::npos);
  CHECK(occurrences(serving.text(), "says") == 1);
}

TEST_CASE("admin port: of several changes in a row each is logged") {
  Serving serving;
  Client client(serving.at);
  client.send("delcounters a\ndelcounters *\nhealth down\n");
  serving.drive_until_read(3);
  for (const std::string line : {"delcounters a", "delcounters *", "health down"})
    CHECK(serving.text().find("says \"" + line + "\"\n") != std::string::npos);
}

TEST_CASE("admin port: who is not in admin.allow is hung up on, counted and logged") {
  Serving serving({.allow = {parse_network("10.0.0.0/8").value()}});
  Client client(serving.at);
  client.send("delcounters *\n");
  serving.drive_until_hung_up(client);
  CHECK(client.heard().empty());
  CHECK(serving.port->counts() == AdminCounts{.denied = 1});
  CHECK(serving.insight.open_window.size() == 2);
  CHECK(serving.text().find("admin.allow does not name it") != std::string::npos);

  Serving open({.allow = {parse_network("127.0.0.0/8").value()}});
  Client welcome(open.at);
  welcome.send("health\n");
  open.check_heard(welcome, "health: up\n");
}

TEST_CASE("admin port: one too many takes the place of the one that was silent longest") {
  Serving serving({.connections_max = 2, .silent_least = 0ms});
  Client oldest(serving.at);
  serving.drive_until_open(1);
  Client busy(serving.at);
  serving.drive_until_open(2);
  oldest.send("health\n");  // so it is the other one that was silent longest
  serving.check_heard(oldest, "health: up\n");
  Client newcomer(serving.at);
  newcomer.send("health\n");
  serving.check_heard(newcomer, "health: up\n");
  CHECK(busy.is_hung_up());
  CHECK_FALSE(oldest.is_hung_up());
  CHECK(serving.port->counts() == AdminCounts{.accepted = 3, .idle = 1, .commands = 2});
}

TEST_CASE("admin port: one too many is refused while the others are at work or just came") {
  Serving serving({.connections_max = 1});
  Client first(serving.at);
  serving.drive_until_open(1);
  Client second(serving.at);
  serving.drive_until_hung_up(second);
  CHECK(serving.port->counts().refused == 1);

  Serving busy({.connections_max = 1, .silent_least = 0ms});
  busy.insight.answers_later = true;
  Client worker(busy.at);
  worker.send("counters\n");
  busy.drive_until_read(1);
  Client refused(busy.at);
  busy.drive_until_hung_up(refused);
  CHECK(busy.port->counts().refused == 1);
  CHECK(busy.text().find("1 connections are open, and none is idle") != std::string::npos);
  busy.insight.answer_one();
  busy.check_heard(worker, counters);
}

TEST_CASE("admin port: a client that asks nothing is hung up on, also if it sends blank lines") {
  Serving serving({.idle_timeout = 20ms});
  Client client(serving.at);
  serving.drive_until_open(1);
  serving.drive([&] {
    if (!client.is_hung_up()) client.send("\n");
    return serving.port->open() == 0;
  });
  CHECK(serving.port->counts() == AdminCounts{.accepted = 1, .idle = 1});
}

TEST_CASE("admin port: a line that is too long is the end") {
  Serving serving;
  Client fits(serving.at);
  fits.send("health" + std::string(AdminPort::line_bytes_max - 6, ' ') + "\n");
  serving.check_heard(fits, "health: up\n");
  Client client(serving.at);
  client.send(std::string(AdminPort::line_bytes_max + 1, 'x'));
  serving.drive_until_hung_up(client);
  CHECK(serving.port->counts() == AdminCounts{.accepted = 2, .overlong = 1, .commands = 1});
}

TEST_CASE("admin port: a client that does not read keeps no one from being answered, and is left") {
  Serving serving({.read_within = 200ms, .bytes_waiting_max = 64 << 20});
  for (int i = 0; i < 9000; ++i) serving.add(std::to_string(i) + std::string(500, 'x'));
  Client deaf(serving.at);
  for (int i = 0; i < 10; ++i) deaf.send("counters\n");
  serving.drive_until_read(1);
  Client other(serving.at);
  other.send("health\n");
  serving.check_heard(other, "health: up\n");
  // Some answers fit into the kernel's buffers, never all.
  serving.drive([&] { return serving.port->counts().unread == 1; });
  CHECK(serving.port->open() == 1);
}

TEST_CASE("admin port: while much waits to be read no command is obeyed; a large answer is whole") {
  Serving serving({.bytes_waiting_max = 1 << 20});
  for (int i = 0; i < 9000; ++i) serving.add(std::to_string(i) + std::string(900, 'x'));
  Client slow(serving.at);
  slow.send("counters\n");
  serving.drive_until_read(1);
  for (int i = 0; i < 100; ++i) serving.loop.turn();  // the kernel has taken what it takes
  Client other(serving.at);
  other.send("health\n");
  serving.drive_until_read(2);
  for (int i = 0; i < 100; ++i) serving.loop.turn();
  CHECK(other.heard().empty());
  serving.drive([&] { return slow.heard().ends_with("END\n\n"); });
  CHECK(occurrences(slow.heard(), ": 1") == 9002);
  serving.check_heard(other, "health: up\n");
}

TEST_CASE("admin port: of all clients one command is at work at a time") {
  Serving serving;
  serving.insight.answers_later = true;
  Client first(serving.at);
  first.send("counters\n");
  serving.drive([&] { return serving.insight.owed() == 1; });
  Client second(serving.at);
  second.send("counters\n");
  serving.drive_until_read(2);
  CHECK(serving.insight.owed() == 1);
  serving.insight.answer_one();
  CHECK(serving.insight.owed() == 1);
  serving.insight.answer_one();
  serving.check_heard(first, counters);
  serving.check_heard(second, counters);
}

TEST_CASE("admin port: a client that is gone takes nobody with it, and what it said is done") {
  Serving serving;
  serving.insight.answers_later = true;
  Client gone(serving.at);
  gone.send("delcounters a.x\n");
  serving.drive([&] { return serving.insight.owed() == 1; });
  gone.reset();
  Client other(serving.at);
  other.send("counters\n");
  serving.drive_until_read(2);
  serving.insight.answer_one();
  serving.insight.answer_one();
  serving.check_heard(other, "{\n  'a.y': 1\n}\nEND\n\n");
  serving.drive_until_open(1);
}

TEST_CASE("admin port: health is said to whoever asks") {
  Serving serving;
  Client client(serving.at);
  CHECK(serving.port->is_up());
  client.send("health down\n");
  serving.check_heard(client, "health: down\n");
  CHECK_FALSE(serving.port->is_up());
  Client other(serving.at);
  other.send("health\nhealth up\n");
  serving.check_heard(other, "health: down\nhealth: up\n");
  CHECK(serving.port->is_up());
}

TEST_CASE("admin port: closed, it hangs up and listens no more, and a late answer is no harm") {
  Serving serving;
  serving.insight.answers_later = true;
  Client client(serving.at);
  client.send("counters\n");
  serving.drive([&] { return serving.insight.owed() == 1; });
  serving.port->close();
  CHECK(client.is_hung_up());
  serving.insight.answer_one();
  CHECK(serving.port->open() == 0);
  const SocketAddress address = to_socket_address(serving.at);
  const Descriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK(connect(fd.get(), address.get(), address.size) != 0);
}

TEST_CASE("admin port: while no one is connected nothing wakes the loop") {
  Serving serving;
  {
    Client client(serving.at);
    serving.drive_until_open(1);
  }
  serving.drive_until_open(0);
  uv_update_time(serving.loop.raw());
  CHECK(uv_backend_timeout(serving.loop.raw()) == -1);
}

TEST_CASE(
    "admin port: a default port that is taken is done without; one that was set is an error") {
  const Result<AdminListeners> first = open_admin(listening_on({"127.0.0.1", 0}, true));
  REQUIRE(first);
  const ListenAddress taken = first.value().sockets.at(0).address();

  const Result<AdminListeners> done_without = open_admin(listening_on(taken, false));
  REQUIRE(done_without);
  CHECK(done_without.value().sockets.empty());
  REQUIRE(done_without.value().warnings.size() == 1);
  CHECK(done_without.value().warnings[0] ==
        "tcp " + to_string(taken) +
            ": cannot listen: Address already in use; another program (another tallyd?) has the "
            "port: find it with `ss -ltnp 'sport = :" +
            std::to_string(taken.port) +
            "'` and stop it, or set admin.listen to another port (or to \"\", for none); going on "
            "without the management interface, nothing else is affected");

  const Result<AdminListeners> refused = open_admin(listening_on(taken, true));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.ends_with("or set admin.listen to another port"));
}

TEST_CASE("admin port: localhost is both loopbacks, and nothing is nothing") {
  const Result<AdminListeners> both = open_admin(listening_on({"localhost", 0}, true));
  REQUIRE(both);
  CHECK(both.value().sockets.size() + both.value().warnings.size() == 2);
  LoadedConfig off;
  off.config.admin.listen.reset();
  const Result<AdminListeners> none = open_admin(off);
  REQUIRE(none);
  CHECK(none.value().sockets.empty());
  CHECK(none.value().warnings.empty());
}
