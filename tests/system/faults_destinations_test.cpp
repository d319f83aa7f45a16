// F30: several destinations, some of them dead. Each has its own queue, disk and schedule, and what
// one does not take costs the others nothing.

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

#include "faults_rig.hpp"

using namespace tally::testing;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

std::string name_of(const Badflux& server) {
  return "127.0.0.1:" + std::to_string(server.port());
}

/// The time from a window's end to its arrival that half of them take at most, of windows of 200
/// ms: one may be late because the machine was; a dead neighbour delays all.
std::chrono::milliseconds usual_delay(const Badflux& server) {
  const auto offset =
      std::chrono::system_clock::now().time_since_epoch() - Clock::now().time_since_epoch();
  std::vector<std::chrono::nanoseconds> delays;
  for (const HttpMessage& request : writes(server)) {
    const char* const stamp = request.body.c_str() + request.body.rfind(' ');
    const std::chrono::milliseconds window(std::strtoll(stamp, nullptr, 10));
    delays.push_back(request.at.time_since_epoch() + offset - window - 200ms);
  }
  REQUIRE_FALSE(delays.empty());
  const auto middle = delays.begin() + static_cast<std::ptrdiff_t>(delays.size() / 2);
  std::ranges::nth_element(delays, middle);
  return std::chrono::duration_cast<std::chrono::milliseconds>(*middle);
}

void check_is_whole(const Badflux& server, const Load& load) {
  const StoredPoints stored = server.stored();
  CHECK(stored.sum(hits_measurement) == static_cast<double>(load.lines()));
  CHECK(stored.overwritten() == 0);
  CHECK(stored.doubled() == 0);
}

// The other series of a destination's own are the same in all.
void check_points_of(const Badflux& server, const Badflux& destination) {
  CHECK(check_points_at_every_window(server.stored(), {.destination = name_of(destination)}) > 0);
}

constexpr std::size_t memory_bound = 32 << 20;

}  // namespace

TEST_CASE("F30: a destination that is down does not delay the other, and gets all when it comes") {
  struct Row {
    const char* name;
    bool listens;
  };
  for (const Row& row : {Row{"refuses", false}, Row{"never answers", true}}) {
    CAPTURE(row.name);
    Badflux alive;
    Badflux dead;
    alive.listen();
    dead.set_script(mute());
    if (row.listens) dead.listen();
    Lives lives({.influxdb_url = dead.url(),
                 .sets = {"influxdb." + name_of(dead) + ".timeout=1s"},
                 .more_urls = {alive.url()}});
    Load load(lives.begin().port());
    load.run(500ms);
    const std::size_t before = lives.tallyd().memory_bytes();
    load.run(2500ms);
    CHECK(all_is_stored(alive, load));
    if (!is_sanitized) {
      CHECK(usual_delay(alive) < 200ms);
      CHECK(lives.tallyd().memory_bytes() < before + memory_bound);
    }
    CHECK(all_is_on_disk(lives.spool(), load.lines()));
    CHECK(lives.spool().sinks().size() == 2);
    dead.set_script(serve());
    if (!row.listens) dead.listen();
    load.run(400ms);
    CHECK_MESSAGE(all_is_stored(dead, load), lives.tallyd().log());
    CHECK(is_emptied(lives.spool()));
    lives.stop();
    check_is_whole(alive, load);
    check_is_whole(dead, load);
    check_points_of(alive, alive);
    check_points_of(alive, dead);
    check_points_of(dead, dead);
    CHECK(alive.stored().points() == dead.stored().points());
  }
}

TEST_CASE(
    "F30: a destination that is down for good holds up no stop, and its points stay on disk") {
  Badflux alive;
  Badflux dead;
  alive.listen();
  Lives lives({.influxdb_url = alive.url(), .more_urls = {dead.url()}});
  Load load(lives.begin().port());
  load.run(600ms);
  const auto begin = Clock::now();
  lives.stop();
  CHECK(Clock::now() - begin < 5s);
  check_is_whole(alive, load);
  CHECK(lives.spool().waiting().sum(hits_measurement) == static_cast<double>(load.lines()));
  dead.listen();
  lives.begin();
  CHECK(all_is_stored(dead, load));
  CHECK(is_emptied(lives.spool()));
  lives.stop();
  check_is_whole(dead, load);
}

TEST_CASE("F30: a destination that never answers holds up a stop for less than 5 s") {
  Badflux alive;
  Badflux dead;
  alive.listen();
  dead.listen();
  dead.set_script(mute());
  Lives lives({.influxdb_url = alive.url(), .more_urls = {dead.url()}});
  Load load(lives.begin().port());
  load.run(600ms);
  lives.stop();  // REQUIREs that
  check_is_whole(alive, load);
  CHECK(lives.spool().waiting().sum(hits_measurement) == static_cast<double>(load.lines()));
}

