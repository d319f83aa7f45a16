#include "watch/admin_text.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "json_value.hpp"
#include "tally/series.hpp"

using namespace tally;
using namespace std::chrono_literals;
using Verb = AdminCommand::Verb;

namespace {

std::string key_of(Kind kind, std::string_view name, const std::vector<Tag>& tags = {},
                   std::int64_t time = 0) {
  SeriesKeyBuilder builder({});
  return std::string(builder.build(kind, name, tags, time));
}

Looked counted(std::string_view name, double number, const std::vector<Tag>& tags = {}) {
  return {.kind = Kind::counter, .key = key_of(Kind::counter, name, tags), .number = number};
}

Looked gauge(std::string_view name, double number, bool is_delta) {
  return {.kind = Kind::gauge,
          .key = key_of(Kind::gauge, name),
          .number = number,
          .is_delta = is_delta};
}

Looked timed(std::string_view name, std::vector<double> values, Kind kind = Kind::timer) {
  return {.kind = kind, .key = key_of(kind, name), .values = std::move(values)};
}

/// As statsd-ruby reads a dump: up to END, with ' for ".
testing::JsonValue as_ruby_reads(std::string answer) {
  const std::size_t end = answer.find("END\n");
  REQUIRE(end != std::string::npos);
  CHECK(answer.substr(end) == "END\n\n");
  answer.resize(end);
  std::ranges::replace(answer, '\'', '"');
  const auto value = testing::read_json(answer);
  REQUIRE_MESSAGE(value.has_value(), answer);
  return *value;
}

}  // namespace

TEST_CASE("admin text: a command is its first word, whatever white space is around the words") {
  struct Row {
    const char* line;
    Verb verb;
    std::vector<std::string> words;
  };
  const Row rows[] = {
      {"stats", Verb::stats, {}},
      {"counters", Verb::counters, {}},
      {"gauges", Verb::gauges, {}},
      {"timers", Verb::timers, {}},
      {"delcounters a b", Verb::delcounters, {"a", "b"}},
      {"delgauges  a.*\t b\r", Verb::delgauges, {"a.*", "b"}},
      {"deltimers", Verb::deltimers, {}},
      {"health down", Verb::health, {"down"}},
      {"config", Verb::config, {}},
      {"quit", Verb::quit, {}},
      {"help\r", Verb::help, {}},
      {"  stats foo ", Verb::stats, {"foo"}},
      {"", Verb::nothing, {}},
      {" \t\r", Verb::nothing, {}},
      {"STATS", Verb::unknown, {}},
      {"stat", Verb::unknown, {}},
      {"statss", Verb::unknown, {}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.line);
    const AdminCommand command = read_admin_command(row.line);
    CHECK(command.verb == row.verb);
    CHECK(command.words == row.words);
  }
}

TEST_CASE("admin text: only what changes nothing may be obeyed before its line ends") {
  for (const char* line :
       {"help", "stats", "counters", "gauges", "timers", "config", "quit", "health"}) {
    CAPTURE(line);
    CHECK(only_reads(read_admin_command(line)));
  }
  for (const char* line :
       {"delcounters a", "delgauges a", "deltimers a", "health up", "health down", "", "stat"}) {
    CAPTURE(line);
    CHECK_FALSE(only_reads(read_admin_command(line)));
  }
}

TEST_CASE("admin text: counters are those of the open window, and known ones at 0, by name") {
  const std::vector<AdminName> known = {{"idle", Kind::counter}, {"api.hits", Kind::counter}};
  CHECK(counters_answer({counted("api.hits", 3.5), counted("a", 1, {{"env", "prod"}, {"b", "c"}}),
                         counted("big", 1e21), counted("neg", -3)},
                        known) == R"({
  'a;b=c;env=prod': 1,
  'api.hits': 3.5,
  'big': 1e+21,
  'idle': 0,
  'neg': -3
}
END

)");
  CHECK(counters_answer({}, {}) == "{}\nEND\n\n");
}

TEST_CASE("admin text: late samples count with the others of their name; late gauges do not") {
  Looked late = counted("a", 2);
  late.key = key_of(Kind::counter, "a", {}, 1700000000);
  CHECK(counters_answer({counted("a", 1), late}, {}) == "{\n  'a': 3\n}\nEND\n\n");
  Looked late_gauge = gauge("g", 2, false);
  late_gauge.key = key_of(Kind::gauge, "g", {}, 1700000000);
  CHECK(gauges_answer({late_gauge}, {{key_of(Kind::gauge, "g"), 7}}) == "{\n  'g': 7\n}\nEND\n\n");
}

