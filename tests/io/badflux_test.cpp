// The fault server itself, by raw sockets and by a real HTTP client.

#include "badflux.hpp"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "http_client.hpp"
#include "process.hpp"

using namespace tally::testing;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::seconds patience{20};
constexpr const char* one_line = "hits.count count=2,rate=4 1700000000\n";

// A client that does nothing by itself.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    REQUIRE(fd_ >= 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval limit{.tv_sec = 10, .tv_usec = 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    const auto* const to = reinterpret_cast<const sockaddr*>(&address);
    error_ = ::connect(fd_, to, sizeof address) == 0 ? 0 : errno;
  }
  ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  int error() const { return error_; }  ///< of the last step, 0 if it went well
  void send(std::string_view bytes) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    error_ = sent < 0 ? errno : 0;
  }
  /// At most `most` bytes, fewer if the connection ends before.
  std::string receive(std::size_t most) {
    std::string all(most, '\0');
    const ssize_t got = ::recv(fd_, all.data(), most, MSG_WAITALL);
    error_ = got < 0 ? errno : 0;
    all.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return all;
  }
  std::string receive_all() { return receive(1 << 20); }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
  int error_ = 0;
};

std::string write_of(std::string_view body) {
  return "POST /write?db=metric&precision=s HTTP/1.1\r\nHost: x\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

HttpAnswer post(const Badflux& server, const std::string& body) {
  return http_request({.url = server.url() + "/write?db=metric&precision=s", .form = body});
}

}  // namespace

TEST_CASE("badflux: connections are refused until it listens, and again after it stopped") {
  Badflux server;
  CHECK(RawClient(server.port()).error() == ECONNREFUSED);
  server.listen();
  RawClient open(server.port());
  CHECK(open.error() == 0);
  CHECK(post(server, one_line).status == 204);
  server.stop_listening();
  CHECK(RawClient(server.port()).error() == ECONNREFUSED);
  open.receive(1);
  CHECK(open.error() == ECONNRESET);
  server.listen();
  CHECK(post(server, one_line).status == 204);
  CHECK(server.connects().size() == 3);
}

TEST_CASE("badflux: a connection may be reset at accept, or never read") {
  Badflux server;
  server.listen();
  server.welcome(Welcome::reset);
  RawClient first(server.port());
  first.receive(1);
  CHECK(first.error() == ECONNRESET);
  server.welcome(Welcome::ignore);
  RawClient second(server.port());
  second.send(write_of(one_line));
  REQUIRE(eventually(patience, [&] { return server.connects().size() == 2; }));
  second.close();
  server.welcome(Welcome::read);
  CHECK(post(server, one_line).status == 204);
  CHECK(server.request_count() == 1);
}

TEST_CASE("badflux: queued behaviours come first, then the script, then the emulated server") {
  Badflux server;
  server.listen();
  server.set_script(
      [](const HttpMessage& head) { return head.path() == "/ping" ? answer(418) : serve(); });
  server.next(answer(503, "busy", {"Retry-After: 7"}), 2);
  CHECK(post(server, one_line).status == 503);
  CHECK(post(server, one_line).body == "busy");
  CHECK(server.stored().points() == 0);
  CHECK(post(server, one_line).status == 204);
  CHECK(http_get(server.url() + "/ping").status == 418);
  CHECK(server.sum("hits.count") == 2);
  CHECK(server.sum("hits.count", "rate") == 4);
}

TEST_CASE("badflux: a request is recorded with all that came of it") {
  Badflux server;
  server.listen();
  RawClient client(server.port());
  client.send(write_of(one_line) + write_of("# nothing\n"));  // two on one connection, at once
  const std::string wanted = "HTTP/1.1 204 Whatever\r\nX-Influxdb-Version: 1.6.7~rc0\r\n\r\n";
  CHECK(client.receive(2 * wanted.size()) == wanted + wanted);
  const std::vector<HttpMessage> requests = server.requests();
  REQUIRE(requests.size() == 2);
  CHECK(requests[0].method == "POST");
  CHECK(requests[0].target == "/write?db=metric&precision=s");
  CHECK(requests[0].path() == "/write");
  CHECK(requests[0].parameter("precision") == "s");
  CHECK(requests[0].header("host") == "x");
  CHECK(requests[0].body == one_line);
  CHECK(requests[0].is_whole);
  CHECK(requests[1].connection == 0);
  CHECK(server.in_flight_max() == 1);
}

TEST_CASE("badflux: requests begun and not answered are counted, those given up are not") {
  Badflux server;
  server.listen();
  server.set_script(mute());
  RawClient first(server.port());
  first.send(write_of(one_line));
  REQUIRE(eventually(patience, [&] { return server.request_count() == 1; }));
  first.close();
  RawClient second(server.port());
  second.send(write_of(one_line));
  REQUIRE(eventually(patience, [&] { return server.request_count() == 2; }));
  CHECK(server.in_flight_max() == 1);
  RawClient third(server.port());
  third.send(write_of(one_line));
  REQUIRE(eventually(patience, [&] { return server.in_flight_max() == 2; }));
}

