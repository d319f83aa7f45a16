// The demo on loopback: what its visitors and its StatsD daemon get to see.

#include "demo/demo.hpp"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "demo/load.hpp"
#include "http/server.hpp"
#include "process.hpp"

using namespace std::chrono_literals;
using namespace tally;
using namespace tally::demo;
using tally::testing::Process;

namespace {

Address loopback() {
  return resolve("127.0.0.1:0").value();
}

/// A loop that has to be empty at the end, and that fails a test rather than hang it.
struct TestLoop {
  uv::Loop loop;
  std::optional<uv::Timer> guard;

  TestLoop() {
    guard.emplace(loop, [this] {
      FAIL_CHECK("nothing happened for ten seconds");
      loop.stop();
    });
    guard->start(10s);
  }
  ~TestLoop() {
    guard.reset();
    CHECK_FALSE(loop.turn());
  }
};

/// The StatsD daemon's end of the wire.
struct Ear {
  Descriptor socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};

  explicit Ear(const Address& at = loopback()) {
    REQUIRE(bind(socket.get(), at.raw(), at.size) == 0);
  }
  Address address() const { return local_address(socket.get()); }

  std::vector<std::string> heard() {
    std::vector<std::string> datagrams;
    std::array<char, 2048> piece;
    for (;;) {
      const ssize_t got = recv(socket.get(), piece.data(), piece.size(), 0);
      if (got < 0) return datagrams;
      datagrams.emplace_back(piece.data(), static_cast<std::size_t>(got));
    }
  }
};

/// Sends `text` to a server on the same loop and returns all it says until it hangs up.
std::string exchange(uv::Loop& loop, const Address& server, std::string_view text) {
  const Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(connect(socket.get(), server.raw(), server.size) == 0);  // the backlog takes it
  REQUIRE(send(socket.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
  std::string answer;
  uv::Poll poll(loop, socket.get(), [&](int) {
    std::array<char, 4096> piece;
    const ssize_t got = recv(socket.get(), piece.data(), piece.size(), MSG_DONTWAIT);
    if (got > 0) answer.append(piece.data(), static_cast<std::size_t>(got));
    if (got == 0) loop.stop();
  });
  poll.watch(UV_READABLE);
  loop.run();
  return answer;
}

std::size_t occurrences(std::string_view text, std::string_view of) {
  std::size_t count = 0;
  for (std::size_t at = text.find(of); at != text.npos; at = text.find(of, at + 1)) ++count;
  return count;
}

std::string get(std::string_view method, std::string_view path) {
  return std::string(method) + " " + std::string(path) +
         " HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
}

/// A server of the test's own.
struct TestServer {
  http::Server server;
  Address address;

  TestServer(uv::Loop& loop, Handler handler)
      : server(loop, {.limits = {.body_bytes_max = 1 << 20}, .headers = {}},
               http::answering(std::move(handler))) {
    std::vector<StreamSocket> listeners;
    listeners.push_back(listen_on("127.0.0.1:0").value());
    address = local_address(listeners.front().fd());
    REQUIRE_FALSE(server.serve(std::move(listeners)));
  }
};

/// The service and its daemon, wired as tallyd-demo wires them, with a clock of the test's own.
struct Service : TestLoop {
  Ear ear;
  StatsdClient statsd = StatsdClient::open(ear.address()).value();
  Greeter greeter;
  Instant now{};
  std::chrono::microseconds work{0};  // that a request takes, by `now`
  TestServer server{loop, measured(
                              [this](const http::Request& request) {
                                now += work;
                                return greeter.answer(request);
                              },
                              statsd, [this] { return now; })};

  std::string ask(std::string_view text) { return exchange(loop, server.address, text); }
};

}  // namespace

TEST_CASE("demo: each request gets the answer its method and path deserve") {
  struct Row {
    const char* name;
    const char* method;
    const char* path;
    const char* status;
    const char* header;
    const char* body;
  };
  const Row rows[] = {
      {"the page", "GET", "/", "200 OK", "Content-Length: 12", "Hello World!"},
      {"its query is ignored", "GET", "/?a=b", "200 OK", "Content-Length: 12", "Hello World!"},
      {"HEAD: the length of the body and no body", "HEAD", "/", "200 OK", "Content-Length: 12", ""},
      {"unknown path", "GET", "/favicon.ico", "404 Not Found", "Content-Length",
       "not found; try /\n"},
      {"HEAD of an unknown path", "HEAD", "/x", "404 Not Found", "Content-Length: 17", ""},
      {"POST", "POST", "/", "405 Method Not Allowed", "Allow: GET, HEAD", "only GET and HEAD\n"},
      {"DELETE", "DELETE", "/", "405 Method Not Allowed", "Allow: GET, HEAD",
       "only GET and HEAD\n"},
  };
  Service service;
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const std::string answer = service.ask(get(row.method, row.path));
    CAPTURE(answer);
    const std::size_t head_end = answer.find("\r\n\r\n");
    REQUIRE(head_end != answer.npos);
    CHECK(answer.starts_with("HTTP/1.1 " + std::string(row.status) + "\r\n"));
    CHECK(answer.substr(0, head_end).find(row.header) != answer.npos);
    CHECK(answer.substr(head_end + 4) == row.body);
  }
  CHECK(service.ear.heard().size() == std::size(rows));  // also what was not found was a request
}

