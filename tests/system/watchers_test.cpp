// Those who look at a busy tallyd: they come, ask, read slowly or not at all, and leave in the
// middle. None of it costs a datagram or the process; ThreadSanitizer watches the threads.

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <csignal>
#include <deque>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "http_client.hpp"
#include "json_value.hpp"
#include "listener_client.hpp"
#include "rig.hpp"

using namespace tally::testing;
using namespace std::chrono_literals;

namespace {

/// A tallyd that is looked at: two receive threads, short windows.
class Watched {
 public:
  explicit Watched(const std::string& interval, const std::string& influxdb_url = "")
      : tallyd_({.influxdb_url = influxdb_url,
                 .interval = interval,
                 .sets = {"listen.workers=2", "http.listen=127.0.0.1:0", "admin.listen=127.0.0.1:0",
                          "http.quit=true", "http.application_metrics=true"}}) {
    http_ = tallyd_.listener("http ").substr(5);
    const std::string log = tallyd_.log();
    std::smatch admin;
    REQUIRE(std::regex_search(log, admin, std::regex("admin ([0-9.:]+): listening")));
    admin_ = admin[1];
  }

  Tallyd& tallyd() { return tallyd_; }
  ListenerClient admin() const { return ListenerClient("tcp " + admin_); }
  HttpAnswer get(const std::string& target) const { return http_get("http://" + http_ + target); }

  /// A client that has asked, and has not read an answer.
  ListenerClient ask(const std::string& request) const {
    ListenerClient client("tcp " + http_);
    client.send(request + " HTTP/1.1\r\nHost: localhost\r\nX-Requested-By: test\r\n\r\n");
    return client;
  }

 private:
  Tallyd tallyd_;
  std::string http_, admin_;
};

constexpr std::array targets = {
    "GET /api/v1/ledger",        "GET /api/v1/stream",        "GET /api/v1/series?sort=bytes",
    "GET /api/v1/tap",           "GET /api/v1/top?by=tag",    "GET /api/v1/capture?seconds=1",
    "GET /api/v1/tap?refused=1", "GET /api/v1/top?by=sender", "GET /metrics"};

// A third leaves at once; the others stay unread until there are 8 of them. Now and then it waits
// until all were taken in: on a busy machine those that left may take all room until they are
// noticed, and then one more is hung up on.
void come_and_go(const Watched& watched) {
  std::deque<ListenerClient> staying;
  for (std::size_t i = 0; i < 300; ++i) {
    ListenerClient client = watched.ask(targets[i % targets.size()]);
    if (i % 3 != 0) staying.push_back(std::move(client));
    if (staying.size() > 8) staying.pop_front();
    if (i % 20 != 0) continue;
    CHECK(eventually(patience, [&] { return watched.get("/api/v1/config").status == 200; }));
  }
}

// None waits for its answer, now and then one more does: so that a look ends with nobody there.
void manage(const Watched& watched) {
  constexpr std::array commands = {"counters\n", "timers\n", "delcounters app.1*\n",
                                   "stats\n",    "gauges\n", "delgauges none.*\n"};
  for (std::size_t i = 0; i < 60; ++i) {
    watched.admin().send(commands[i % commands.size()]);
    if (i % 10 != 0) continue;
    ListenerClient last = watched.admin();
    last.send("health\nquit\n");
    CHECK(eventually(patience, [&] { return last.is_hung_up(); }));
  }
}

void check_ledgers(const Watched& watched) {
  for (int i = 0; i < 30; ++i) {
    const HttpAnswer answer = watched.get("/api/v1/ledger");
    CHECK(answer.status == 200);
    const auto ledger = read_json(answer.body);
    REQUIRE(ledger);
    CHECK(ledger->member("balances")->boolean);
    CHECK(ledger->member("lost")->number == 0);
  }
}

void read_taps(const Watched& watched) {
  for (int i = 0; i < 5; ++i) {
    HttpAnswer tapped;
    // 503 while streams are still open whose readers have just left.
    CHECK(eventually(patience, [&] {
      tapped = watched.get("/api/v1/tap?match=app.*&limit=50");
      return tapped.status == 200;
    }));
    CHECK(occurrences(tapped.body, "event: line\n") == 50);
  }
}

// Of some 10,000 series, so that a flush takes several slices, and much can happen between them.
std::string datagram(int i) {
  std::string lines = "queue:+1|g\nwho:" + std::to_string(i) + "|s";
  for (int more = 0; more < 20; ++more) {
    const std::string n = std::to_string((20 * i + more) % 5000);
    lines.append("\napp.").append(n).append(":1|c\napp.t:1|ms|#n:").append(n);
  }
  return lines;
}

}  // namespace

TEST_CASE("watchers: whatever they do, every datagram is counted, and a quit amid it is clean") {
  Watched watched("100ms");
  std::vector<std::jthread> watchers;
  watchers.emplace_back([&] { come_and_go(watched); });
  watchers.emplace_back([&] { manage(watched); });
  watchers.emplace_back([&] { check_ledgers(watched); });
  std::jthread taps([&] { read_taps(watched); });
  StatsdSender sender(watched.tallyd().port());
  // The tap's readers have an end only while something comes in.
  std::atomic<bool> has_ended = false;
  std::jthread last([&] {
    watchers.clear();
    taps.join();
    has_ended = true;
  });
  for (int i = 0; !has_ended; ++i) sender.send(datagram(i));
  std::vector<ListenerClient> streams;
  for (std::size_t i = 0; i < 12; ++i) streams.push_back(watched.ask(targets[1 + 2 * (i % 3)]));
  sender.wait_until_read();
  const ListenerClient quit = watched.ask("POST /api/v1/quit");
  CHECK(watched.tallyd().wait(patience) == 0);
  const std::string log = watched.tallyd().log();
  const std::regex stopped(
      "stopped: ([0-9,]+) datagrams received, 0 dropped by the kernel; "
      "[0-9,]+ lines accepted, 0 refused;");
  std::smatch received;
  REQUIRE_MESSAGE(std::regex_search(log, received, stopped), log);
  CHECK(std::regex_replace(received[1].str(), std::regex(","), "") ==
        std::to_string(sender.datagrams()));
}

TEST_CASE("watchers: a supervisor's signal behind a quit does not cut the stop short") {
  const ReservedPort refusing;  // so that the last window waits until the stop has no more time
  Watched watched("10s", "http://127.0.0.1:" + std::to_string(refusing.number()));
  StatsdSender sender(watched.tallyd().port());
  sender.send("stop.hits:1|c");
  const ListenerClient quit = watched.ask("POST /api/v1/quit");
  REQUIRE(watched.tallyd().wait_for_log("POST /api/v1/quit"));
  watched.tallyd().signal(SIGTERM);
  CHECK(watched.tallyd().wait_for_log("SIGTERM: is stopping already; once more stops at once"));
  CHECK(watched.tallyd().wait(patience) == 0);
}
