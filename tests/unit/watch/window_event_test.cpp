#include "watch/window_event.hpp"

#include <doctest/doctest.h>

#include <chrono>

using namespace std::chrono_literals;
using namespace tally;

TEST_CASE("window event: its text") {
  LiveState live;
  live.destinations = {{.name = "a",
                        .health = DestinationState::Health::failing,
                        .last_answer = "503",
                        .spool_bytes = 7},
                       {.name = ""}};
  live.ledger.deliveries = {{.queued = 1, .spooled = 2}};
  const WindowSummary window{.span = {WallTime(1'700'000'000'000ms), 10s},
                             .series = 3,
                             .points = 4,
                             .flush = 5ms,
                             .lost = 6,
                             .lost_in_window = 1};
  const History::Found busiest{.total = 1,
                               .matched = 1,
                               .rows = {{.id = 1,
                                         .series = {.kind = Kind::gauge, .name = "g", .tags = {}},
                                         .last = 2,
                                         .rate = 0,
                                         .last_seen = WallTime(1ms),
                                         .spark = {}}}};
  CHECK(
      window_json(window, live, busiest) ==
      R"({"start":1700000000000,"end":1700000010000,"series":3,"points":4,"flush_ms":5,"lost":6,)"
      R"("lost_in_window":1,"destinations":[{"name":"a","state":"failing","queued":1,"spooled":2,)"
      R"("spool_bytes":7,"last_answer":"503"},{"name":"standard output","state":"unknown","queued":0,"spooled":0,)"
      R"("spool_bytes":0,"last_answer":null}],"busiest":[{"id":"0000000000000001","name":"g",)"
      R"("kind":"gauge","tags":{},"last":2,"rate":0,"last_seen":1,"spark":[]}]})");
}

TEST_CASE("events: as a browser reads them") {
  CHECK(event_text("pulse", "{\"a\":1}") == "event: pulse\ndata: {\"a\":1}\n\n");
}