TEST_CASE("demo: a refused body is read, so that the answer arrives and the connection lives on") {
  Service service;
  const std::string body(100'000, 'x');
  const std::string answer = service.ask(
      "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\n" + body + get("GET", "/"));
  CHECK(answer.starts_with("HTTP/1.1 405 "));
  CHECK(answer.ends_with("Hello World!"));
}

TEST_CASE("demo: requests sent all at once on one connection are all answered") {
  // They arrive in one read; epoll says nothing of the rest, only a timeout of 0 does.
  Service service;
  std::string requests;
  for (int i = 0; i < 50; ++i) requests += "GET / HTTP/1.1\r\nHost: test\r\n\r\n";
  const std::string answer = service.ask(requests + get("GET", "/"));
  CHECK(occurrences(answer, "Hello World!") == 51);
  CHECK(service.ear.heard().size() == 51);
}

TEST_CASE("demo: a request is counted and timed around the handler, in one datagram") {
  Service service;
  service.work = 12'345us;
  service.ask(get("GET", "/"));
  service.work = 0us;
  service.ask(get("GET", "/"));
  CHECK(service.ear.heard() ==
        std::vector<std::string>{"count_request:1|c\nresponse_time:12.3450|ms",
                                 "count_request:1|c\nresponse_time:0.0000|ms"});
}

TEST_CASE("demo: a greeting takes real time, and not always the same") {
  Ear ear;
  StatsdClient statsd = StatsdClient::open(ear.address()).value();
  Greeter greeter;
  const auto handler =
      measured([&](const http::Request& request) { return greeter.answer(request); }, statsd,
               std::chrono::steady_clock::now);
  for (int i = 0; i < 20; ++i) CHECK(handler({.method = "GET", .path = "/"}).status == 200);
  const std::vector<std::string> datagrams = ear.heard();
  REQUIRE(datagrams.size() == 20);
  const std::vector<std::string> same(20, datagrams.front());
  CHECK(datagrams != same);
  for (const std::string& datagram : datagrams) {
    const double ms = std::stod(datagram.substr(datagram.rfind(':') + 1));
    CHECK(ms > 0);
  }
}

TEST_CASE("statsd client: nobody listening costs nothing, and who comes later hears everything") {
  std::optional<Ear> ear(std::in_place);
  const Address address = ear->address();
  StatsdClient statsd = StatsdClient::open(address).value();
  ear.reset();
  REQUIRE(tally::testing::eventually(10s, [&] {
    statsd.send({"a:1|c"});
    return statsd.lost() > 0;
  }));
  statsd.send({"b:1|c"});

  ear.emplace(address);
  statsd.send({"c:1|c"});  // the news of b's loss must not keep c back
  CHECK(ear->heard() == std::vector<std::string>{"c:1|c"});
}

TEST_CASE("listen_on: a port in use is an error with the port and the cure") {
  const Service service;
  const auto second = listen_on(to_string(service.server.address));
  REQUIRE_FALSE(second);
  CHECK(second.error().message.find(to_string(service.server.address)) != std::string::npos);
  CHECK(second.error().message.find("--listen") != std::string::npos);
}

TEST_CASE("load: visits the server at its rate and counts what it got") {
  TestLoop test;
  int requests = 0;
  const TestServer server(test.loop, [&](const http::Request& request) {
    ++requests;
    return Greeter().answer(request);
  });
  Load load(test.loop, server.address, 200);
  const std::uint64_t begin_ms = uv_now(test.loop.raw());
  uv::Timer watch(test.loop, [&] {
    if (load.answered() >= 40) test.loop.stop();
  });
  watch.start(1ms, 1ms);
  test.loop.run();
  const auto due = (uv_now(test.loop.raw()) - begin_ms) * 200 / 1000;
  CHECK(load.answered() <= due + 1);
  CHECK(load.answered() <= static_cast<std::uint64_t>(requests));
  CHECK(load.failed() == 0);
}

TEST_CASE("load: a server that refuses or answers badly is counted as failed") {
  TestLoop test;
  const TestServer server(test.loop,
                          [](const http::Request&) { return http::Response{.status = 404}; });
  const Address nobody = local_address(listen_on("127.0.0.1:0").value().fd());
  Load not_found(test.loop, server.address, 1000);
  Load refused(test.loop, nobody, 1000);
  uv::Timer watch(test.loop, [&] {
    if (not_found.failed() >= 5 && refused.failed() >= 5) test.loop.stop();
  });
  watch.start(1ms, 1ms);
  test.loop.run();
  CHECK(not_found.answered() == 0);
  CHECK(refused.answered() == 0);
}

TEST_CASE("address: what can be listened on, and what is refused with the offender quoted") {
  for (const char* good : {"127.0.0.1:3000", "[::1]:3000", "0.0.0.0:0"}) {
    CAPTURE(good);
    const Result<Address> address = resolve(good);
    REQUIRE(address);
    CHECK(to_string(address.value()) == good);
  }
  for (const char* bad :
       {"", "3000", ":3000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http\n", "[]:1"}) {
    CAPTURE(bad);
    const Result<Address> address = resolve(bad);
    REQUIRE_FALSE(address);
    CHECK(address.error().message.starts_with('"'));
    CHECK(address.error().message.find('\n') == std::string::npos);
  }
}

TEST_CASE("tallyd-demo: says where it listens, and ends with 0 on SIGTERM and SIGINT") {
  for (const int number : {SIGTERM, SIGINT}) {
    CAPTURE(number);
    const Ear ear;
    Process program(
        {.path = TALLYD_DEMO,
         .arguments = {"--listen", "127.0.0.1:0", "--statsd", to_string(ear.address())}});
    REQUIRE(program.wait_for_log("sending metrics to", 10s));
    const std::string said = program.log();
    const std::size_t at = said.find("listening on http://") + 20;
    TestLoop test;
    const Result<Address> address = resolve(said.substr(at, said.find('\n', at) - at));
    REQUIRE(address);
    // Also proves that it is in its loop, where signals are heard.
    CHECK(exchange(test.loop, address.value(), get("GET", "/")).ends_with("Hello World!"));
    program.signal(number);
    CHECK(program.wait(10s) == 0);
    CHECK(program.log().find("stopped; metrics: 1 datagrams sent, 0 known lost") != said.npos);
  }
}

TEST_CASE("tallyd-demo: what cannot work ends at once with one line and a status") {
  TestLoop test;
  const TestServer other(test.loop, [](const http::Request&) { return http::Response{}; });
  struct Row {
    const char* name;
    std::vector<std::string> arguments;
    int status;
    const char* says;
  };
  const Row rows[] = {
      {"a port in use", {"--listen", to_string(other.address)}, 1, "has the port: find it with"},
      {"no address", {"--listen", "here"}, 1, "\"here\" is no address"},
      {"no statsd address", {"--statsd", "there"}, 1, "--statsd: \"there\""},
      {"a foreign address", {"--listen", "192.0.2.1:0"}, 1, "or set --listen"},
      {"an unknown option", {"--lisen", "x"}, 2, "see --help"},
      {"a rate that is no number", {"--load", "many"}, 2, "see --help"},
      {"a rate out of range", {"--load", "10001"}, 2, "at most 10000"},
      {"a stray argument", {"run"}, 2, "see --help"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Process program({.path = TALLYD_DEMO, .arguments = row.arguments});
    CHECK(program.wait(10s) == row.status);
    CAPTURE(program.log());
    CHECK(program.log().find(row.says) != std::string::npos);
    CHECK(occurrences(program.log(), "\n") == 1);
    CHECK(program.output().empty());
  }
}

TEST_CASE("tallyd-demo: help and version go to standard output") {
  const std::pair<const char*, const char*> rows[] = {
      {"--help", "--statsd HOST:PORT"}, {"-h", "--load RATE"}, {"--version", "tallyd-demo "}};
  for (const auto& row : rows) {
    CAPTURE(row.first);
    Process program({.path = TALLYD_DEMO, .arguments = {row.first}});
    CHECK(program.wait(10s) == 0);
    CHECK(program.output().find(row.second) != std::string::npos);
    CHECK(program.log().empty());
  }
}
