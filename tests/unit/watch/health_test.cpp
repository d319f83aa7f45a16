#include "watch/health.hpp"

#include <doctest/doctest.h>

#include <chrono>

using namespace std::chrono_literals;
using namespace tally;

namespace {

const WallTime noon{1'700'000'000'000ms};

/// Well in every respect, with one destination.
struct Case {
  LiveState live{.now = noon, .last_closed = noon - 5s};
  HealthFacts facts{.interval = 10s, .uptime = 1000s, .since_window = 9s};

  Case() {
    live.destinations = {{.name = "db:8086", .last_answer = "204", .last_success_at = noon - 5s}};
    live.ledger.deliveries = {{}};
  }
};

std::string reasons_of(const Case& each) {
  std::string all;
  for (const std::string& reason : health_reasons(each.live, each.facts)) all += reason + "\n";
  return all;
}

}  // namespace

TEST_CASE("health: each reason by itself, and its boundary") {
  struct Row {
    const char* name;
    void (*change)(Case&);
    const char* reason;
  };
  const Row rows[] = {
      {"all is well", [](Case&) {}, ""},
      {"stopping", [](Case& c) { c.live.is_stopping = true; }, "tallyd is stopping\n"},
      {"said to be down", [](Case& c) { c.facts.is_said_down = true; },
       "it was said to be down; \"health up\" on the admin port ends that\n"},
      {"a receive thread is silent", [](Case& c) { c.live.is_whole = false; },
       "a receive thread does not answer: it hangs, or has no CPU; what it hears is not written\n"},
      {"a window just in time", [](Case& c) { c.facts.since_window = 35s; }, ""},
      {"a window too late", [](Case& c) { c.facts.since_window = 35'001ms; },
       "no window was flushed for 35 s: the machine is overloaded, or tallyd hangs; nothing new is "
       "written\n"},
      {"a dead destination is not asked for",
       [](Case& c) {
         c.live.destinations[0].last_success_at = noon - 1h;
         c.live.ledger.deliveries[0].queued = 9;
       },
       ""},
      {"a dead destination, deep",
       [](Case& c) {
         c.facts.is_deep = true;
         c.live.destinations[0].last_success_at = noon - 91s;
         c.live.destinations[0].last_answer = "503";
         c.live.ledger.deliveries[0] = {.queued = 1000, .spooled = 500};
       },
       "1,500 points wait for db:8086, which has acknowledged none for 91 s; its last answer: "
       "503\n"},
      {"just in time",
       [](Case& c) {
         c.facts.is_deep = true;
         c.live.destinations[0].last_success_at = noon - 90s;
         c.live.ledger.deliveries[0].queued = 1;
       },
       ""},
      {"silent for long, but nothing waits",
       [](Case& c) {
         c.facts.is_deep = true;
         c.live.destinations[0].last_success_at = noon - 1h;
       },
       ""},
      {"never heard of since the start",
       [](Case& c) {
         c.facts.is_deep = true;
         c.live.destinations[0].last_success_at.reset();
         c.live.destinations[0].last_answer.clear();
         c.live.ledger.deliveries[0].spooled = 1;
       },
       "1 points wait for db:8086, which has acknowledged none for 1000 s\n"},
      {"not heard of yet, just started",
       [](Case& c) {
         c.facts.is_deep = true;
         c.facts.uptime = 90s;
         c.live.destinations[0].last_success_at.reset();
         c.live.ledger.deliveries[0].queued = 1;
       },
       ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Case each;
    row.change(each);
    CHECK(reasons_of(each) == row.reason);
  }
}

TEST_CASE("health: all reasons are told together, as JSON") {
  Case each;
  CHECK(health_json(each.live, each.facts, "0.1.0") ==
        R"({"status":"ok","reasons":[],"version":"0.1.0","uptime_s":1000,"windows":0,)"
        R"("last_window":1699999995000})");
  each.live.is_stopping = true;
  each.live.is_whole = false;
  each.live.last_closed.reset();
  each.live.ledger.windows = 3;
  const std::string text = health_json(each.live, each.facts, "0.1.0");
  CHECK(text.starts_with(R"({"status":"failing","reasons":["tallyd is stopping","a receive)"));
  CHECK(text.ends_with(R"("windows":3,"last_window":null})"));
}