TEST_CASE("F30: of two destinations on one url each line of the log names the one it is about") {
  Badflux server(ServerKind::influx_1, {.databases = {"metric", "other"}});
  Lives lives({.influxdb_url = server.url(),
               .more_destinations = {"name = \"second\"\ndatabase = \"other\"\nurl = \"" +
                                     server.url() + "\"\n"}});
  Load load(lives.begin().port());
  load.run(400ms);
  REQUIRE(lives.tallyd().wait_for_log(" second: nothing answers at " + server.url()));
  CHECK(lives.tallyd().wait_for_log(" " + name_of(server) + ": nothing answers at"));
  server.listen();
  load.run(200ms);
  for (const std::string& name : {name_of(server), std::string("second")})
    CHECK(lives.tallyd().wait_for_log(" " + name + ": " + server.url() + " takes points again"));
  const std::string log = lives.tallyd().log();
  CHECK(occurrences(log, "database \"other\" (second), and wait on disk in ") == 1);
  for (const char* said : {"nothing answers at", "takes points again after"})
    CHECK(occurrences(log, said) == 2);
  lives.stop();
}

TEST_CASE("F30: without a disk the dead one's points wait in its own memory") {
  Badflux alive;
  Badflux dead;
  alive.listen();
  Tallyd tallyd({.influxdb_url = alive.url(), .interval = "200ms", .more_urls = {dead.url()}});
  Load load(tallyd.port());
  load.run(1s);
  CHECK(all_is_stored(alive, load));
  if (!is_sanitized) CHECK(usual_delay(alive) < 200ms);
  dead.listen();
  CHECK_MESSAGE(all_is_stored(dead, load), tallyd.log());
  tallyd.stop();
  check_is_whole(alive, load);
  check_is_whole(dead, load);
  check_points_of(alive, dead);
}

TEST_CASE(
    "F30: what one destination refuses the other stores, and each has dead letters of its own") {
  Badflux strict(ServerKind::influx_1, {.refuse = [](std::string_view line) {
                   return std::string(line.starts_with("fault.bad") ? "missing field value" : "");
                 }});
  Badflux tolerant;
  strict.listen();
  tolerant.listen();
  Lives lives({.influxdb_url = strict.url(), .more_urls = {tolerant.url()}});
  Load load(lives.begin().port());
  load.one_each();
  StatsdSender(lives.tallyd().port()).send("fault.bad:7|c");
  CHECK(eventually(patience, [&] { return tolerant.sum("fault.bad.count") == 7; }));
  const auto is_told = [&] {
    return tolerant.stored().sum("tallyd.points.count", "count", {"state", "dead_lettered"}) == 1;
  };
  CHECK_MESSAGE(eventually(patience, is_told), lives.tallyd().log());
  lives.stop();
  check_is_whole(strict, load);
  check_is_whole(tolerant, load);
  CHECK(occurrences(lives.spool().verb("dead"), "\n") == 1);
  check_points_of(tolerant, strict);
  check_points_of(tolerant, tolerant);
}

TEST_CASE(
    "a destination that is not configured any more is named, and with spool.adopt taken over") {
  Badflux before;
  Badflux after;
  after.listen();
  SpoolPlace spool;
  TallydOptions options{.influxdb_url = before.url(), .interval = "200ms", .sets = spool.sets()};
  std::uint64_t lines = 0;
  {
    Tallyd tallyd(options);
    Load load(tallyd.port());
    load.run(600ms);
    tallyd.stop();
    lines = load.lines();
  }
  CHECK(spool.waiting().sum(hits_measurement) == static_cast<double>(lines));
  options.influxdb_url = after.url();
  {
    Tallyd tallyd(options);
    CHECK(eventually(patience, [&] { return after.stored().points() > 0; }));
    tallyd.stop();
    CHECK_MESSAGE(tallyd.log().find("set spool.adopt = true to send them") != std::string::npos,
                  tallyd.log());
    CHECK(after.sum(hits_measurement) == 0);
  }
  options.sets.push_back("spool.adopt=true");
  Tallyd tallyd(options);
  const auto is_stored = [&] { return after.sum(hits_measurement) == static_cast<double>(lines); };
  CHECK_MESSAGE(eventually(patience, is_stored), tallyd.log());
  CHECK(is_emptied(spool));
  tallyd.stop();
  CHECK(tallyd.log().find("(spool.adopt)") != std::string::npos);
  CHECK(spool.sinks().size() == 1);  // nothing is left of the other's folder
  CHECK(after.stored().overwritten() == 0);
}
