// F4-F6, F13, F28, F29: the connection fails in every way it can; nothing is lost or doubled.

#include <doctest/doctest.h>

#include <cstdlib>
#include <memory>
#include <random>
#include <string>

#include "faults_rig.hpp"

using namespace tally::testing;
using namespace std::chrono_literals;

namespace {

// Random places where uploads are cut. Every second request is let through, so that the back-off
// never grows; half of these end their connection, since libcurl itself sends again what was cut on
// a connection that it used before.
class Cuts {
 public:
  explicit Cuts(unsigned seed) : random_(seed) {}

  Behaviour next(const HttpMessage& head) {
    is_cut_ = !is_cut_ && head.method == "POST";
    if (is_cut_) return cut_request(random_() % (content_bytes(head) + 1));
    Behaviour behaviour = serve();
    if (random_() % 2 == 0) behaviour.then = Behaviour::Then::close;
    return behaviour;
  }

 private:
  std::minstd_rand random_;
  bool is_cut_ = false;
};

std::size_t cut_requests(const Badflux& server) {
  const auto requests = writes(server);
  return static_cast<std::size_t>(
      std::count_if(requests.begin(), requests.end(), [](const auto& r) { return !r.is_whole; }));
}

// 200, or what TALLYD_FAULT_CUTS says.
std::size_t cuts_wanted() {
  const char* wanted = std::getenv("TALLYD_FAULT_CUTS");
  return wanted == nullptr ? 200 : std::strtoul(wanted, nullptr, 10);
}

}  // namespace

TEST_CASE("F4: connections refused, then reset, cost one connect a back-off and no point") {
  Badflux server;
  Tallyd tallyd({.influxdb_url = server.url(), .interval = "200ms"});
  Load load(tallyd.port());
  load.run(1s);
  CHECK(tallyd.log().find("nothing answers at " + server.url()) != std::string::npos);
  server.welcome(Welcome::reset);
  server.listen();
  CHECK(load.run_until([&] { return server.connects().size() >= 2; }));
  const std::size_t resets = server.connects().size();
  server.welcome(Welcome::read);
  finish(tallyd, server, load);
  const StoredPoints stored = server.stored();
  const double retried = stored.sum("tallyd.requests.count", "count", {"state", "retried"});
  CHECK(retried >= static_cast<double>(resets));
  CHECK(occurrences(tallyd.log(), "gave no whole answer") <= 1);
}

TEST_CASE(
    "F5: a server that accepts and never answers holds one request, until the total timeout") {
  Badflux server;
  server.listen();
  server.set_script(mute());
  Tallyd tallyd(
      {.influxdb_url = server.url(), .interval = "200ms", .sets = {"influxdb.timeout=1s"}});
  Load load(tallyd.port());
  CHECK(load.run_until([&] { return server.request_count() >= 3; }));
  CHECK(server.in_flight_max() == 1);
  CHECK(line_with(tallyd.log(), "did not answer").find("timed out after 1000 ms") !=
        std::string::npos);
  const auto muted = writes(server);
  for (std::size_t i = 1; i < muted.size(); ++i) CHECK(muted[i].at - muted[i - 1].at >= 900ms);
  server.set_script(serve());
  finish(tallyd, server, load);
}

TEST_CASE(
    "F6: an answer that drips ends at the total timeout, and what was stored is not doubled") {
  Badflux server;
  server.listen();
  server.next(dripped(serve(), 50ms), 2);  // stored, and 3 s until the answer is whole
  Tallyd tallyd({.influxdb_url = server.url(),
                 .interval = "200ms",
                 .sets = {"influxdb.timeout=1s", "influxdb.api=1"}});
  Load load(tallyd.port());
  CHECK(load.run_until([&] { return writes(server).size() >= 4; }));
  const auto requests = writes(server);
  CHECK(requests[1].at - requests[0].at >= 900ms);
  CHECK(requests[1].at - requests[0].at <= 1s + 500ms + 1s);  // timeout, back-off, a slow machine
  CHECK(requests[1].body == requests[0].body);
  finish(tallyd, server, load);
  CHECK(server.stored().resent() > 0);
}

