// F15, F21-F26, F29: the server is of another version, or refuses some lines of many. What it can
// take is stored, what it cannot is counted and found.

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <sstream>
#include <string>
#include <string_view>

#include "faults_rig.hpp"

using namespace tally::testing;
using namespace std::chrono_literals;

namespace {

constexpr const char* bad = "fault.bad";

bool is_bad(std::string_view line) {
  return line.starts_with(bad);
}

// The hits, under whatever name the server's API puts series and tags.
double hits_in(const Badflux& server) {
  const StoredPoints stored = server.stored();
  double sum = 0;
  for (const auto& [measurement, points] : stored.measurements()) {
    if (measurement.find(hits_measurement) != std::string::npos) sum += stored.sum(measurement);
  }
  return sum;
}

bool hits_become(const Badflux& server, std::uint64_t lines) {
  return eventually(patience, [&] { return hits_in(server) == static_cast<double>(lines); });
}

// Points that tallyd gave up, by its own series.
double given_up(const StoredPoints& stored) {
  double sum = 0;
  for (const char* state : {"dropped", "dead_lettered"})
    sum += stored.sum("tallyd.points.count", "count", {"state", state});
  return sum;
}

std::string stamp_of(std::string_view line) {
  return std::string(line.substr(line.rfind(' ') + 1));
}

std::vector<std::string> lines_of(const std::string& body) {
  std::vector<std::string> lines;
  std::istringstream text(body);
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

// The writes that hold lines of the window in which a bad line was.
std::size_t writes_of_bad_window(const Badflux& server) {
  const auto requests = writes(server);
  std::string stamp;
  for (const HttpMessage& request : requests)
    for (const std::string& line : lines_of(request.body))
      if (is_bad(line)) stamp = stamp_of(line);
  return static_cast<std::size_t>(
      std::count_if(requests.begin(), requests.end(), [&](const HttpMessage& request) {
        const auto lines = lines_of(request.body);
        return !lines.empty() && stamp_of(lines.front()) == stamp;
      }));
}

// Sends one line of each good series and a bad one, in one datagram's breath.
void send_bad_among_good(const Tallyd& tallyd, Load& load) {
  load.one_each();
  StatsdSender(tallyd.port()).send(std::string(bad) + ":1|c");
}

struct Kind {
  std::string name;
  ServerKind kind;
};
const Kind line_servers[] = {{"1.x", ServerKind::influx_1},
                             {"2.x", ServerKind::influx_2},
                             {"3.x", ServerKind::influx_3},
                             {"VictoriaMetrics", ServerKind::victoria_metrics}};

}  // namespace

TEST_CASE("F15: with api = auto every version is written to in its own words") {
  for (const Kind& row : {Kind{"0.8", ServerKind::influx_0_8}, line_servers[0], line_servers[1],
                          line_servers[2], line_servers[3]}) {
    CAPTURE(row.name);
    Badflux server(row.kind);
    server.listen();
    Tallyd tallyd({.influxdb_url = server.url(),
                   .interval = "200ms",
                   .sets = {"influxdb.username=root", "influxdb.password=root"}});
    Load load(tallyd.port());
    load.run(600ms);
    CHECK_MESSAGE(hits_become(server, load.lines()), tallyd.log());
    tallyd.stop();
    CHECK(hits_in(server) == static_cast<double>(load.lines()));
    CHECK(server.stored().doubled() == 0);
    CHECK(server.integers() == 0);
  }
}

TEST_CASE("F15: a server that becomes another version is followed, and no point is lost") {
  for (const Kind& row : {Kind{"0.8", ServerKind::influx_0_8}, line_servers[1], line_servers[2]}) {
    CAPTURE(row.name);
    Badflux server;
    server.listen();
    Tallyd tallyd({.influxdb_url = server.url(), .interval = "200ms"});
    Load load(tallyd.port());
    load.run(400ms);
    REQUIRE(all_is_stored(server, load));
    const std::uint64_t before = load.lines();
    server.become(row.kind);
    load.run(600ms);
    CHECK_MESSAGE(hits_become(server, load.lines() - before), tallyd.log());
    const std::uint64_t between = load.lines();
    server.become(ServerKind::influx_1);
    load.run(400ms);
    CHECK_MESSAGE(hits_become(server, load.lines() - between), tallyd.log());
    tallyd.stop();
    CHECK(hits_in(server) == static_cast<double>(load.lines() - between));
  }
}

TEST_CASE("F15: a fixed api against another version keeps the points and names both") {
  struct Row {
    const char* api;
    ServerKind kind;
    const char* names;
  };
  const Row rows[] = {{"0.8", ServerKind::influx_1, "1.6.7"},
                      {"1", ServerKind::influx_0_8, "0.8.8"},
                      {"1", ServerKind::influx_2, "2.7.1"},
                      {"2", ServerKind::influx_1, "1.6.7"}};
  for (const Row& row : rows) {
    CAPTURE(row.names);
    Badflux server(row.kind);
    server.listen();
    Tallyd tallyd({.influxdb_url = server.url(),
                   .interval = "200ms",
                   .sets = {"influxdb.api=\"" + std::string(row.api) + "\""}});
    Load load(tallyd.port());
    load.run(400ms);
    CHECK_MESSAGE(tallyd.wait_for_log(row.names), tallyd.log());
    CHECK(server.stored().points() == 0);
    tallyd.stop();
    CHECK(tallyd.log().find(" 0 written") != std::string::npos);
  }
}

TEST_CASE("F21: a limit on the body is learned: later windows need at most twice the requests") {
  constexpr std::size_t limit = 20'000;
  Badflux server(ServerKind::influx_1, {.body_bytes_max = limit});
  server.listen();
  Tallyd tallyd(
      {.influxdb_url = server.url(), .interval = "500ms", .sets = {"influxdb.gzip=false"}});
  Load load(tallyd.port(), 2000);
  for (int window = 0; window < 3; ++window) {
    load.one_each();
    REQUIRE(all_is_stored(server, load));
  }
  const std::size_t before = writes(server).size();
  load.one_each();
  REQUIRE(all_is_stored(server, load));
  std::size_t bytes = 0;
  std::set<std::string> seen;
  const auto requests = writes(server);
  for (std::size_t i = before; i < requests.size(); ++i)
    for (const std::string& line : lines_of(requests[i].body))
      if (seen.insert(line).second) bytes += line.size() + 1;
  CHECK(requests.size() - before <= 2 * (bytes / limit + 1));
  finish(tallyd, server, load);
}

TEST_CASE(
    "F22: one bad line costs itself only, in at most two more requests where the server names it") {
  for (const Kind& row : line_servers) {
    CAPTURE(row.name);
    Badflux server(row.kind, {.refuse = [](std::string_view line) {
                     return is_bad(line) ? std::string("missing field value") : std::string();
                   }});
    server.listen();
    Tallyd tallyd({.influxdb_url = server.url()});
    Load load(tallyd.port(), 50);
    send_bad_among_good(tallyd, load);
    CHECK_MESSAGE(hits_become(server, load.lines()), tallyd.log());
    CHECK_MESSAGE(eventually(patience, [&] { return given_up(server.stored()) == 1; }),
                  tallyd.log());
    tallyd.stop();
    CHECK(hits_in(server) == static_cast<double>(load.lines()));
    // VictoriaMetrics names none: five refusals, then halving as in F26.
    const bool names_it = row.kind != ServerKind::victoria_metrics;
    CHECK(writes_of_bad_window(server) <= (names_it ? 3 : 5 + 27));
    CHECK(given_up(server.stored()) == 1);
  }
}

TEST_CASE("F23: a field of another type costs only its own points") {
  for (const Kind& row : {line_servers[0], line_servers[1], line_servers[2]}) {
    CAPTURE(row.name);
    Badflux server(row.kind,
                   {.field_types = {{{std::string(bad) + ".count", "count"}, "integer"}}});
    server.listen();
    Tallyd tallyd({.influxdb_url = server.url()});
    Load load(tallyd.port(), 50);
    send_bad_among_good(tallyd, load);
    CHECK_MESSAGE(hits_become(server, load.lines()), tallyd.log());
    CHECK(eventually(patience, [&] { return given_up(server.stored()) == 1; }));
    tallyd.stop();
    CHECK(writes_of_bad_window(server) <= 3);
    CHECK(occurrences(tallyd.log(), "field type conflict") == 1);
  }
}

TEST_CASE("F24: points that waited beyond the retention policy are counted, and the rest stored") {
  Badflux server;
  Tallyd tallyd({.influxdb_url = server.url(), .interval = "200ms"});
  Load load(tallyd.port());
  load.run(2s);
  const std::int64_t oldest =
      std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch() - 1s).count();
  server.change_rules([&](FakeInfluxRules& rules) { rules.oldest_ns = oldest; });
  server.listen();
  CHECK(load.run_until([&] { return server.stored().points() > 0; }));
  CHECK_MESSAGE(tallyd.wait_for_log("beyond retention policy"), tallyd.log());
  tallyd.stop();
  std::set<std::string> expired;
  double expired_hits = 0;
  for (const HttpMessage& request : writes(server)) {
    for (const std::string& line : lines_of(request.body)) {
      const auto point = read_line(line);
      REQUIRE(point.has_value());
      if (point->stamp * 1'000'000 >= oldest || !expired.insert(line).second) continue;
      if (point->measurement == hits_measurement) expired_hits += *point->field("count");
    }
  }
  const StoredPoints stored = server.stored();
  CHECK(expired_hits > 0);
  CHECK(stored.sum(hits_measurement) + expired_hits == static_cast<double>(load.lines()));
  CHECK(stored.sum("tallyd.points_dropped.count", "count", {"reason", "beyond_retention"}) ==
        static_cast<double>(expired.size()));
}

