#include "watch/live_documents.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <set>
#include <string>

#include "json_value.hpp"

using namespace std::chrono_literals;
using namespace tally;
using tally::testing::JsonValue;
using tally::testing::read_json;

namespace {

const WallTime noon{1'700'000'000'000ms};

LiveState small_state() {
  LiveState live{.now = noon + 1234ms, .window = noon, .series = 12, .gauges_held = 3};
  live.ledger.ingest = {.datagrams = 10, .bytes = 300, .kernel_drops = 2, .datagrams_empty = 1};
  live.ledger.ingest.lines = 9;
  live.ledger.ingest.lines_accepted = 8;
  live.ledger.ingest.lines_refused[static_cast<std::size_t>(Reason::bad_value)] = 1;
  live.ledger.ingest.samples = 11;
  live.ledger.ingest.samples_late = 4;
  live.ledger.by_listener = {live.ledger.ingest};
  live.ledger.by_listener[0].connections.bytes = 50;
  live.ledger.windows = 7;
  live.ledger.points_flushed = 20;
  live.ledger.deliveries = {{.pushed = 20,
                             .recovered = 1,
                             .written = 15,
                             .queued = 2,
                             .spooled = 1,
                             .dead = 1,
                             .dropped_spool = 2,
                             .attempts = 6,
                             .retries = 1}};
  live.listeners = {{.name = "udp 127.0.0.1:8125", .buffer_fill = 0.25, .receive_buffer = 4096}};
  live.destinations = {{.name = "db:8086",
                        .url = "http://db:8086",
                        .api = "1",
                        .server = "1.6.7",
                        .health = DestinationState::Health::ok,
                        .last_answer = "204",
                        .last_answer_at = noon + 500ms,
                        .last_success_at = noon + 500ms,
                        .queued_bytes = 99,
                        .spool_bytes = 777,
                        .oldest = noon - 5s,
                        .eta = 1500ms}};
  return live;
}

const JsonValue& at(const JsonValue& value, const std::string& name) {
  const JsonValue* const member = value.member(name);
  REQUIRE_MESSAGE(member != nullptr, name);
  return *member;
}

}  // namespace

TEST_CASE("ledger: all of it, exactly") {
  Config config;
  const About about{.version = "0.1.0", .host = "web1", .started = noon - 10s};
  const WatchState watch{.uptime = 11'234ms,
                         .history_series = 12,
                         .history_bytes = 34'000,
                         .history_left_out = 5,
                         .http_connections = 3,
                         .http_connections_max = 128,
                         .http_refused = 6,
                         .http_overdue = 9,
                         .streams = 1,
                         .streams_max = 64,
                         .streams_refused = 7,
                         .readers_slow = 10,
                         .tap_skipped = 8,
                         .memory_resident = 7'000'000};
  CHECK(
      ledger_json(small_state(), config, about, watch) ==
      R"({"now":1700000001234,"version":"0.1.0","host":"web1","started":1699999990000,"uptime_s":11.234,)"
      R"("interval_ms":10000,"window":{"start":1700000000000,"series":12},"whole":true,"balances":true,"lost":5,)"
      R"("datagrams":{"received":10,"dropped_by_kernel":2,"truncated":0,"empty":1,"denied":0,"unread":0,"bytes":300},)"
      R"("lines":{"seen":9,"accepted":8,"refused":1,"refused_by":{"missing_value":0,"missing_type":0,)"
      R"("empty_name":0,"bad_value":1,"bad_rate":0,"bad_timestamp":0,"unknown_type":0,"dialect_off":0,)"
      R"("bad_notice":0,"invalid_utf8":0,"reserved_name":0,"name_too_long":0,"tag_too_long":0,)"
      R"("too_many_tags":0,"series_too_long":0,"truncated":0,"line_too_long":0,"series_limit":0,)"
      R"("overflow":0,"notice_limit":0}},"samples":11,"samples_late":4,"times_ignored":0,"fields_skipped":0,)"
      R"("points":{"flushed":20,"recovered":1,"written":15,"queued":2,"spooled":1,"dead":1,"dropped":2,)"
      R"("dropped_by":{"outbox_full":0,"refused":0,"type_conflict":0,"beyond_retention":0,"series_limit":0,)"
      R"("spool_full":2,"spool_age":0,"spool_damaged":0,"shutdown":0}},)"
      R"("windows":{"closed":7,"late":0,"joined":0},)"
      R"("listeners":[{"name":"udp 127.0.0.1:8125","datagrams":10,"bytes":350,"kernel_drops":2,"lines":9,)"
      R"("refused":1,"denied":0,"connections":0,"buffer_fill":0.25,"receive_buffer":4096}],)"
      R"("destinations":[{"name":"db:8086","url":"http://db:8086","api":"1","server":"InfluxDB 1.6.7",)"
      R"("state":"ok","last_answer":"204","last_answer_at":1700000000500,"last_success_at":1700000000500,)"
      R"("pushed":20,"written":15,"queued":2,"queued_bytes":99,"spooled":1,"spool_bytes":777,"dead":1,)"
      R"("dropped":2,"recovered":1,"requests":6,"retries":1,"backlog_age_ms":6234,"eta_ms":1500}],)"
      R"("limits":[{"name":"series","used":12,"max":1000000,"hit":0},)"
      R"({"name":"gauges_held","used":3,"max":1000000,"hit":0},)"
      R"({"name":"set_members","used":null,"max":4096,"hit":0},)"
      R"({"name":"connections","used":0,"max":1024,"hit":0},)"
      R"({"name":"name_bytes","used":null,"max":512,"hit":0},)"
      R"({"name":"tag_bytes","used":null,"max":256,"hit":0},)"
      R"({"name":"tags","used":null,"max":64,"hit":0},)"
      R"({"name":"series_bytes","used":null,"max":4096,"hit":0},)"
      R"({"name":"line_bytes","used":null,"max":65536,"hit":0},)"
      R"({"name":"notices","used":null,"max":10000,"hit":0},)"
      R"({"name":"outbox_bytes","used":99,"max":67108864,"hit":0},)"
      R"({"name":"spool_bytes","used":777,"max":1073741824,"hit":2},)"
      R"({"name":"history_bytes","used":34000,"max":50331648,"hit":5},)"
      R"({"name":"http_connections","used":3,"max":128,"hit":6},)"
      R"({"name":"http_time","used":null,"max":null,"hit":9},)"
      R"({"name":"http_streams","used":1,"max":64,"hit":7},)"
      R"({"name":"http_readers","used":null,"max":null,"hit":10},)"
      R"({"name":"tap","used":null,"max":null,"hit":8}],)"
      R"("memory":{"resident":7000000},)"
      R"("history":{"series":12,"bytes":34000,"bytes_max":50331648,"left_out":5}})");
}

