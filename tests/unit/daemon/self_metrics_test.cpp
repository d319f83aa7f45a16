#include "daemon/self_metrics.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "tally/carry.hpp"

using namespace tally;

namespace {

// "tallyd.lines{state=refused}" -> count, "tallyd.series" -> value
std::map<std::string, double> written(const Ledger& before, const Ledger& now,
                                      const SelfGauges& gauges = {}) {
  Snapshot snapshot;
  snapshot.span.interval = std::chrono::seconds(10);
  const std::vector<std::string> listeners = {"udp 127.0.0.1:8125", "unix /run/s"};
  std::vector<std::string> destinations = {"near", "far"};
  destinations.resize(now.deliveries.size());
  add_self_metrics(before, now, gauges,
                   {.listeners = listeners, .destinations = destinations, .static_tags = {}},
                   snapshot);
  std::map<std::string, double> values;
  const auto name_of = [](std::string_view key) {
    const Series series = split_series_key(key);
    std::string name(series.name);
    for (const TagView& tag : series.tags)
      name += "{" + std::string(tag.key) + "=" + std::string(tag.value) + "}";
    return name;
  };
  for (const auto& counter : snapshot.counters) {
    CHECK(counter.rate == doctest::Approx(counter.count / 10));
    CHECK(values.emplace(name_of(counter.key), counter.count).second);
  }
  for (const auto& gauge : snapshot.gauges)
    CHECK(values.emplace(name_of(gauge.key), gauge.value).second);
  return values;
}

}  // namespace

TEST_CASE(
    "self metrics: the core counters are written at zero too, those by reason only when they "
    "moved") {
  Ledger nothing;
  nothing.deliveries.resize(1);
  const auto values = written({}, nothing, {.outbox_bytes = {0}});
  for (const char* name :
       {"tallyd.datagrams{state=received}", "tallyd.datagrams{state=dropped_by_kernel}",
        "tallyd.lines{state=accepted}", "tallyd.lines{state=refused}",
        "tallyd.points{state=flushed}", "tallyd.points{state=written}",
        "tallyd.points{state=dropped}", "tallyd.lost", "tallyd.points_queued",
        "tallyd.outbox_bytes", "tallyd.series"}) {
    CAPTURE(name);
    REQUIRE(values.contains(name));
    CHECK(values.at(name) == 0);
  }
  CHECK_FALSE(values.contains("tallyd.lines_refused{reason=bad_value}"));
}

TEST_CASE("self metrics: counters are what happened between two ledgers, gauges what is now") {
  Ledger before;
  before.ingest.lines_accepted = 100;
  before.deliveries = {{.written = 7}};
  Ledger now = before;
  now.ingest.lines_accepted = 142;
  now.ingest.kernel_drops = 5;
  now.ingest.lines_refused[static_cast<std::size_t>(Reason::bad_rate)] = 3;
  now.deliveries = {{.written = 9, .queued = 11, .dropped_full = 4}};
  const auto values = written(before, now, {.series = 17, .receive_buffer_fill = 0.25});
  CHECK(values.at("tallyd.lines{state=accepted}") == 42);
  CHECK(values.at("tallyd.lines{state=refused}") == 3);
  CHECK(values.at("tallyd.lines_refused{reason=bad_rate}") == 3);
  CHECK(values.at("tallyd.datagrams{state=dropped_by_kernel}") == 5);
  CHECK(values.at("tallyd.points{state=written}") == 2);
  CHECK(values.at("tallyd.points{state=dropped}") == 4);
  CHECK(values.at("tallyd.points_dropped{reason=outbox_full}") == 4);
  CHECK(values.at("tallyd.lost") == 12);
  CHECK(values.at("tallyd.points_queued") == 11);
  CHECK(values.at("tallyd.series") == 17);
  CHECK(values.at("tallyd.receive_buffer_fill") == 0.25);
}

TEST_CASE("self metrics: of several destinations each has its name, of one none") {
  Ledger before, now;
  now.deliveries = {{.written = 9}, {.recovered = 3, .spooled = 5, .dead = 2}};
  const auto values = written(before, now, {.outbox_bytes = {1, 2}, .spool_bytes = {0, 4096}});
  CHECK(values.at("tallyd.points{destination=near}{state=written}") == 9);
  CHECK(values.at("tallyd.points{destination=far}{state=written}") == 0);
  CHECK(values.at("tallyd.points{destination=far}{state=recovered}") == 3);
  CHECK(values.at("tallyd.points{destination=far}{state=dead_lettered}") == 2);
  CHECK(values.at("tallyd.points_spooled{destination=far}") == 5);
  CHECK(values.at("tallyd.spool_bytes{destination=far}") == 4096);
  CHECK(values.at("tallyd.outbox_bytes{destination=near}") == 1);
  CHECK_FALSE(values.contains("tallyd.points{state=written}"));
  CHECK(values.contains("tallyd.points{state=flushed}"));
}

TEST_CASE("self metrics: what moved at a listener is told with its name, and only that") {
  Ledger before, now;
  before.by_listener.resize(1);
  now.by_listener.resize(2);
  before.by_listener[0].lines = 10;
  now.by_listener[0].lines = 12;
  now.by_listener[1].connections.accepted = 3;
  now.by_listener[1].lines_refused[static_cast<std::size_t>(Reason::bad_value)] = 5;
  const auto values = written(before, now);
  CHECK(values.at("tallyd.listener.lines{listener=udp 127.0.0.1:8125}") == 2);
  CHECK(values.at("tallyd.listener.refused{listener=unix /run/s}{reason=bad_value}") == 5);
  CHECK(values.at("tallyd.listener.connections{listener=unix /run/s}{state=accepted}") == 3);
  CHECK_FALSE(values.contains("tallyd.listener.lines{listener=unix /run/s}"));
}