TEST_CASE("F25: beyond the series limit of a real influxd known series lose nothing") {
  Influxd influxd({.environment = {{"INFLUXDB_DATA_MAX_SERIES_PER_DATABASE", "200"}}});
  influxd.start();
  Tallyd tallyd({.influxdb_url = influxd.url()});
  Load load(tallyd.port(), 100);
  load.one_each();
  REQUIRE(all_is_stored(influxd, load));
  StatsdSender more(tallyd.port());
  constexpr int news = 400;
  for (int window = 0; window < 3; ++window) {
    for (int i = 0; i < news; ++i) more.send_packed("fault.new:1|c|#i:" + std::to_string(i));
    load.one_each();
    more.flush();
    CHECK_MESSAGE(all_is_stored(influxd, load), tallyd.log());
  }
  const auto counted = [&] {
    // Not by reason: that series would be a new one, and is refused too.
    const double refused = stored_sum(influxd, "tallyd.points.count", "dropped");
    return refused + stored_sum(influxd, "fault.new.count") >= 3 * news;
  };
  CHECK_MESSAGE(eventually(patience, counted), tallyd.log());
  tallyd.stop();
  CHECK(stored_sum(influxd, hits_measurement) == static_cast<double>(load.lines()));
}

TEST_CASE("F26: a line that makes the server fail is found in at most 27 requests") {
  Badflux server(ServerKind::influx_1, {.breaks = is_bad});
  server.listen();
  Tallyd tallyd({.influxdb_url = server.url()});
  Load load(tallyd.port(), 3000);
  send_bad_among_good(tallyd, load);
  CHECK_MESSAGE(all_is_stored(server, load), tallyd.log());
  CHECK_MESSAGE(eventually(patience, [&] { return given_up(server.stored()) == 1; }), tallyd.log());
  tallyd.stop();
  constexpr std::size_t refused_before = 5;
  CHECK(writes_of_bad_window(server) <= refused_before + 27);
  CHECK(server.sum(hits_measurement) == static_cast<double>(load.lines()));
}

TEST_CASE("F29: answers lost by a 0.8 that stored the points double nothing there either") {
  Badflux server(ServerKind::influx_0_8);
  server.listen();
  server.set_script([is_lost = false](const HttpMessage& head) mutable {
    is_lost = !is_lost && head.method == "POST";
    return is_lost ? swallow() : serve();
  });
  Tallyd tallyd({.influxdb_url = server.url(), .interval = "200ms"});
  Load load(tallyd.port());
  CHECK(load.run_until([&] { return writes(server).size() >= 6; }));
  server.set_script(serve());
  CHECK_MESSAGE(hits_become(server, load.lines()), tallyd.log());
  tallyd.stop();
  CHECK(server.stored().doubled() == 0);
  CHECK(server.stored().overwritten() == 0);
  CHECK(server.integers() == 0);
}
