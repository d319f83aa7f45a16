#include "watch/self_metrics.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "json_value.hpp"
#include "promtool.hpp"
#include "tally/carry.hpp"

using namespace tally;
using namespace tally::testing;

namespace {

const std::vector<std::string> two_listeners = {"udp 127.0.0.1:8125", "unix /run/\"s\\"};
const std::vector<std::string> one_destination = {"near"};
const std::vector<std::string> two_destinations = {"near", "far"};

// A state in which every number is another one.
SelfState busy() {
  SelfState state;
  Ledger& ledger = state.ledger;
  ledger.by_listener.resize(2);
  ledger.by_listener[1] = {.datagrams = 70, .kernel_drops = 1, .lines = 90};
  ledger.by_listener[1].lines_refused[static_cast<std::size_t>(Reason::bad_value)] = 5;
  ledger.ingest = ledger.by_listener[1];
  ledger.deliveries = {{.written = 9, .queued = 4, .dropped_full = 3}, {.written = 8}};
  state.watched.http_requests = {11, 12, 13, 14};
  state.gauges.flush_seconds = 0.25;
  return state;
}

std::string file_text(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// The first Markdown table whose head is that of `table`: from where to where.
std::pair<std::size_t, std::size_t> place_of_table(const std::string& text,
                                                   const std::string& table) {
  const std::size_t begin = text.find(table.substr(0, table.find('\n')));
  REQUIRE(begin != std::string::npos);
  return {begin, text.find("\n\n", begin) + 1};
}

// "tallyd.lines{state=refused}" -> count, "tallyd.series" -> value
std::map<std::string, double> written(const Ledger& before, const Ledger& now,
                                      const SelfGauges& gauges = {}) {
  Snapshot snapshot;
  snapshot.span.interval = std::chrono::seconds(10);
  const std::vector<std::string> listeners = {"udp 127.0.0.1:8125", "unix /run/s"};
  std::vector<std::string> destinations = {"near", "far"};
  destinations.resize(now.deliveries.size());
  add_self_metrics({.ledger = before, .watched = {}, .gauges = {}},
                   {.ledger = now, .watched = {}, .gauges = gauges},
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

TEST_CASE("self metrics: the table in README is the one in the code") {
  const std::string path = PROJECT_DIR "/README.md";
  std::string text = file_text(path);
  const std::string table = self_metrics_table();
  const auto [begin, end] = place_of_table(text, table);
  if (std::getenv("TALLY_RECORD") != nullptr) {
    text.replace(begin, end - begin, table);
    std::ofstream(path) << text;
    return;
  }
  INFO("to write it anew: TALLY_RECORD=1 build/.../tests/unit_watch");
  CHECK(text.substr(begin, end - begin) == table);
}

TEST_CASE("self metrics: in /metrics counters are since the start, and there at zero too") {
  const std::string text = self_metrics_text(busy(), {two_listeners, one_destination, {}});
  for (const char* line : {"# TYPE tallyd_datagrams_total counter\n",
                           "tallyd_datagrams_total{state=\"received\"} 70\n",
                           "tallyd_listener_lines_total{listener=\"udp 127.0.0.1:8125\"} 0\n",
                           "tallyd_listener_lines_total{listener=\"unix /run/\\\"s\\\\\"} 90\n",
                           "tallyd_lines_refused_total{reason=\"bad_value\"} 5\n",
                           "tallyd_lines_refused_total{reason=\"bad_rate\"} 0\n",
                           "tallyd_points_total{state=\"written\"} 9\n", "tallyd_lost_total 9\n",
                           "tallyd_http_requests_total{status=\"5xx\"} 14\n",
                           "# TYPE tallyd_flush_seconds gauge\ntallyd_flush_seconds 0.25\n"}) {
    CAPTURE(line);
    CHECK(text.find(line) != std::string::npos);
  }
}

TEST_CASE(
    "self metrics: /metrics holds no sample twice, and all samples of a name stand together") {
  std::istringstream text(self_metrics_text(busy(), {two_listeners, two_destinations, {}}));
  std::set<std::string> samples, families;
  std::string family;
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("# HELP ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      CHECK_MESSAGE(families.insert(family).second, line);
    } else if (!line.starts_with('#')) {
      CHECK_MESSAGE(samples.insert(line.substr(0, line.rfind(' '))).second, line);
      CHECK_MESSAGE(line.substr(0, line.find_first_of("{ ")) == family, line);
    }
  }
  CHECK(samples.contains("tallyd_points_total{destination=\"far\",state=\"written\"}"));
}

TEST_CASE("self metrics: promtool has nothing to say about /metrics" *
          doctest::skip(!has_promtool())) {
  for (const auto& destinations : {one_destination, two_destinations}) {
    const PromtoolAnswer answer =
        promtool_check(self_metrics_text(busy(), {two_listeners, destinations, {}}));
    CHECK_MESSAGE(answer.status == 0, answer.complaints);
  }
}

TEST_CASE("self metrics: the list for the page is JSON, with meaning, unit and values") {
  const auto json = read_json(self_metrics_json(busy(), {two_listeners, two_destinations, {}}));
  REQUIRE(json);
  std::map<std::string, const JsonValue*> metrics;
  for (const JsonValue& metric : json->items) {
    CHECK(metrics.emplace(metric.member("name")->text, &metric).second);
    CHECK_FALSE(metric.member("meaning")->text.empty());
    CHECK_FALSE(metric.member("unit")->text.empty());
  }
  const JsonValue& points = *metrics.at("tallyd.points");
  CHECK(points.member("prometheus")->text == "tallyd_points_total");
  CHECK(points.member("kind")->text == "counter");
  const JsonValue& written_far = points.member("values")->items.at(2);
  CHECK(written_far.member("tags")->member("destination")->text == "far");
  CHECK(written_far.member("tags")->member("state")->text == "written");
  CHECK(written_far.member("value")->number == 8);
}