TEST_CASE("badflux: a request is cut at its byte, and nothing of it is stored") {
  Badflux server;
  server.listen();
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{20}}) {
    CAPTURE(bytes);
    server.next(cut_request(bytes));
    RawClient client(server.port());
    const std::string request = write_of(one_line);
    const std::size_t head = request.find("\r\n\r\n") + 4;
    client.send(request.substr(0, head + bytes));  // not one more is waited for
    client.receive(1);
    CHECK(client.error() == ECONNRESET);
    CHECK(server.requests().back().bytes_sent == bytes);
    CHECK(!server.requests().back().is_whole);
  }
  CHECK(server.stored().points() == 0);
}

TEST_CASE("badflux: an answer may be lost after the points were stored, or come in part") {
  Badflux server;
  server.listen();
  server.next(swallow());
  RawClient lost(server.port());
  lost.send(write_of(one_line));
  CHECK(lost.receive_all().empty());
  CHECK(server.sum("hits.count") == 2);
  server.next(cut_answer(12));
  RawClient part(server.port());
  part.send(write_of(one_line));
  CHECK(part.receive_all() == "HTTP/1.1 204");
  server.next(reset());
  RawClient broken(server.port());
  broken.send(write_of(one_line));
  broken.receive(1);
  CHECK(broken.error() == ECONNRESET);
  CHECK(server.stored().resent() == 1);
  CHECK(server.stored().points() == 1);
}

TEST_CASE("badflux: an answer may be late, and come byte by byte") {
  Badflux server;
  server.listen();
  const auto begin = std::chrono::steady_clock::now();
  server.next(delayed(dripped(raw("12345"), 20ms), 50ms));
  RawClient client(server.port());
  client.send(write_of(one_line));
  CHECK(client.receive(1) == "1");
  CHECK(std::chrono::steady_clock::now() - begin >= 50ms);
  CHECK(client.receive_all() == "2345");
  CHECK(std::chrono::steady_clock::now() - begin >= 50ms + 4 * 20ms);
}

TEST_CASE("badflux: a big body costs no memory, and how much of it was taken is known") {
  Badflux server;
  server.listen();
  constexpr std::uint64_t bytes = 131'072'000;
  server.next(big_body(500, bytes), 2);
  RawClient client(server.port());
  client.send(write_of(one_line));
  CHECK(client.receive(1000).size() == 1000);
  client.close();
  CHECK(server.bytes_sent() < 2'000'000);
  CHECK(post(server, one_line).body.size() == bytes);
}

TEST_CASE("badflux: nonsense comes as it was ordered") {
  struct Row {
    std::string name;
    Behaviour behaviour;
    const char* beginning;
    std::size_t bytes_min;
    long curl_status;
  };
  const Row rows[] = {
      {"300 KiB of headers", long_headers(500, 300 << 10), "HTTP/1.1 500", 300 << 10, 500},
      {"HTTP/0.9", http_0_9(), "<html>", 10, 0},
      {"a chunk that ends early", truncated_chunk(), "HTTP/1.1 400", 100, 400},
      {"a redirect", redirect(302, "http://elsewhere/"), "HTTP/1.1 302", 20, 302},
      {"a web page", web_page(), "HTTP/1.1 200", 20, 200},
  };
  Badflux server;
  server.listen();
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Behaviour closing = row.behaviour;
    closing.then = Behaviour::Then::close;
    server.next(closing);
    RawClient client(server.port());
    client.send(write_of(one_line));
    const std::string answer = client.receive_all();
    CHECK(answer.starts_with(row.beginning));
    CHECK(answer.size() >= row.bytes_min);
    server.next(closing);
    CHECK(post(server, one_line).status == row.curl_status);
  }
  CHECK(server.stored().points() == 0);
}

TEST_CASE("badflux: a proxy hands request and answer on, and may lose the answer") {
  Badflux real;
  real.listen();
  Badflux server;
  server.listen();
  server.next(proxy(real.port()));
  CHECK(post(server, one_line).status == 204);
  server.next(proxy_and_swallow(real.port()));
  CHECK(post(server, one_line).status == 0);
  CHECK(real.sum("hits.count") == 2);
  CHECK(real.stored().resent() == 1);
  CHECK(server.stored().points() == 0);
  real.stop_listening();
  server.next(proxy(real.port()));
  CHECK(post(server, one_line).status == 502);
}

TEST_CASE("badflux: what is no HTTP is answered with 400 and the end of the connection") {
  Badflux server;
  server.listen();
  RawClient client(server.port());
  client.send("\x16\x03\x01");  // the beginning of TLS
  CHECK(client.receive_all().starts_with("HTTP/1.1 400 "));
  CHECK(server.request_count() == 0);
}

TEST_CASE("badflux: another server may take its place while it runs") {
  Badflux server;
  server.listen();
  CHECK(post(server, one_line).status == 204);
  server.become(ServerKind::influx_2, {.databases = {"b"}});
  CHECK(post(server, one_line).status == 404);
  CHECK(server.stored().points() == 0);
  server.become(ServerKind::influx_1, {.databases = {}});
  CHECK(post(server, one_line).status == 404);
  server.change_rules([](FakeInfluxRules& rules) { rules.databases.insert("metric"); });
  CHECK(post(server, one_line).status == 204);
}
