// The spool in a process of its own, which is killed or whose system calls fail.
#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "process.hpp"
#include "spool_rig.hpp"

using namespace tally;
using namespace tally::testing;
using namespace std::chrono_literals;

namespace {

struct Outcome {
  int status = -1;
  std::string output;
  std::string log;
};

/// The address sanitizer wants to be loaded first, and does not need it: the shim takes no memory.
std::pair<std::string, std::string> beside_sanitizer() {
  const char* const options = std::getenv("ASAN_OPTIONS");
  return {"ASAN_OPTIONS",
          (options != nullptr ? std::string(options) + ":" : "") + "verify_asan_link_order=0"};
}

Outcome run_driver(const Scratch& scratch, const std::vector<std::string>& arguments) {
  Process driver({.path = SPOOL_DRIVER,
                  .arguments = arguments,
                  .environment = {{"LD_PRELOAD", FAULTSHIM},
                                  {"FAULT_PATH", scratch.path()},
                                  beside_sanitizer()},
                  .directory = ""});
  const auto status = driver.wait(240s);
  return {status.value_or(-1), driver.output(), driver.log()};
}

int number_in(const char* variable, int otherwise) {
  const char* const value = std::getenv(variable);
  return value != nullptr ? std::atoi(value) : otherwise;
}

}  // namespace

TEST_CASE("spool F33: whichever call fails, once or for ever, no point is lost that was taken") {
  struct Row {
    std::string call;
    std::string how = "whole";
    int reached_min = 0;  ///< of 200: how often a spool in use makes the call at least
  };
  // The spool makes no call of write and open; the rows say so and guard against that changing.
  const Row rows[] = {{"write"},
                      {"pwrite", "whole", 200},
                      {"pwrite", "half", 200},
                      {"fdatasync", "whole", 15},
                      {"fsync", "whole", 10},
                      {"rename", "whole", 2},
                      {"open"},
                      {"openat", "whole", 150},
                      {"fallocate", "whole", 20},
                      {"ftruncate", "whole", 20},
                      {"unlink", "whole", 15}};
  const std::string last = std::to_string(number_in("TALLY_FAULTS", 200));
  for (const Row& row : rows) {
    for (const std::string times : {"once", "forever"}) {
      CAPTURE(row.call);
      CAPTURE(row.how);
      CAPTURE(times);
      const Scratch scratch;
      const Outcome outcome =
          run_driver(scratch, {"faults", scratch.path(), row.call, "1", last, times, row.how});
      CHECK(outcome.status == 0);
      CHECK(outcome.log == "");
      INFO(row.call << " " << row.how << " " << times << ": reached " << outcome.output);
      const int reached = std::atoi(outcome.output.c_str());
      if (last != "200") continue;
      CHECK(reached >= row.reached_min);
      CHECK((reached > 0) == (row.reached_min > 0));
    }
  }
}

TEST_CASE("spool F33: with the policy always, what cannot be synced is not taken") {
  const Scratch scratch;
  const Outcome outcome = run_driver(scratch, {"always", scratch.spool()});
  CHECK(outcome.status == 0);
  CHECK(outcome.log == "");
}

TEST_CASE("spool F34: a sync that takes seconds holds up neither put nor front nor ack") {
  const Scratch scratch;
  Process driver(
      {.path = SPOOL_DRIVER,
       .arguments = {"slow", scratch.spool()},
       .environment = {{"LD_PRELOAD", FAULTSHIM}, {"FAULT_DELAY_MS", "5000"}, beside_sanitizer()},
       .directory = ""});
  CHECK(driver.wait(60s) == 0);
  CHECK(driver.log() == "");
}

TEST_CASE("spool F35: killed at any moment, all that was put is there, none twice") {
  const int kills = number_in("TALLY_KILLS", 200);
  const Scratch scratch;
  std::mt19937 random(35);
  for (int kill = 0; kill < kills; ++kill) {
    Process driver({.path = SPOOL_DRIVER,
                    .arguments = {"run", scratch.path() + "/spool"},
                    .environment = {},
                    .directory = ""});
    // Half of them while they recover, the others at work.
    if (random() % 2 == 0)
      eventually(30s, [&] { return !driver.output().empty() || !driver.running(); });
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 4000));
    driver.signal(SIGKILL);
    const auto status = driver.wait(30s);
    if (status != 128 + SIGKILL) FAIL("after " << kill << " kills: " << driver.log());
  }
}

TEST_CASE("spool F41: the second process on one spool is told who has it") {
  const Scratch scratch;
  const std::string directory = scratch.spool();
  Process first(
      {.path = SPOOL_DRIVER, .arguments = {"hold", directory}, .environment = {}, .directory = ""});
  REQUIRE(eventually(30s, [&] { return first.output() == "ready\n"; }));
  const std::string said = "spool in use by pid " + std::to_string(first.pid()) + ": " + directory;

  const auto second = Spool::open(small_spool(scratch), test_now);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == EWOULDBLOCK);
  CHECK(second.error().message.starts_with(said));

  first.signal(SIGKILL);
  REQUIRE(first.wait(30s));
  CHECK(Spool::open(small_spool(scratch), test_now));
}
