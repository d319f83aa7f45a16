// All that tallyd serves, over real connections: an Insight that the test fills, and the real
// History.

#include "watch/watch.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/gzip.hpp"
#include "fake_insight.hpp"
#include "json_value.hpp"
#include "loop_client.hpp"
#include "tcpdump.hpp"

using namespace std::chrono_literals;
using namespace tally;
using tally::testing::FakeInsight;
using tally::testing::GuardedLoop;
using tally::testing::JsonValue;
using tally::testing::LoopClient;
using tally::testing::parse_answer;
using tally::testing::ParsedAnswer;
using tally::testing::read_json;
using tally::testing::series_key;

namespace {

const WallTime noon{1'700'000'000'000ms};
const Peer sender{.family = Peer::Family::v4, .ip = {127, 0, 0, 1}, .port = 4711};
const std::string page(20'000, 'p');
const std::string packed_page = *gzip(page);
const Asset assets[] = {{"/", "text/html; charset=utf-8", packed_page},
                        {"/page.js", "text/javascript; charset=utf-8", packed_page}};

struct Options {
  Config::Http http{.listen = ListenAddress{"127.0.0.1", 0}};
  std::string token = {};
};

/// Served on a port of its own, with a clock that only the test moves.
struct Site : GuardedLoop {
  FakeInsight insight;
  History history{{.percents = {50}, .hash_seed = 1}};
  Instant now{1000s};
  bool is_said_down = false;
  std::optional<Watch> watch;
  ListenAddress address;

  explicit Site(Options options = {}) {
    insight.state.now = noon;
    insight.state.listeners = {{.name = "udp 127.0.0.1:8125"}, {.name = "unix /run/s"}};
    insight.state.destinations = {{.name = "db"}};
    insight.state.ledger.deliveries = {{}};
    insight.loaded.config.http = options.http;
    watch.emplace(loop,
                  Watch::Sources{.insight = insight,
                                 .history = history,
                                 .assets = assets,
                                 .metrics =
                                     [](const LiveState& live) {
                                       return "tallyd_series " + std::to_string(live.series) + "\n";
                                     },
                                 .is_said_down = [this] { return is_said_down; },
                                 .now = [this] { return now; }},
                  Watch::Settings{.http = options.http,
                                  .token = options.token,
                                  .about = {.version = "0.1.0", .host = "web1", .started = noon}});
    const auto opened = watch->open();
    REQUIRE_MESSAGE(opened, opened.error().message);
    REQUIRE(opened.value().names.size() == 1);
    address = parse_listen_address(opened.value().names[0].substr(5)).value();
  }
  ~Site() { watch.reset(); }
  Site(const Site&) = delete;

  ParsedAnswer ask(std::string_view method, std::string_view target, std::string_view more = "") {
    now += 1s;  // what was known is old
    LoopClient client(loop, address);
    client.send(std::string(method) + " " + std::string(target) +
                " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + std::string(more) +
                "\r\n");
    until([&] { return client.is_closed; });
    return parse_answer(client.received);
  }
  ParsedAnswer get(std::string_view target, std::string_view more = "") {
    return ask("GET", target, more);
  }

  /// A window of counters: "a" counts 1, "b" 2 and so on.
  void add_window(const std::vector<std::string>& names, WallTime start = noon) {
    Snapshot snapshot;
    snapshot.span = {start, 10s};
    snapshot.percents = {50};
    for (const std::string& name : names) {
      const double count = static_cast<double>(snapshot.counters.size() + 1);
      snapshot.owned_keys.push_back(series_key(Kind::counter, name, {{"env", "prod"}}));
      snapshot.counters.push_back({snapshot.owned_keys.back(), count, count / 10, 1});
    }
    const Sender senders[] = {{}, {.peer = sender}};
    history.begin(snapshot.span, senders);
    history.note(snapshot);
    history.end();
  }
};

/// One who reads a stream.
struct Reader : LoopClient {
  Reader(Site& site, std::string_view target, Options options = {})
      : LoopClient(site.loop, site.address, options) {
    send("GET " + std::string(target) + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  }
  std::string body() const { return parse_answer(received).body; }
  bool has(std::string_view text) const { return body().find(text) != std::string::npos; }
};

const JsonValue& at(const JsonValue& value, const std::string& name) {
  const JsonValue* const member = value.member(name);
  REQUIRE_MESSAGE(member != nullptr, name);
  return *member;
}

JsonValue json_of(const ParsedAnswer& answer) {
  CHECK(answer.header("Content-Type") == "application/json");
  const auto value = read_json(answer.body);
  REQUIRE_MESSAGE(value, answer.body);
  return *value;
}

std::size_t occurrences(std::string_view text, std::string_view of) {
  std::size_t count = 0;
  for (std::size_t at = text.find(of); at != text.npos; at = text.find(of, at + 1)) ++count;
  return count;
}

/// What comes in, said to all who tap.
void tap_in(Site& site, const std::vector<Tapped>& pieces, std::uint64_t skipped = 0) {
  const auto taps = site.insight.taps;  // a copy: a tap may end itself
  for (const auto& [id, on_tapped] : taps) on_tapped(pieces, skipped);
}

Tapped piece_of(std::string_view bytes, std::uint32_t listener = 0) {
  return {.at = noon + 1ms,
          .listener = listener,
          .peer = sender,
          .is_truncated = false,
          .bytes = bytes};
}

}  // namespace

TEST_CASE("watch: every answer carries what keeps a browser from making something else of it") {
  Site site;
  site.add_window({"a"});
  for (const char* target : {"/", "/health", "/metrics", "/api/v1/ledger", "/api/v1/series",
                             "/api/v1/refused", "/api/v1/top", "/api/v1/config", "/nothing",
                             "/api/v1/series?limit=0", "/api/v1/series/0"}) {
    CAPTURE(target);
    const ParsedAnswer answer = site.get(target);
    CHECK(answer.status != 0);
    CHECK(answer.header("X-Content-Type-Options") == "nosniff");
    CHECK(answer.header("Referrer-Policy") == "no-referrer");
    CHECK(answer.header("Cache-Control") == "no-cache");
    CHECK(answer.header("Content-Security-Policy").value_or("").starts_with("default-src 'none';"));
    CHECK(answer.header("Content-Type"));
    CHECK_FALSE(answer.header("Access-Control-Allow-Origin"));
  }
}

TEST_CASE("watch: HEAD gets what GET gets, without the body") {
  Site site;
  site.add_window({"a"});
  for (const char* target : {"/", "/health", "/metrics", "/api/v1/ledger", "/api/v1/series",
                             "/api/v1/top?by=tag", "/nothing"}) {
    CAPTURE(target);
    const ParsedAnswer get = site.get(target);
    const ParsedAnswer head = site.ask("HEAD", target);
    CHECK(head.status == get.status);
    CHECK(head.header("Content-Type") == get.header("Content-Type"));
    CHECK(head.body.empty());
    CHECK(std::stoul(head.header("Content-Length").value_or("0")) == get.body.size());
  }
}

TEST_CASE("watch: /health is 200 or 503 with reasons, and needs no more than an answer") {
  Site site;
  CHECK(site.get("/health").status == 200);
  site.now += 30s;
  CHECK(site.get("/health").status == 200);
  site.now += 10s;
  const ParsedAnswer late = site.get("/health");
  CHECK(late.status == 503);
  CHECK(at(json_of(late), "status").text == "failing");
  site.watch->on_window({.span = {noon, 10s}});
  CHECK(site.get("/health").status == 200);
  site.is_said_down = true;
  CHECK(at(json_of(site.get("/health")), "reasons").items.size() == 1);
  site.is_said_down = false;
  site.insight.state.is_stopping = true;
  CHECK(site.get("/health").status == 503);
  site.insight.state.is_stopping = false;
  site.insight.state.ledger.deliveries[0].queued = 1;
  site.insight.state.destinations[0].last_success_at = noon - 1h;
  CHECK(site.get("/health").status == 200);
  CHECK(site.get("/health?deep").status == 503);
  CHECK(site.get("/health?deep=0").status == 200);
}

TEST_CASE("watch: /metrics is text of its own kind, of this moment") {
  Site site;
  site.insight.state.series = 12;
  const ParsedAnswer answer = site.get("/metrics");
  CHECK(answer.status == 200);
  CHECK(answer.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8");
  CHECK(answer.body == "tallyd_series 12\n");
}

TEST_CASE("watch: the ledger knows the server's own state too") {
  Site site;
  site.add_window({"a", "b"});
  site.insight.state.ledger.ingest.kernel_drops = 3;
  Reader reader(site, "/api/v1/stream");
  REQUIRE(site.until([&] { return site.watch->streams() == 1; }));
  const JsonValue ledger = json_of(site.get("/api/v1/ledger"));
  CHECK(at(ledger, "lost").number == 3);
  CHECK(at(ledger, "host").text == "web1");
  CHECK(at(ledger, "uptime_s").number == 1);
  CHECK(at(at(ledger, "history"), "series").number == 2);
  CHECK(at(at(ledger, "memory"), "resident").number > 1e6);
  const auto& limits = at(ledger, "limits").items;
  const auto streams = std::ranges::find(
      limits, "http_streams", [](const JsonValue& limit) { return limit.member("name")->text; });
  REQUIRE(streams != limits.end());
  CHECK(at(*streams, "used").number == 1);
  CHECK(at(*streams, "max").number == 64);
}

TEST_CASE("watch: series are found, and one is shown by its id") {
  Site site;
  site.add_window({"api.hits", "api.misses", "other"});
  const JsonValue found = json_of(site.get("/api/v1/series?match=api.*&sort=last&limit=1"));
  CHECK(at(found, "total").number == 3);
  CHECK(at(found, "matched").number == 2);
  REQUIRE(at(found, "series").items.size() == 1);
  const JsonValue& row = at(found, "series").items[0];
  CHECK(at(row, "name").text == "api.misses");
  const JsonValue one = json_of(site.get("/api/v1/series/" + at(row, "id").text));
  CHECK(at(one, "name").text == "api.misses");
  CHECK(at(one, "last_sender").text == "127.0.0.1:4711");
  CHECK(at(one, "line").text == "api.misses.count,env=prod count=2,rate=0.2 1700000000");
  CHECK(at(at(one, "fields"), "count").items.size() == at(one, "windows").items.size());
}

TEST_CASE("watch: rankings, live and of the last window") {
  Site site;
  CHECK(at(json_of(site.get("/api/v1/top?by=bytes")), "window").kind == JsonValue::Kind::null);
  site.add_window({"api.hits", "api.misses", "other", "tallyd.lines"});
  site.insight.state.senders = {{sender, 1, 2, 3, 0}};
  const auto first = [&](const std::string& by) {
    const JsonValue top = json_of(site.get("/api/v1/top?limit=1&by=" + by));
    CHECK(at(top, "by").text == by);
    REQUIRE(at(top, "rows").items.size() == 1);
    return at(at(top, "rows").items[0], "name").text;
  };
  CHECK(first("rate") == "other");  // ours would be first
  CHECK(first("series") == "api.*");
  CHECK(first("bytes") == "tallyd.lines");  // theirs take room too
  CHECK(first("tag") == "env");
  CHECK(first("sender") == "127.0.0.1:4711");
  CHECK(at(json_of(site.get("/api/v1/top")), "by").text == "rate");
}

TEST_CASE("watch: a ranking is made once a window, and anew for the next") {
  Site site;
  site.add_window({"first"});
  const auto name = [&] {
    return at(at(json_of(site.get("/api/v1/top?by=bytes")), "rows").items.at(0), "name").text;
  };
  CHECK(name() == "first");
  site.add_window({"second_one"}, noon + 10s);
  CHECK(name() == "second_one");
}

TEST_CASE("watch: refused lines and the configuration") {
  Site site;
  site.insight.state.refused = {{.reason = Reason::bad_value,
                                 .peer = sender,
                                 .heard = site.now,
                                 .text = "a:x|c",
                                 .caret = 2}};
  const JsonValue refused = json_of(site.get("/api/v1/refused"));
  CHECK(at(at(refused, "refused").items.at(0), "line").text == "a:x|c");
  site.insight.loaded.config.influxdb[0].password = "hush";
  const ParsedAnswer answer = site.get("/api/v1/config");
  CHECK(answer.body.find("hush") == std::string::npos);
  const JsonValue config = json_of(answer);
  CHECK(at(config, "config").text == config_to_toml(site.insight.loaded));
  for (const auto& entry : config_values(site.insight.loaded.config)) {
    CAPTURE(entry.first);
    CHECK(at(config, "values").member(entry.first) != nullptr);
  }
  CHECK(at(at(config, "values"), "flush.percentiles").items.size() == 5);
}

TEST_CASE("watch: what cannot be is an error in JSON that says what to do") {
  Site site;
  struct Row {
    const char* method;
    const char* target;
    int status;
    const char* says;
  };
  const Row rows[] = {
      {"GET", "/api/v1/series?limit=0", 400, "limit must be a whole number from 1 to 1000"},
      {"GET", "/api/v1/top?by=x", 400, "by must be one of"},
      {"GET", "/api/v1/tap?limit=x", 400, "limit must be"},
      {"GET", "/api/v1/capture?seconds=0", 400, "seconds must be"},
      {"GET", "/api/v1/series/0123456789abcdef", 404, "no series of this id"},
      {"GET", "/api/v1/series/x", 404, "no series of this id"},
      {"GET", "/api/v1/", 404, "try /, /health"},
      {"GET", "/etc/passwd", 404, "try /, /health"},
      {"GET", "/../health", 404, "try /, /health"},
      {"POST", "/api/v1/ledger", 405, "GET, HEAD only"},
      {"DELETE", "/", 405, "GET, HEAD only"},
      {"GET", "/api/v1/quit", 405, "POST only"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.target);
    const ParsedAnswer answer = site.ask(row.method, row.target);
    CHECK(answer.status == row.status);
    CHECK(at(json_of(answer), "error").text.find(row.says) != std::string::npos);
  }
}

TEST_CASE("watch: a page of another site, or one that is called by another name, gets nothing") {
  Site site({.http = {.listen = ListenAddress{"127.0.0.1", 0}, .hosts = {"tally.example"}}});
  for (const char* target : {"/", "/health", "/api/v1/ledger", "/api/v1/stream", "/nothing"}) {
    CAPTURE(target);
    CHECK(site.get(target, "Origin: http://evil.example\r\n").status == 403);
    CHECK(site.get(target, "Sec-Fetch-Site: cross-site\r\n").status == 403);
    LoopClient rebound(site.loop, site.address);
    rebound.send("GET " + std::string(target) +
                 " HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
    REQUIRE(site.until([&] { return rebound.is_closed; }));
    CHECK(parse_answer(rebound.received).status == 421);
  }
  LoopClient named(site.loop, site.address);
  named.send("GET /health HTTP/1.1\r\nHost: tally.example\r\nConnection: close\r\n\r\n");
  REQUIRE(site.until([&] { return named.is_closed; }));
  CHECK(parse_answer(named.received).status == 200);
}

TEST_CASE("watch: with a token all but /health and the page's own files want it") {
  Site site({.token = "s3cret"});
  site.add_window({"a"});
  for (const char* target : {"/", "/page.js", "/health"}) {
    CAPTURE(target);
    CHECK(site.get(target).status == 200);
  }
  for (const char* target : {"/metrics", "/api/v1/ledger", "/api/v1/series", "/api/v1/stream",
                             "/api/v1/tap", "/api/v1/capture", "/api/v1/config", "/nothing"}) {
    CAPTURE(target);
    const ParsedAnswer refused = site.get(target, "Authorization: Bearer wrong\r\n");
    CHECK(refused.status == 401);
    CHECK(refused.header("WWW-Authenticate") == "Bearer");
    CHECK(site.get(target).status == 401);
  }
  CHECK(site.get("/api/v1/ledger", "Authorization: Bearer s3cret\r\n").status == 200);
  CHECK(site.insight.taps.empty());
}

TEST_CASE("watch: an address that others reach is not served without a token") {
  GuardedLoop loop;
  FakeInsight insight;
  const History history{{}};
  for (const char* address : {"0.0.0.0:0", "*:0", "[::]:0"}) {
    CAPTURE(address);
    const Config::Http http{.listen = parse_listen_address(address).value(), .token_file = "/f"};
    Watch watch(loop.loop,
                {.insight = insight, .history = history, .now = [] { return Instant(); }},
                {.http = http});
    const auto opened = watch.open();
    REQUIRE_FALSE(opened);
    CHECK(opened.error().message.find("http.token_file") != std::string::npos);
  }
}

TEST_CASE("watch: it may be off, and a port that is taken is an error that names its key") {
  Site site;
  const auto open = [&](std::optional<ListenAddress> listen) {
    Watch watch(site.loop,
                {.insight = site.insight, .history = site.history, .now = [] { return Instant(); }},
                {.http = {.listen = std::move(listen)}});
    watch.on_window({.span = {noon, 10s}});
    return watch.open();
  };
  CHECK(open({}).value().names.empty());
  const auto taken = open(site.address);
  REQUIRE_FALSE(taken);
  CHECK(taken.error().code == EADDRINUSE);
  CHECK(taken.error().message.find("http.listen") != std::string::npos);
  const auto both = open(ListenAddress{"localhost", 0});
  REQUIRE(both);
  CHECK(both.value().names.size() + both.value().warnings.size() == 2);
}

TEST_CASE("watch: quit needs http.quit, POST and a header that no form can send") {
  const std::string by = "X-Requested-By: test\r\n";
  Site closed;
  CHECK(closed.ask("POST", "/api/v1/quit", by).status == 403);
  CHECK(closed.insight.stopped_by.empty());
  Site site({.http = {.listen = ListenAddress{"127.0.0.1", 0}, .quit = true}});
  CHECK(site.ask("POST", "/api/v1/quit").status == 403);
  CHECK(site.ask("GET", "/api/v1/quit", by).status == 405);
  CHECK(site.ask("POST", "/api/v1/quit", by + "Origin: http://evil.example\r\n").status == 403);
  CHECK(site.insight.stopped_by.empty());
  const ParsedAnswer stopping = site.ask("POST", "/api/v1/quit", by + "Content-Length: 0\r\n");
  CHECK(stopping.status == 202);
  CHECK(at(json_of(stopping), "stopping").boolean);
  REQUIRE(site.insight.stopped_by.size() == 1);
  CHECK(site.insight.stopped_by[0].starts_with("POST /api/v1/quit from 127.0.0.1:"));
}

TEST_CASE("watch: what a client has is not sent again, packed or plain") {
  Site site;
  std::vector<std::string> names;
  for (int i = 0; i < 100; ++i) names.push_back("series." + std::to_string(i));
  site.add_window(names);
  for (const char* target : {"/", "/page.js", "/api/v1/series", "/api/v1/config"}) {
    CAPTURE(target);
    const ParsedAnswer plain = site.get(target);
    const ParsedAnswer packed = site.get(target, "Accept-Encoding: gzip\r\n");
    CHECK(packed.header("Content-Encoding") == "gzip");
    CHECK(packed.body.size() < plain.body.size() / 2);
    CHECK(gunzip(packed.body, 1 << 20) == plain.body);
    CHECK(plain.header("Vary") == "Accept-Encoding");
    const ParsedAnswer again =
        site.get(target, "If-None-Match: " + plain.header("ETag").value() + "\r\n");
    CHECK(again.status == 304);
    CHECK(again.body.empty());
    CHECK(again.header("ETag") == plain.header("ETag"));
    CHECK(site.get(target, "Accept-Encoding: gzip\r\nIf-None-Match: " +
                               packed.header("ETag").value() + "\r\n")
              .status == 304);
  }
  CHECK(site.get("/").body == page);
}

TEST_CASE("watch: the answers are counted by their kind") {
  Site site;
  site.get("/health");
  const std::string tag = site.get("/").header("ETag").value();
  site.get("/", "If-None-Match: " + tag + "\r\n");
  site.get("/nothing");
  site.insight.state.is_stopping = true;
  site.get("/health");
  CHECK(site.watch->counts().http_requests == std::array<std::uint64_t, 4>{2, 1, 1, 1});
}

TEST_CASE("watch: however many ask, the receive threads are asked once, and seldom") {
  Site site;
  site.insight.answers_later = true;
  std::vector<std::unique_ptr<Reader>> clients;
  for (const char* target : {"/api/v1/ledger", "/health", "/metrics", "/api/v1/refused",
                             "/api/v1/top?by=sender", "/api/v1/ledger"})
    clients.push_back(std::make_unique<Reader>(site, target));
  Reader other(site, "/api/v1/series");  // this one needs no answer of theirs
  REQUIRE(site.until([&] { return other.has("series"); }));
  REQUIRE(site.until([&] { return site.insight.owed() == 1; }));
  site.turn_for(20ms);
  CHECK(site.insight.owed() == 1);
  for (const auto& client : clients) CHECK(client->received.empty());
  clients[5]->close();  // one has lost patience
  site.insight.answer_one();
  for (int i = 0; i < 5; ++i)
    REQUIRE(site.until([&] { return !clients[static_cast<std::size_t>(i)]->received.empty(); }));
  Reader soon(site, "/api/v1/ledger");
  REQUIRE(site.until([&] { return soon.has("now"); }));
  CHECK(site.insight.owed() == 0);
  site.now += 100ms;
  Reader later(site, "/api/v1/ledger");
  REQUIRE(site.until([&] { return site.insight.owed() == 1; }));
  site.insight.answer_one();
  REQUIRE(site.until([&] { return later.has("now"); }));
}

TEST_CASE("watch: it ends while answers are owed and streams are open") {
  Site site;
  site.insight.answers_later = true;
  Reader ledger(site, "/api/v1/ledger");
  Reader stream(site, "/api/v1/stream");
  REQUIRE(site.until([&] { return site.insight.owed() == 2; }));
  site.insight.answers_later = false;
  Reader tap(site, "/api/v1/tap");
  Reader capture(site, "/api/v1/capture");
  site.now += 1s;
  site.turn_for(20ms);
  site.watch.reset();
  CHECK(site.insight.taps.empty());
  REQUIRE(site.until([&] { return ledger.is_closed && stream.is_closed && tap.is_closed; }));
}

TEST_CASE("stream: a pulse a second while someone listens, and no wake-up when no one does") {
  Site site;
  CHECK(site.turn_for(50ms) <= 2);
  auto reader = std::make_unique<Reader>(site, "/api/v1/stream");
  REQUIRE(site.until([&] { return reader->has(":\n\n"); }));
  CHECK(parse_answer(reader->received).header("Content-Type") == "text/event-stream");
  site.insight.state.ledger.ingest.datagrams = 50;
  site.insight.state.series = 7;
  site.now += 2s;
  REQUIRE(site.until([&] { return reader->has("event: pulse\n"); }));
  const std::string text = reader->body();
  const std::string data = text.substr(text.find("data: ") + 6);
  const auto pulse = read_json(data.substr(0, data.find('\n')));
  REQUIRE(pulse);
  CHECK(at(*pulse, "datagrams_s").number == 25);
  CHECK(at(*pulse, "series").number == 7);
  reader->close();
  REQUIRE(site.until([&] {
    site.now += 1s;
    return site.watch->streams() == 0;
  }));
  CHECK(site.turn_for(50ms) <= 2);
}

TEST_CASE("stream: all listeners hear of each window, with the busiest series but our own") {
  Site site;
  std::vector<std::string> names;
  for (int i = 0; i < 30; ++i) names.push_back("series." + std::to_string(i));
  for (int i = 0; i < 30; ++i) names.push_back("tallyd.own." + std::to_string(i));
  site.add_window(names);
  Reader one(site, "/api/v1/stream");
  Reader other(site, "/api/v1/stream");
  REQUIRE(site.until([&] { return one.has(":\n\n") && other.has(":\n\n"); }));
  site.watch->on_window({.span = {noon, 10s}, .series = 30, .points = 31, .lost = 4});
  REQUIRE(site.until([&] { return one.has("event: window\n") && other.has("event: window\n"); }));
  const std::string text = one.body();
  const std::string data = text.substr(text.find("data: ") + 6);
  const auto window = read_json(data.substr(0, data.find('\n')));
  REQUIRE(window);
  CHECK(at(*window, "points").number == 31);
  CHECK(at(*window, "busiest").items.size() == 20);
  CHECK(at(at(*window, "busiest").items[0], "name").text == "series.29");
}

TEST_CASE("stream: one that does not read is hung up on, and the others go on") {
  Site site;
  site.add_window(std::vector<std::string>(20, std::string(400, 'n')));
  Reader slow(site, "/api/v1/stream", {.reads = false, .receive_buffer_bytes = 4096});
  Reader fast(site, "/api/v1/stream");
  REQUIRE(site.until([&] { return site.watch->streams() == 2 && fast.has(":\n\n"); }));
  std::size_t windows = 0;
  REQUIRE(site.until([&] {
    for (int i = 0; i < 10; ++i) site.watch->on_window({.span = {noon, 10s}}), ++windows;
    return site.watch->streams() == 1;
  }));
  CHECK(windows >= 20);
  REQUIRE(site.until([&] { return occurrences(fast.received, "event: window") == windows; }));
}

TEST_CASE("stream: 64 of all kinds, one more is 503, and a place that is left is free") {
  Site site;
  std::vector<std::unique_ptr<Reader>> readers;
  const char* targets[] = {"/api/v1/stream", "/api/v1/tap", "/api/v1/capture"};
  for (std::size_t i = 0; i < Watch::streams_max; ++i)
    readers.push_back(
        std::make_unique<Reader>(site, i < Watch::taps_max ? targets[1 + i % 2] : targets[0]));
  REQUIRE(site.until([&] { return site.watch->streams() == Watch::streams_max; }));
  for (const char* target : targets) {
    const ParsedAnswer refused = site.get(target);
    CHECK(refused.status == 503);
    CHECK(refused.header("Retry-After") == "5");
  }
  CHECK(site.get("/health").status == 200);  // there is room for those who only ask
  readers[0]->close();                       // a tap
  REQUIRE(site.until([&] {
    tap_in(site, {piece_of("a:1|c")});
    return site.watch->streams() < Watch::streams_max;
  }));
  Reader late(site, "/api/v1/stream");
  REQUIRE(site.until([&] { return late.has(":\n\n"); }));
}

TEST_CASE("tap: lines as they come in, with their sender and listener, until there are enough") {
  Site site;
  Reader reader(site, "/api/v1/tap?match=api.*&limit=3");
  REQUIRE(site.until([&] { return site.insight.taps.size() == 1; }));
  tap_in(site, {piece_of("api.a:1|c\nother:1|c\napi.b:x|c"), piece_of("api.c:2|g", 1)});
  tap_in(site, {piece_of("api.d:1|c")});
  REQUIRE(site.until([&] { return reader.received.ends_with("0\r\n\r\n"); }));
  CHECK(reader.body() ==
        ":\n\n"
        "event: line\ndata: {\"at\":1700000000001,\"sender\":\"127.0.0.1:4711\",\"listener\":"
        "\"udp 127.0.0.1:8125\",\"line\":\"api.a:1|c\"}\n\n"
        "event: line\ndata: {\"at\":1700000000001,\"sender\":\"127.0.0.1:4711\",\"listener\":"
        "\"udp 127.0.0.1:8125\",\"line\":\"api.b:x|c\",\"reason\":\"bad_value\",\"caret\":6}\n\n"
        "event: line\ndata: {\"at\":1700000000001,\"sender\":\"127.0.0.1:4711\",\"listener\":"
        "\"unix /run/s\",\"line\":\"api.c:2|g\"}\n\n");
  CHECK(site.insight.taps.empty());
  REQUIRE(site.until([&] { return site.watch->streams() == 0; }));
}

TEST_CASE("tap: what it did not look at is said, and what its reader had no room for is counted") {
  Site site;
  Reader reader(site, "/api/v1/tap");
  REQUIRE(site.until([&] { return site.insight.taps.size() == 1; }));
  tap_in(site, {piece_of("a:1|c")}, 123);
  REQUIRE(site.until([&] { return reader.has("event: skipped\ndata: {\"datagrams\":123}\n\n"); }));
  CHECK(site.watch->counts().tap_skipped == 0);  // that is Insight's to count

  Reader slow(site, "/api/v1/tap", {.reads = false, .receive_buffer_bytes = 4096});
  REQUIRE(site.until([&] { return site.insight.taps.size() == 2; }));
  const std::string line = std::string(500, 'n') + ":1|c";
  std::uint64_t given = 1;
  while (site.watch->counts().tap_skipped == 0 && given < 100'000) {
    tap_in(site, {piece_of(line)});
    ++given;
    site.loop.turn();
  }
  CHECK(given > 1000);  // a buffer, and what the kernel holds
  CHECK(site.watch->streams() == 2);
  const std::uint64_t skipped = site.watch->counts().tap_skipped;
  CHECK(skipped > 0);
  slow.read();  // and reads on: it hears of what it lost
  REQUIRE(site.until([&] {
    tap_in(site, {});
    return slow.has("event: skipped\ndata: {\"datagrams\":" + std::to_string(skipped) + "}\n\n");
  }));
}

TEST_CASE("tap: there is room for so many, captures among them, beside streams of pages") {
  Site site;
  std::vector<std::unique_ptr<Reader>> readers;
  for (std::size_t i = 0; i < Watch::taps_max; ++i) {
    const char* const target = i % 2 == 0 ? "/api/v1/tap" : "/api/v1/capture";
    readers.push_back(std::make_unique<Reader>(site, target));
  }
  REQUIRE(site.until([&] { return site.watch->streams() == Watch::taps_max; }));
  const ParsedAnswer refused = site.get("/api/v1/tap");
  CHECK(refused.status == 503);
  CHECK(refused.body ==
        R"({"error":"8 taps and captures are open, and no more are served: close one"})"
        "\n");
  CHECK(site.get("/api/v1/capture").status == 503);
  Reader viewer(site, "/api/v1/stream");
  REQUIRE(site.until([&] { return site.watch->streams() == Watch::taps_max + 1; }));
  readers[0]->close();
  REQUIRE(site.until([&] {
    tap_in(site, {piece_of("a:1|c")});
    return site.insight.taps.size() < Watch::taps_max;
  }));
  readers[0] = std::make_unique<Reader>(site, "/api/v1/tap");
  CHECK(site.until([&] { return site.insight.taps.size() == Watch::taps_max; }));
}

TEST_CASE("tap: it ends with its reader") {
  Site site;
  auto reader = std::make_unique<Reader>(site, "/api/v1/tap?refused=1&sender=127.");
  REQUIRE(site.until([&] { return site.insight.taps.size() == 1; }));
  tap_in(site, {piece_of("fine:1|c\nbad|c")});
  REQUIRE(site.until([&] { return reader->has("bad|c"); }));
  CHECK_FALSE(reader->has("fine"));
  reader->close();
  REQUIRE(site.until([&] {
    tap_in(site, {piece_of("bad|c")});
    return site.insight.taps.empty();
  }));
}

TEST_CASE("capture: what came in, as tcpdump reads it") {
  Site site;
  Reader reader(site, "/api/v1/capture?seconds=1");
  REQUIRE(site.until([&] { return site.insight.taps.size() == 1; }));
  Tapped v6 = piece_of("c:3|c");
  v6.peer = {.family = Peer::Family::v6,
             .ip = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1},
             .port = 99};
  Tapped local = piece_of("d:4|c\n", 1);
  local.peer = {.pid = 7};
  const std::string large = std::string(40'000, 'l') + ":1|c\n";
  tap_in(site, {piece_of("a:1|c"), piece_of("b:2|c\n\x01|"), v6, local, piece_of(large + large)});
  REQUIRE(site.until([&] { return reader.received.ends_with("0\r\n\r\n"); }));
  CHECK(site.insight.taps.empty());
  CHECK(parse_answer(reader.received).header("Content-Type") == "application/vnd.tcpdump.pcap");
  const std::string pcap = reader.body();
  CHECK(pcap.size() == 24 + 5 * (16 + 28) + (16 + 48) + 5 + 8 + 5 + 6 + 2 * 40'005);
  const auto read = tally::testing::read_by_tcpdump(pcap, "-vv udp");
  if (!read) {
    MESSAGE("tcpdump is not installed: it did not judge the file");
    return;
  }
  CAPTURE(*read);
  CHECK(read->find("link-type RAW") != std::string::npos);
  CHECK(read->find("127.0.0.1.4711 > 127.0.0.1.8125: [udp sum ok] UDP, length 5") !=
        std::string::npos);
  CHECK(read->find("::1.99 > ::1.8125: [udp sum ok] UDP, length 5") != std::string::npos);
  CHECK(read->find("127.0.0.1.0 > 127.0.0.1.8125: [udp sum ok] UDP, length 6") !=
        std::string::npos);
  CHECK(occurrences(*read, "UDP, length 40005") == 2);
  CHECK(occurrences(*read, "[udp sum ok]") == 6);
  CHECK(read->find("bad") == std::string::npos);
  CHECK(read->find("truncated") == std::string::npos);
}

TEST_CASE("capture: it ends at its bytes, between two packets") {
  Site site;
  Reader reader(site, "/api/v1/capture?bytes=1024");
  REQUIRE(site.until([&] { return site.insight.taps.size() == 1; }));
  const std::string payload(400, 'x');
  tap_in(site, {piece_of(payload), piece_of(payload), piece_of(payload)});
  REQUIRE(site.until([&] { return reader.received.ends_with("0\r\n\r\n"); }));
  CHECK(reader.body().size() == 24 + 2 * (16 + 28 + 400));
  CHECK(site.insight.taps.empty());
}

TEST_CASE("capture: a reader that is too slow loses packets whole, counted") {
  Site site;
  Reader slow(site, "/api/v1/capture", {.reads = false, .receive_buffer_bytes = 4096});
  REQUIRE(site.until([&] { return site.insight.taps.size() == 1; }));
  const std::string payload(60'000, 'x');
  std::uint64_t given = 0;
  for (; given < 200; ++given) {
    tap_in(site, {piece_of(payload)});
    site.loop.turn();
  }
  const std::uint64_t skipped = site.watch->counts().tap_skipped;
  CHECK(skipped > 0);
  slow.read();
  const std::size_t expected = 24 + (given - skipped) * (16 + 28 + payload.size());
  REQUIRE(site.until([&] { return slow.body().size() >= expected; }));
  CHECK(slow.body().size() == expected);
}
