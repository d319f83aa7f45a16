#include "daemon/spool_verb.hpp"
#include "daemon/destinations.hpp"
#include "daemon/sources.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <sstream>
#include <string>

#include "spool/dead_letters.hpp"
#include "spool_rig.hpp"

using namespace tally;
using namespace tally::testing;

namespace {

struct Ran {
  int status = -1;
  std::string out;
  std::string err;
};

Ran run(const Scratch& scratch, SpoolAction action) {
  std::ostringstream out;
  std::ostringstream err;
  const int status = run_spool(
      {.action = action, .root = scratch.path() + "/spool", .sinks = {small_spool(scratch)}},
      test_now, out, err);
  return {status, out.str(), err.str()};
}

void write_letter(const Scratch& scratch, const std::string& line) {
  const auto letters = DeadLetters::open(scratch.spool());
  REQUIRE(letters);
  CHECK_FALSE(letters.value()->add({.line = line, .reason = "type conflict", .window = test_now}));
}

}  // namespace

TEST_CASE("spool verb: list shows each file and what waits in it, also beside a running tallyd") {
  const Scratch scratch;
  const auto spool = open_spool(small_spool(scratch));
  put_all(*spool, 1, 3);
  scratch.write("seg-0000000000000007.lp", "garbage");
  write_letter(scratch, "a v=1 1700000000");
  const Ran ran = run(scratch, SpoolAction::list);
  CHECK(ran.status == 0);
  CHECK(ran.err == "");
  CHECK(ran.out ==
        scratch.spool() +
            ": 9 points wait, 1 dead letters\n"
            "  seg-0000000000000007.lp  7B, no segment any more\n"
            "  seg-0000000000000001.lp  256B, 9 points in 3 records, 2023-11-14 22:13:21 to "
            "22:13:23 UTC\n");
}

TEST_CASE("spool verb: cat prints what waits with stamps in nanoseconds, and leaves it there") {
  const Scratch scratch;
  const auto spool = open_spool(small_spool(scratch));
  CHECK_FALSE(spool->put({.body = "a v=1 1\nb v=1 2\n", .points = 2}, test_now));
  CHECK_FALSE(spool->put({.body = "c v=1 3\n", .points = 1, .precision = Precision::milliseconds},
                         test_now));
  CHECK_FALSE(spool->put({.body = "d v=1 4\n", .points = 1, .precision = Precision::nanoseconds},
                         test_now));
  for (int time = 0; time < 2; ++time)
    CHECK(run(scratch, SpoolAction::cat).out ==
          "a v=1 1000000000\nb v=1 2000000000\nc v=1 3000000\nd v=1 4\n");
}

TEST_CASE("spool verb: dead prints the letters, retry-dead lets them wait again") {
  const Scratch scratch;
  put_all(*open_spool(small_spool(scratch)), 1, 1);
  write_letter(scratch, "a v=1 1700000000");
  write_letter(scratch, "b v=1 1700000000");
  write_letter(scratch, "c v=1 1700000000000");
  write_letter(scratch, "d v=1 1700000000000000000");
  CHECK(run(scratch, SpoolAction::dead)
            .out.starts_with("type conflict\t2023-11-14T22:13:20.000Z\ta v=1 1700000000\n"));
  {
    const auto running = open_spool(small_spool(scratch));
    const Ran refused = run(scratch, SpoolAction::retry_dead);
    CHECK(refused.status == 1);
    CHECK(refused.err.starts_with("tallyd: spool in use by pid "));
  }
  const Ran ran = run(scratch, SpoolAction::retry_dead);
  CHECK(ran.status == 0);
  CHECK(ran.out == scratch.spool() + ": 4 dead letters wait again; start tallyd to send them\n");
  CHECK(run(scratch, SpoolAction::dead).out == "");

  const auto spool = open_spool(small_spool(scratch));
  CHECK(id_of(*spool->front(test_now)) == 1);
  const std::pair<Precision, std::string> expected[] = {
      {Precision::seconds, "a v=1 1700000000\nb v=1 1700000000\n"},
      {Precision::milliseconds, "c v=1 1700000000000\n"},
      {Precision::nanoseconds, "d v=1 1700000000000000000\n"}};
  for (const auto& [precision, body] : expected) {
    spool->ack();
    const auto payload = spool->front(test_now);
    REQUIRE(payload);
    CHECK(payload->precision == precision);
    CHECK(payload->body == body);
    CHECK(payload->window == test_now);
  }
}

TEST_CASE("spool verb: where there is no spool it says so, or shows nothing") {
  const Scratch scratch;
  CHECK(run(scratch, SpoolAction::list).out == "");
  std::ostringstream out;
  std::ostringstream err;
  CHECK(run_spool({}, test_now, out, err) == 1);
  CHECK(err.str() == "tallyd: there is no spool: name its directory, or set STATE_DIRECTORY\n");
}

TEST_CASE("spool verb: the default directory is below systemd's state directory") {
  setenv("STATE_DIRECTORY", "/var/lib/tallyd:/var/lib/other", 1);
  CHECK(spool_root({}) == "/var/lib/tallyd/spool");
  unsetenv("STATE_DIRECTORY");
  CHECK(spool_root({}) == "");
}

TEST_CASE("spool verb: a destination's spool is named after its url, database and policy") {
  Config config;
  const auto spools = spools_of(config, "/s");
  REQUIRE(spools.size() == 1);
  CHECK(spools[0].directory.starts_with("/s/127_0_0_1_8086-"));
  config.influxdb[0].database = "other";
  CHECK(spools_of(config, "/s")[0].fingerprint != spools[0].fingerprint);
  CHECK(spools_of(config, "").empty());
  config.influxdb[0].url = "";
  CHECK(spools_of(config, "/s").empty());
}

TEST_CASE("spool verb: an action is known by its name, and a slip by what is near") {
  CHECK(parse_spool_action("list").value() == SpoolAction::list);
  CHECK(parse_spool_action("cat").value() == SpoolAction::cat);
  CHECK(parse_spool_action("dead").value() == SpoolAction::dead);
  CHECK(parse_spool_action("retry-dead").value() == SpoolAction::retry_dead);
  CHECK(parse_spool_action("retry-ded").error().message ==
        R"(tallyd spool cannot "retry-ded"; did you mean "retry-dead"?)");
}