TEST_CASE("admin text: gauges are the carried ones, as the open window has set and moved them") {
  CHECK(gauges_answer({gauge("moved", -3, true), gauge("set", 5, false), gauge("new", 2, true)},
                      {{key_of(Kind::gauge, "moved"), 10},
                       {key_of(Kind::gauge, "set"), 10},
                       {key_of(Kind::gauge, "idle", {{"k", "v"}}), 1.5}}) == R"({
  'idle;k=v': 1.5,
  'moved': 7,
  'new': 2,
  'set': 5
}
END

)");
}

TEST_CASE("admin text: of what two receive threads heard of a gauge a set beats deltas") {
  const std::string answer = "{\n  'g': 5\n}\nEND\n\n";
  CHECK(gauges_answer({gauge("g", 5, false), gauge("g", 2, true)}, {}) == answer);
  CHECK(gauges_answer({gauge("g", 2, true), gauge("g", 5, false)}, {}) == answer);
}

TEST_CASE("admin text: timers are lists of values") {
  CHECK(timers_answer({timed("t", {12, 7.5, 9}), timed("one", {1})},
                      {{"idle", Kind::timer}, {"t", Kind::timer}}) == R"({
  'idle': [],
  'one': [ 1 ],
  't': [ 12, 7.5, 9 ]
}
END

)");
}

TEST_CASE("admin text: a timer and a histogram of one name have a line each") {
  CHECK(timers_answer({timed("t", {3}, Kind::distribution), timed("t", {2}, Kind::histogram),
                       timed("t", {1}), timed("u", {4}, Kind::histogram)},
                      {}) == R"({
  't': [ 1 ],
  't (histogram)': [ 2 ],
  't (distribution)': [ 3 ],
  'u': [ 4 ]
}
END

)");
}

TEST_CASE("admin text: timers whose values are not kept are named") {
  CHECK(timers_answer({timed("busy", {}), timed("t", {1})}, {{"idle", Kind::timer}}) == R"({
  'busy': [],
  'idle': [],
  't': [ 1 ],
  'tallyd.too_many_values': [ 'busy' ]
}
END

)");
}

TEST_CASE("admin text: no name breaks a dump") {
  const std::vector<std::string> names = {"it's", "a\"b",   "'", "a': 1, 'b", "END", "a b\nEND\n\n",
                                          "é",    "\u2028", "}", "a\tb\x7f",  "\\"};
  std::vector<Looked> open;
  std::vector<Looked> timers;
  for (const std::string& name : names) {
    open.push_back(counted(name, 1, {{"k'\"", "v'\""}}));
    timers.push_back(timed(name, {}));
  }
  const testing::JsonValue numbers = as_ruby_reads(counters_answer(open, {}));
  const testing::JsonValue lists = as_ruby_reads(timers_answer(timers, {}));
  CHECK(numbers.members.size() == names.size());
  CHECK(lists.members.size() == names.size() + 1);
  for (const Looked& looked : open) {
    const std::string name = admin_name(looked.key).name;
    CAPTURE(name);
    REQUIRE(numbers.member(name) != nullptr);
    CHECK(numbers.member(name)->number == 1);
  }
  REQUIRE(numbers.member("it's;k'\"=v'\"") != nullptr);
}

TEST_CASE("admin text: what names cannot hold would not break a dump either") {
  const std::string hostile = "a\nEND\n\n\\'\"\x01";
  const testing::JsonValue dump = as_ruby_reads(counters_answer({}, {{hostile, Kind::counter}}));
  CHECK(dump.member(hostile) != nullptr);
}

TEST_CASE("admin text: a name that is no UTF-8, and a number that is none, do not break a dump") {
  const testing::JsonValue dump = as_ruby_reads(
      counters_answer({counted("a\xff", std::numeric_limits<double>::infinity())}, {}));
  REQUIRE(dump.member("a\uFFFD") != nullptr);
  CHECK(dump.member("a\uFFFD")->kind == testing::JsonValue::Kind::null);
}