TEST_CASE("F13: no byte goes to the environment's proxy, and all to the configured one") {
  Badflux server;
  Badflux proxy;
  server.listen();
  proxy.listen();
  TallydOptions options{.influxdb_url = server.url(), .interval = "200ms"};
  for (const char* name : {"http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"})
    options.environment.emplace_back(name, proxy.url());
  {
    Tallyd tallyd(options);
    Load load(tallyd.port());
    load.run(500ms);
    finish(tallyd, server, load);
  }
  CHECK(proxy.connects().empty());
  const std::size_t direct = server.request_count();
  options.sets = {"influxdb.proxy=" + proxy.url()};
  Tallyd tallyd(options);
  CHECK(eventually(patience, [&] { return proxy.request_count() > 0; }));
  CHECK(server.request_count() == direct);
}

TEST_CASE("F28: uploads cut at random bytes lose and double nothing") {
  struct One {
    explicit One(unsigned seed) : cuts(seed) {
      server.listen();
      server.set_script([this](const HttpMessage& head) { return cuts.next(head); });
    }
    Cuts cuts;
    Badflux server;
    Tallyd tallyd{
        {.influxdb_url = server.url(), .interval = "100ms", .sets = {"influxdb.gzip=false"}}};
    Load load{tallyd.port(), 20};
  };
  constexpr std::size_t daemons = 8;  // most of the time each waits for its back-off
  std::vector<std::unique_ptr<One>> all;
  for (unsigned i = 0; i < daemons; ++i) all.push_back(std::make_unique<One>(i + 1));
  const auto is_cut_enough = [&] {
    return std::all_of(all.begin(), all.end(), [&](const auto& one) {
      return cut_requests(one->server) >= cuts_wanted() / daemons;
    });
  };
  const auto end = std::chrono::steady_clock::now() + 4 * patience;
  while (!is_cut_enough() && std::chrono::steady_clock::now() < end)
    for (const auto& one : all) one->load.run(25ms);
  CHECK(is_cut_enough());
  for (const auto& one : all) {
    one->server.set_script(serve());
    finish(one->tallyd, one->server, one->load);
  }
}

TEST_CASE("F29: answers lost behind a real influxd that stored the points double nothing") {
  Influxd influxd;
  influxd.start();
  Badflux proxy_server;
  proxy_server.listen();
  proxy_server.set_script(
      [port = influxd.port(), is_lost = false](const HttpMessage& head) mutable {
        is_lost = !is_lost && head.path() == "/write";
        return is_lost ? proxy_and_swallow(port) : proxy(port);
      });
  Tallyd tallyd({.influxdb_url = proxy_server.url(), .interval = "200ms"});
  Load load(tallyd.port());
  CHECK(load.run_until([&] { return writes(proxy_server).size() >= 10; }));
  proxy_server.set_script(proxy(influxd.port()));
  finish(tallyd, influxd, load);
  // Each window sent twice is one point of each series all the same.
  const std::string points =
      influxd.value(database, "SELECT count(\"count\") FROM \"fault.hits.count\"", "count");
  const std::string stamps = influxd.value(
      database, "SELECT count(\"count\") FROM \"fault.hits.count\" WHERE \"shard\" = '0'", "count");
  CHECK(std::stoul(points) == 5 * std::stoul(stamps));
}

TEST_CASE("F29: answers lost by a server that stored the points are resent with the same values") {
  Badflux server;
  server.listen();
  server.set_script([is_lost = false](const HttpMessage&) mutable {
    is_lost = !is_lost;
    return is_lost ? swallow() : serve();
  });
  Tallyd tallyd({.influxdb_url = server.url(), .interval = "200ms"});
  Load load(tallyd.port());
  CHECK(load.run_until([&] { return writes(server).size() >= 10; }));
  server.set_script(serve());
  finish(tallyd, server, load);
  CHECK(server.stored().resent() > 0);
}
