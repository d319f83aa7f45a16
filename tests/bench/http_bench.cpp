// What an answer over HTTP costs with many series: the real Watch and History on one thread, a
// client on another, a keep-alive connection between them.
//
//     bench_http [--series N] [--rounds N]     one JSON object a request: ms as the client waits

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "fake_insight.hpp"
#include "posix/descriptor.hpp"
#include "receive/socket_address.hpp"
#include "tool.hpp"
#include "watch/watch.hpp"

using namespace tally;
using namespace tally::bench;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t windows = 60;
constexpr WallTime start{1'700'000'000'000ms};

/// 60 windows of counters as services have them: some hundred names, told apart by tags.
void fill(History& history, std::size_t series) {
  Snapshot snapshot;
  snapshot.percents = {50};
  SeriesKeyBuilder builder({});
  for (std::size_t i = 0; i < series; ++i) {
    const std::string name =
        "service" + std::to_string(i % 50) + ".requests.count" + std::to_string(i % 400);
    const std::string host = "web" + std::to_string(i / 400);
    const std::array<Tag, 2> tags{{{"host", host}, {"env", "prod"}}};
    snapshot.owned_keys.emplace_back(builder.build(Kind::counter, name, tags));
    const double count = static_cast<double>(i * 7919 % 100'003);
    snapshot.counters.push_back({snapshot.owned_keys.back(), count, count / 10});
  }
  for (std::size_t window = 0; window < windows; ++window) {
    snapshot.span = {start + window * 10s, 10s};
    history.begin(snapshot.span, {});
    history.note(snapshot);
    history.end();
  }
}

class Client {
 public:
  explicit Client(const ListenAddress& server) {
    const SocketAddress address = to_socket_address(server);
    socket_ = Descriptor(socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(socket_.get(), address.get(), address.size) != 0) fail("cannot connect", errno);
  }

  /// Returns the bytes of the answer.
  std::size_t ask(std::string_view target, std::string_view headers) {
    const std::string request = "GET " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n" +
                                std::string(headers) + "\r\n";
    if (send(socket_.get(), request.data(), request.size(), 0) < 0) fail("cannot send", errno);
    std::string answer;
    std::size_t head = std::string::npos;
    while (head == std::string::npos || answer.size() < head + 4 + length_in(answer)) {
      std::array<char, 65536> piece;
      const ssize_t got = recv(socket_.get(), piece.data(), piece.size(), 0);
      if (got <= 0) fail("the connection was closed");
      answer.append(piece.data(), static_cast<std::size_t>(got));
      head = answer.find("\r\n\r\n");
    }
    if (!answer.starts_with("HTTP/1.1 200 ")) fail(std::string(target) + " was refused");
    return answer.size() - head - 4;
  }

 private:
  static std::size_t length_in(const std::string& answer) {
    constexpr std::string_view name = "Content-Length: ";
    return std::strtoul(answer.c_str() + answer.find(name) + name.size(), nullptr, 10);
  }

  Descriptor socket_;
};

struct Request {
  const char* name;
  const char* target;
  const char* headers = "";
};

constexpr Request requests[] = {
    {"series, busiest", "/api/v1/series?limit=100"},
    {"series, busiest, packed", "/api/v1/series?limit=100", "Accept-Encoding: gzip\r\n"},
    {"series, by name", "/api/v1/series?limit=100&sort=name"},
    {"series, by bytes", "/api/v1/series?limit=100&sort=bytes"},
    {"series, by a glob", "/api/v1/series?limit=100&match=*7.requests.*"},
    {"series, the last page", "/api/v1/series?limit=100&offset=99900"},
    {"series, 1,000 of them", "/api/v1/series?limit=1000"},
    {"top prefixes", "/api/v1/top?by=series"},
    {"ledger", "/api/v1/ledger"},
    {"health", "/health"},
};

void measure(Client& client, const Request& request, std::size_t rounds) {
  std::vector<double> ms;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < rounds; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    bytes = client.ask(request.target, request.headers);
    ms.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
                     .count());
  }
  std::ranges::sort(ms);
  std::printf("{\"request\": \"%s\", \"bytes\": %zu, \"ms\": %.3f, \"ms_max\": %.3f}\n",
              request.name, bytes, ms[ms.size() / 2], ms.back());
}

}  // namespace

int main(int count, char** words) {
  const Arguments arguments(count, words, "series rounds");
  const auto series = static_cast<std::size_t>(arguments.number("series", 100'000));
  const auto rounds = static_cast<std::size_t>(arguments.number("rounds", 50));
  History history({.bytes_max = 1 << 30, .percents = {50}, .hash_seed = 1});
  fill(history, series);

  uv::Loop loop;
  tally::testing::FakeInsight insight;
  const Config::Http http{.listen = ListenAddress{"127.0.0.1", 0}};
  Watch watch(loop,
              {.insight = insight,
               .history = history,
               .metrics = {},
               .is_said_down = [] { return false; },
               .now = std::chrono::steady_clock::now},
              {.http = http});
  const auto opened = watch.open();
  if (!opened) fail(opened.error().message);
  const ListenAddress address = parse_listen_address(opened.value().names[0].substr(5)).value();
  uv::Async done(loop, [&loop] { loop.stop(); });
  std::thread user([&] {
    Client client(address);
    for (const Request& request : requests) measure(client, request, rounds);
    done.poke();
  });
  loop.run();
  user.join();
}