TEST_CASE("admin text: a dump that was cut says after how many, and can still be read") {
  CHECK(counters_answer({counted("a", 1), counted("b", 2)}, {}, 11) ==
        "{\n  'a': 1,\n  'tallyd.cut_after': 1\n}\nEND\n\n");
  CHECK(timers_answer({timed("a", {1}), timed("b", {2})}, {}, 18) ==
        "{\n  'a': [ 1 ],\n  'tallyd.cut_after': [ 1 ]\n}\nEND\n\n");
  CHECK(counters_answer({counted("a", 1)}, {}, 0) == "{\n  'tallyd.cut_after': 0\n}\nEND\n\n");

  std::vector<Looked> most(Insight::looked_max, counted("a", 1));
  const std::string cut = "{\n  'a': 10000,\n  'tallyd.cut_after': 1\n}\nEND\n\n";
  CHECK(counters_answer(most, {}) == cut);
  most.pop_back();
  CHECK(counters_answer(most, {}) == "{\n  'a': 9999\n}\nEND\n\n");
  CHECK(as_ruby_reads(counters_answer({}, std::vector<AdminName>(Insight::looked_max)))
            .member("tallyd.cut_after") != nullptr);
  std::map<std::string, double> carried;
  for (std::size_t i = 0; i < Insight::looked_max; ++i)
    carried[key_of(Kind::gauge, std::to_string(i))] = 1;
  CHECK(as_ruby_reads(gauges_answer({}, carried)).member("tallyd.cut_after")->number == 10'000);
}

TEST_CASE("admin text: each deleted name is told once, and each pattern that met nothing") {
  const std::vector<AdminDeleted> deleted = {
      {"a.*",
       {key_of(Kind::timer, "a.t", {{"k", "v"}}), key_of(Kind::histogram, "a.b"),
        key_of(Kind::timer, "a.b"), key_of(Kind::timer, "a.b", {}, 1700000000)}},
      {"no such", {}},
      {"x", {key_of(Kind::timer, "x")}}};
  CHECK(deleted_answer(deleted) == R"(deleted: a.b
deleted: a.t;k=v
metric no such not found
deleted: x
END

)");
  CHECK(deleted_answer({}) == "END\n\n");
  CHECK(deleted_answer({{"x", {key_of(Kind::timer, "x")}, 7}}) ==
        "deleted: x\ndeleted: 7 more\nEND\n\n");
  CHECK(deleted_answer(deleted, 20) == R"(deleted: a.b
deleted: a.t;k=v
metric no such not found
deleted: 1 more
END

)");
}

TEST_CASE("admin text: stats have the original's lines, the first destination as graphite too") {
  LiveState live;
  live.now = WallTime(1'700'000'100'900ms);
  live.last_heard = live.now - 2500ms;
  live.ledger.ingest.lines_refused[0] = 3;
  live.ledger.ingest.kernel_drops = 4;
  live.destinations.resize(2);
  live.destinations[0] = {.name = "db:8086",
                          .last_success_at = live.now - 10s,
                          .last_failure_at = live.now - 70s,
                          .last_write_took = 12ms,
                          .last_write_bytes = 1310};
  live.destinations[1].name = "other";
  CHECK(stats_answer(live, 100s) == R"(uptime: 100
messages.last_msg_seen: 2
messages.bad_lines_seen: 3
graphite.last_flush: 10
graphite.last_exception: 70
graphite.flush_time: 12
graphite.flush_length: 1310
db:8086.last_flush: 10
db:8086.last_exception: 70
db:8086.flush_time: 12
db:8086.flush_length: 1310
other.last_flush: 100
other.last_exception: 1700000100
other.flush_time: 0
other.flush_length: 0
tallyd.lost: 7
END

)");
}

TEST_CASE("admin text: before anything was heard ages are the uptime, and none is negative") {
  LiveState live;
  live.now = WallTime(1'700'000'000'000ms);
  live.destinations.resize(1);
  for (const char* name : {"graphite", ""}) {
    live.destinations[0] = {.name = name, .last_success_at = live.now + 5s};
    CHECK(stats_answer(live, 7s) == R"(uptime: 7
messages.last_msg_seen: 7
messages.bad_lines_seen: 0
graphite.last_flush: 0
graphite.last_exception: 1700000000
graphite.flush_time: 0
graphite.flush_length: 0
tallyd.lost: 0
END

)");
  }
}

TEST_CASE("admin text: the configuration is a line a key, with its origin and without secrets") {
  ConfigSources sources;
  sources.sets = {"influxdb.username=ann", "influxdb.password=hunter2", "tags.host=a = b"};
  const Result<LoadedConfig> loaded = load_config(sources);
  REQUIRE(loaded);
  const std::string text = config_answer(config_to_toml(loaded.value()));
  CAPTURE(text);
  CHECK(text.starts_with("\nflush > interval: \"10s\"  # default\n"));
  CHECK(text.find("\ntags > host: \"a = b\"  # --set\n") != std::string::npos);
  CHECK(text.find("\ninfluxdb > password: \"********\"  # --set\n") != std::string::npos);
  CHECK(text.find("\ninfluxdb > name: \"\"  # default\n") != std::string::npos);
  CHECK(text.find("hunter2") == std::string::npos);
  CHECK(text.find('[') == text.find("[50, 75"));
  CHECK(static_cast<std::size_t>(std::ranges::count(text, '\n')) == config_keys().size() + 1);
}

TEST_CASE("admin text: what is left") {
  CHECK(health_answer(true) == "health: up\n");
  CHECK(health_answer(false) == "health: down\n");
  CHECK(help_answer() ==
        "Commands: stats, counters, timers, gauges, delcounters, deltimers, delgauges, health, "
        "config, quit\n\n");
}