TEST_CASE("ledger: each limit shows what its counter says") {
  LiveState live = small_state();
  auto& refused = live.ledger.ingest.lines_refused;
  for (std::size_t reason = 0; reason < reason_count; ++reason) refused[reason] = 100 + reason;
  live.ledger.gauges_not_carried = 1;
  live.ledger.sets_estimated = 2;
  live.ledger.ingest.connections.refused = 3;
  live.ledger.deliveries[0].dropped_full = 4;
  const auto document = read_json(ledger_json(live, {}, {}, {}));
  REQUIRE(document);
  std::map<std::string, double> hits;
  for (const JsonValue& limit : at(*document, "limits").items)
    hits[at(limit, "name").text] = at(limit, "hit").number;
  const auto refusals = [&](Reason reason) {
    return 100 + static_cast<double>(static_cast<std::size_t>(reason));
  };
  CHECK(hits["series"] == refusals(Reason::series_limit));
  CHECK(hits["name_bytes"] == refusals(Reason::name_too_long));
  CHECK(hits["tag_bytes"] == refusals(Reason::tag_too_long));
  CHECK(hits["tags"] == refusals(Reason::too_many_tags));
  CHECK(hits["series_bytes"] == refusals(Reason::series_too_long));
  CHECK(hits["line_bytes"] == refusals(Reason::line_too_long));
  CHECK(hits["notices"] == refusals(Reason::notice_limit));
  CHECK(hits["gauges_held"] == 1);
  CHECK(hits["set_members"] == 2);
  CHECK(hits["connections"] == 3);
  CHECK(hits["outbox_bytes"] == 4);
  CHECK(at(*document, "balances").boolean == false);
}

TEST_CASE("ledger: before anything was heard or sent it is whole, and empty") {
  LiveState live{.now = noon, .window = noon, .is_whole = false};
  live.listeners = {{.name = "udp 127.0.0.1:8125"}};
  live.destinations = {{}};
  const auto document = read_json(ledger_json(live, {}, {}, {}));
  REQUIRE(document);
  CHECK_FALSE(at(*document, "whole").boolean);
  const JsonValue& destination = at(*document, "destinations").items.at(0);
  for (const char* name :
       {"server", "last_answer", "last_answer_at", "last_success_at", "backlog_age_ms", "eta_ms"}) {
    CAPTURE(name);
    CHECK(at(destination, name).kind == JsonValue::Kind::null);
  }
  CHECK(at(destination, "name").text == "standard output");
  CHECK(at(destination, "state").text == "unknown");
  CHECK(at(at(*document, "listeners").items.at(0), "datagrams").number == 0);
}

TEST_CASE("refused lines: each with its caret, sender, listener and moment") {
  LiveState live = small_state();
  const Instant now{100s};
  live.refused = {{.reason = Reason::bad_value,
                   .listener = 0,
                   .peer = {.family = Peer::Family::v4, .ip = {127, 0, 0, 1}, .port = 4711},
                   .heard = now - 2s,
                   .text = "a:<b>\x01|c",
                   .caret = 2,
                   .before = 7,
                   .after = 9},
                  {.reason = Reason::truncated, .listener = 9, .heard = now, .after = {}}};
  CHECK(
      refused_json(live, now) ==
      R"({"total":1,"refused":[{"line":"a:<b>\u0001|c","caret":2,"before":7,"after":9,"reason":"bad_value",)"
      R"("sender":"127.0.0.1:4711","listener":"udp 127.0.0.1:8125","at":1699999999234},)"
      R"({"line":"","caret":0,"before":0,"after":null,"reason":"truncated","sender":"local","listener":"","at":1700000001234}]})");
}

TEST_CASE("senders: lines a second of the open window, no younger than a second") {
  LiveState live = small_state();
  live.now = noon + 4s;
  const Peer peer{.family = Peer::Family::v4, .ip = {10, 0, 0, 1}, .port = 1};
  live.senders = {{peer, 2, 80, 10, 1}, {peer, 1, 8, 1, 0}};
  CHECK(senders_json(live, 1) ==
        R"({"by":"sender","window":1700000000000,"rows":[{"name":"10.0.0.1:1","value":2.5,)"
        R"("datagrams":2,"bytes":80,"lines":10,"refused":1}]})");
  live.now = noon + 1ms;
  const auto document = read_json(senders_json(live, 9));
  REQUIRE(document);
  CHECK(at(*document, "rows").items.size() == 2);
  CHECK(at(at(*document, "rows").items[0], "value").number == 10);
}
