// Every transport into the real binary: what is heard where is exact, and what is no StatsD, not
// allowed or not finished changes nothing.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "listener_client.hpp"
#include "rig.hpp"
#include "vectors.hpp"

using namespace tally::testing;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

// A place for sockets, and an abstract name that no one else has.
class SocketPlace {
 public:
  std::string path(std::string_view name) const {
    return directory_.path() + "/" + std::string(name);
  }
  std::string abstract(std::string_view name) const {
    return "@" + directory_.path().substr(directory_.path().rfind('/') + 1) + std::string(name);
  }

 private:
  TemporaryDirectory directory_;
};

double counted(const Influxd& influxd, std::string_view name) {
  return stored_sum(influxd, std::string(name) + ".count");
}

bool is_counted(const Influxd& influxd, std::string_view name, double count) {
  return eventually(patience, [&] { return counted(influxd, name) == count; });
}

// One of tallyd's counters of a listener.
double counted_at(const Influxd& influxd, const std::string& listener, const std::string& metric,
                  const std::string& state = {}) {
  std::map<std::string, std::string> tags = {{"listener", listener}};
  if (!state.empty()) tags["state"] = state;
  return stored_sum_of(influxd, "tallyd.listener." + metric + ".count", tags);
}

// ---- every listener at once

// What a listener was sent.
struct Traffic {
  double lines = 0;
  double bytes = 0;
  double arrivals = 0;  // datagrams, or connections
};

constexpr int lines_a_text = 5;

// Lines of one listener's own counter and of one that all share.
std::string text_for(std::size_t listener) {
  std::string text;
  for (int i = 0; i < lines_a_text; ++i) text += fmt::format("at.{}:1|c\n", listener);
  return text + "at.all:1|c";
}

void send_and_count(ListenerClient& client, std::string_view bytes, Traffic& traffic) {
  client.send(bytes);
  traffic.bytes += static_cast<double>(bytes.size());
}

void send_datagrams(const std::string& listener, std::size_t index, int count, Traffic& traffic) {
  ListenerClient client(listener);
  for (int i = 0; i < count; ++i) send_and_count(client, text_for(index), traffic);
  client.wait_until_arrived();
  traffic.lines += count * (lines_a_text + 1);
  traffic.arrivals += count;
}

// Cut into pieces anywhere; the last line has no end.
void send_lines(const std::string& listener, std::size_t index, int count, Traffic& traffic) {
  constexpr std::size_t piece_bytes = 7;
  std::string stream = text_for(index);
  for (int i = 1; i < count; ++i) stream += "\n" + text_for(index);
  ListenerClient client(listener);
  for (std::size_t at = 0; at < stream.size(); at += piece_bytes)
    send_and_count(client, std::string_view(stream).substr(at, piece_bytes), traffic);
  client.wait_until_arrived();
  traffic.lines += count * (lines_a_text + 1);
  ++traffic.arrivals;
}

void send_frames(const std::string& listener, std::size_t index, int count, Traffic& traffic) {
  const std::string text = text_for(index);
  REQUIRE(text.size() < 256);
  ListenerClient client(listener);
  for (int i = 0; i < count; ++i)
    send_and_count(client, std::string{static_cast<char>(text.size()), 0, 0, 0} + text, traffic);
  client.wait_until_arrived();
  traffic.lines += count * (lines_a_text + 1);
  ++traffic.arrivals;
}

Traffic send_to(const std::string& listener, std::size_t index) {
  const int count = 20 + static_cast<int>(index);
  Traffic traffic;
  if (listener.starts_with("udp ") || listener.starts_with("unixgram ")) {
    send_datagrams(listener, index, count, traffic);
  } else {
    send_lines(listener, index, count, traffic);
    if (listener.starts_with("unix ")) send_frames(listener, index, count, traffic);
  }
  return traffic;
}

// "udp 127.0.0.1:40001" -> "udp 127.0.0.1"; a Unix socket's is its name.
std::string without_port(const std::string& listener) {
  return listener.starts_with("unix") ? listener : listener.substr(0, listener.rfind(':'));
}

// What such a tallyd listens on. "localhost" is both loopbacks.
std::vector<std::string> every_listener(const SocketPlace& place, bool has_v6) {
  std::vector<std::string> names = {"udp 127.0.0.1",
                                    "udp [::1]",
                                    "udp 127.0.0.1",
                                    "udp [::1]",
                                    "unixgram " + place.path("gram"),
                                    "unixgram " + place.abstract("gram"),
                                    "tcp 127.0.0.1",
                                    "tcp 127.0.0.1",
                                    "tcp [::1]",
                                    "unix " + place.path("stream"),
                                    "unix " + place.abstract("stream")};
  if (!has_v6)
    std::erase_if(names, [](const std::string& name) { return name.ends_with("[::1]"); });
  return names;
}

void check_listener(const Influxd& influxd, const std::string& listener, std::size_t index,
                    const Traffic& sent) {
  CAPTURE(listener);
  const bool has_datagrams = listener.starts_with("udp ") || listener.starts_with("unixgram ");
  CHECK(counted(influxd, fmt::format("at.{}", index)) * (lines_a_text + 1) ==
        sent.lines * lines_a_text);
  CHECK(counted_at(influxd, listener, "lines") == sent.lines);
  CHECK(counted_at(influxd, listener, "bytes") == sent.bytes);
  CHECK((has_datagrams
             ? counted_at(influxd, listener, "datagrams")
             : counted_at(influxd, listener, "connections", "accepted")) == sent.arrivals);
}

// ---- stress.tsv

// The rows that expect something in prose, and the one whose tag is over our limit.
const std::map<std::string, std::string, std::less<>> stress_in_words = {
    {"S-014", "bad=0; final counter name=" + std::string(512, 'n') + " value=1"},
    {"S-028", "bad=1"},
    {"S-034", "bad=0; final timer name=a count=100000"},
};

std::vector<Fact> stress_facts(const VectorRow& row) {
  const auto in_words = stress_in_words.find(row["id"]);
  const auto facts =
      read_facts(in_words == stress_in_words.end() ? row["expected"] : in_words->second);
  REQUIRE_MESSAGE(facts, row["id"]);
  return *facts;
}

// A tcp row is a list of pieces, each row of one.
std::string stress_bytes(const VectorRow& row) {
  std::string_view recipe = row["recipe"];
  if (row["transport"] == "tcp") recipe = recipe.substr(1, recipe.size() - 2);
  const auto bytes = cook(recipe);
  REQUIRE_MESSAGE(bytes, row["id"]);
  CHECK_MESSAGE(std::to_string(bytes->size()) == row["bytes"], row["id"]);
  return *bytes;
}

// Each row has a tallyd of its own, whose points carry the row's id.
void send_stress(const Influxd& influxd, const VectorRow& row) {
  Tallyd tallyd({.influxdb_url = influxd.url(),
                 .interval = endless_interval(),
                 .sets = {"listen.tcp=[\"127.0.0.1:0\"]", "tags.row=" + row["id"]}});
  const std::string listener = tallyd.listener(row["transport"] + " ");
  for (const std::string& bytes : {stress_bytes(row), "alive:1|c"s}) {
    ListenerClient client(listener);
    client.send(bytes);
    client.wait_until_arrived();
  }
  tallyd.stop();
}

void check_stress_value(const Influxd& influxd, const VectorRow& row, const Fact& fact) {
  const std::string kind(to_string(fact.sample.kind));
  const std::string measurement = fact.sample.name + "." + (kind == "counter" ? "count" : kind);
  CHECK(stored_series(influxd).contains({measurement, {{"host", "testhost"}, {"row", row["id"]}}}));
  CHECK(stored_sum_of(influxd, measurement, {{"row", row["id"]}},
                      kind == "gauge" ? "value" : "count") == fact.sample.value);
}

void check_stress(const Influxd& influxd, const VectorRow& row) {
  std::size_t measurements = 1;  // alive
  for (const Fact& fact : stress_facts(row)) {
    if (fact.kind == "bad") {
      const double refused =
          stored_sum_of(influxd, "tallyd.lines.count", {{"row", row["id"]}, {"state", "refused"}});
      CHECK((fact.at_least ? refused >= fact.sample.value : refused == fact.sample.value));
    } else if (fact.kind != "nothing") {
      check_stress_value(influxd, row, fact);
      ++measurements;
    }
  }
  CHECK(stored_sum_of(influxd, "alive.count", {{"row", row["id"]}}) == 1);
  const auto is_of_row = [&](const StoredSeries& series) {
    return series.tags.at("row") == row["id"];
  };
  const auto series = stored_series(influxd);
  CHECK(std::ranges::count_if(series, is_of_row) == static_cast<std::ptrdiff_t>(measurements));
}

// ---- socket files

std::optional<mode_t> mode_of(const std::string& path) {
  struct stat about {};
  if (lstat(path.c_str(), &about) != 0) return std::nullopt;
  CHECK(S_ISSOCK(about.st_mode));
  return about.st_mode & 07777;
}

// ---- senders' own times

std::int64_t seconds_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// The only point of a series: its second, and its value.
std::pair<std::int64_t, double> only_point(const Influxd& influxd, const std::string& measurement,
                                           const std::string& field) {
  const auto series = stored_points(influxd, "\"" + field + "\"", "^" + measurement + "$");
  REQUIRE(series.size() == 1);
  const std::vector<Row>& rows = series.begin()->second;
  REQUIRE(rows.size() == 1);
  return {std::stoll(rows[0].at("time")) / 1000, number_in(rows[0], field)};
}

// ---- many connections

// As many open files as a thousand connections need, here and in the daemon that is started.
void allow_open_files(rlim_t count) {
  rlimit limit{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  if (limit.rlim_cur >= count) return;
  limit.rlim_cur = count;
  REQUIRE_MESSAGE(setrlimit(RLIMIT_NOFILE, &limit) == 0, "this test needs open files: " << count);
}

}  // namespace

TEST_CASE("transports: what each listener hears is in InfluxDB, exactly, and counted as its own") {
  Influxd influxd;
  influxd.start();
  const SocketPlace place;
  Tallyd tallyd({.influxdb_url = influxd.url(),
                 .interval = endless_interval(),
                 .sets = {R"(listen.udp=["127.0.0.1:0", "[::1]:0", "localhost:0"])",
                          R"(listen.tcp=["127.0.0.1:0", "localhost:0"])",
                          fmt::format(R"(listen.unixgram=["{}", "{}"])", place.path("gram"),
                                      place.abstract("gram")),
                          fmt::format(R"(listen.unix=["{}", "{}"])", place.path("stream"),
                                      place.abstract("stream"))}});
  const std::vector<std::string> listeners = tallyd.listeners();
  std::vector<std::string> kinds;
  for (const std::string& listener : listeners) kinds.push_back(without_port(listener));
  REQUIRE(kinds == every_listener(place, tallyd.port_v6() != 0));

  std::vector<Traffic> sent;
  for (std::size_t i = 0; i < listeners.size(); ++i) sent.push_back(send_to(listeners[i], i));
  tallyd.stop();

  double texts = 0;
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    check_listener(influxd, listeners[i], i, sent[i]);
    texts += sent[i].lines / (lines_a_text + 1);
  }
  CHECK(counted(influxd, "at.all") == texts);
  CHECK(stored_sum(influxd, "tallyd.lines.count", "refused") == 0);
}

TEST_CASE("transports: the stress vectors give what they should through real sockets") {
  Influxd influxd;
  influxd.start();
  const std::vector<VectorRow> rows = read_vectors(TESTS_DIR "/vectors/stress.tsv");
  REQUIRE(rows.size() == 15);
  for (const VectorRow& row : rows) send_stress(influxd, row);
  for (const VectorRow& row : rows) {
    CAPTURE(row["id"]);
    check_stress(influxd, row);
  }
}

TEST_CASE("transports: a last line without an end counts at close and after a silence, if whole") {
  Influxd influxd;
  influxd.start();
  Tallyd tallyd({.influxdb_url = influxd.url(),
                 .interval = "100ms",
                 .sets = {R"(listen.tcp=["127.0.0.1:0"])"}});
  const std::string listener = tallyd.listener("tcp ");
  ListenerClient silent(listener), cut(listener), closing(listener);
  cut.send("end.cut:1");  // could go on, and does
  silent.send("end.whole:1|c\nend.silent:1|c");
  closing.send("end.closed:1|c");
  closing.close();
  CHECK(is_counted(influxd, "end.closed", 1));
  CHECK(is_counted(influxd, "end.silent", 1));
  cut.send("2|c\n");
  silent.send("\nend.later:1|c\n");
  CHECK(is_counted(influxd, "end.cut", 12));
  CHECK(is_counted(influxd, "end.later", 1));
  tallyd.stop();
  for (const char* name : {"end.whole", "end.silent", "end.closed", "end.later"})
    CHECK(counted(influxd, name) == 1);
  CHECK(stored_sum(influxd, "tallyd.lines.count", "refused") == 0);
}

TEST_CASE("transports: a stop takes the last lines of clients that have ended, however many wait") {
  constexpr int clients = 200;  // more than are accepted in one turn
  Influxd influxd;
  influxd.start();
  Tallyd tallyd({.influxdb_url = influxd.url(),
                 .interval = endless_interval(),
                 .sets = {R"(listen.tcp=["127.0.0.1:0"])"}});
  const std::string listener = tallyd.listener("tcp ");
  tallyd.pause();
  for (int i = 0; i < clients; ++i) {
    ListenerClient client(listener);
    client.send("end.stop:1|c|#k:v");
    client.wait_until_arrived();
  }
  tallyd.signal(SIGTERM);
  tallyd.resume();
  CHECK(tallyd.wait(stop_limit) == 0);
  CHECK(counted(influxd, "end.stop") == clients);
}

TEST_CASE("transports: a line over 64 KiB is one refusal, and its connection goes on") {
  Influxd influxd;
  influxd.start();
  const SocketPlace place;
  Tallyd tallyd({.influxdb_url = influxd.url(),
                 .interval = endless_interval(),
                 .sets = {R"(listen.tcp=["127.0.0.1:0"])",
                          fmt::format(R"(listen.unix=["{}"])", place.path("stream"))}});
  const std::vector<std::string> listeners = {tallyd.listener("tcp "), tallyd.listener("unix ")};
  for (const std::string& listener : listeners) {
    ListenerClient client(listener);
    client.send("long.before:1|c\n");
    client.send("long.line:1|c|#k:" + std::string(200'000, 'x') + "\nlong.after:1|c\n");
    client.wait_until_arrived();
    CHECK_FALSE(client.is_hung_up());
  }
  tallyd.stop();
  CHECK(counted(influxd, "long.before") == 2);
  CHECK(counted(influxd, "long.after") == 2);
  CHECK(stored_series(influxd).size() == 2);
  for (const std::string& listener : listeners) {
    CHECK(stored_sum_of(influxd, "tallyd.listener.refused.count",
                        {{"listener", listener}, {"reason", "line_too_long"}}) == 1);
    CHECK(counted_at(influxd, listener, "refused") == 1);
  }
}

TEST_CASE("transports: HTTP and TLS clients are hung up on and count nothing") {
  const std::string tls_hello =
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s + std::string(32, 'r') + "\ninjected:999|c\n";
  const std::array<std::pair<const char*, std::string>, 4> strangers = {{
      {"a browser's GET", "GET /injected:999|c HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"},
      {"a web page's POST",
       "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: 32\r\n"
       "\r\n\ninjected:999|c\ninjected:999|c\n"},
      {"a TLS hello", tls_hello},
      {"HTTP/2 without TLS", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\ninjected:999|c\n"},
  }};
  Influxd influxd;
  influxd.start();
  Tallyd tallyd(
      {.influxdb_url = influxd.url(),
       .interval = endless_interval(),
       .sets = {R"(listen.tcp=["127.0.0.1:0","127.0.0.1:0","127.0.0.1:0","127.0.0.1:0"])"}});
  std::vector<std::string> listeners = tallyd.listeners();
  std::erase_if(listeners, [](const std::string& name) { return !name.starts_with("tcp "); });
  REQUIRE(listeners.size() == strangers.size());
  for (std::size_t i = 0; i < strangers.size(); ++i) {
    ListenerClient client(listeners[i]);
    client.send(strangers[i].second);
    CHECK_MESSAGE(eventually(patience, [&] { return client.is_hung_up(); }), strangers[i].first);
  }
  tallyd.stop();
  for (std::size_t i = 0; i < strangers.size(); ++i) {
    CAPTURE(strangers[i].first);
    CHECK(counted_at(influxd, listeners[i], "connections", "not_statsd") == 1);
    CHECK(counted_at(influxd, listeners[i], "lines") == 0);
  }
  CHECK(stored_series(influxd).empty());
  CHECK(occurrences(tallyd.log(), "spoke HTTP or TLS") == 1);
  CHECK(occurrences(tallyd.log(), "hung up on 4 connections") == 1);
}

TEST_CASE("transports: who is not in listen.allow is counted and logged, and writes nothing") {
  Influxd influxd;
  influxd.start();
  const SocketPlace place;
  Tallyd tallyd({.influxdb_url = influxd.url(),
                 .interval = endless_interval(),
                 .sets = {R"(listen.allow=["10.0.0.0/8"])", R"(listen.tcp=["127.0.0.1:0"])",
                          fmt::format(R"(listen.unixgram=["{}"])", place.path("gram"))}});
  const std::string udp = tallyd.listener("udp "), tcp = tallyd.listener("tcp ");
  ListenerClient datagrams(udp);
  for (int i = 0; i < 3; ++i) datagrams.send("denied:1|c");
  for (int i = 0; i < 2; ++i) {
    ListenerClient connection(tcp);
    CHECK(eventually(patience, [&] { return connection.is_hung_up(); }));
  }
  ListenerClient(tallyd.listener("unixgram ")).send("allowed:1|c");
  datagrams.wait_until_arrived();
  tallyd.stop();
  CHECK(stored_series(influxd) ==
        std::set<StoredSeries>{{"allowed.count", {{"host", "testhost"}}}});
  CHECK(counted_at(influxd, udp, "denied") == 3);
  CHECK(counted_at(influxd, tcp, "denied") == 2);
  CHECK(stored_sum(influxd, "tallyd.datagrams.count", "denied") == 3);
  CHECK(occurrences(tallyd.log(), "denied 3 datagrams and 2 connections") == 1);
}

TEST_CASE("transports: socket files have their mode, and are gone after a stop") {
  const SocketPlace place;
  const std::string gram = place.path("gram"), stream = place.path("stream");
  Tallyd tallyd({.influxdb_url = "",
                 .sets = {"listen.unix_mode=0600", fmt::format("listen.unixgram=[\"{}\"]", gram),
                          fmt::format("listen.unix=[\"{}\"]", stream)}});
  CHECK(mode_of(gram) == 0600);
  CHECK(mode_of(stream) == 0600);
  tallyd.stop();
  CHECK_FALSE(mode_of(gram));
  CHECK_FALSE(mode_of(stream));
}

TEST_CASE("transports: a socket that lives is not taken from its tallyd, a stale one is") {
  for (const std::string key : {"unixgram", "unix"}) {
    CAPTURE(key);
    Influxd influxd;
    influxd.start();
    const SocketPlace place;
    const std::string path = place.path("socket");
    const TallydOptions options = {.influxdb_url = influxd.url(),
                                   .interval = "100ms",
                                   .sets = {fmt::format("listen.{}=[\"{}\"]", key, path)}};
    Tallyd first(options);
    const TemporaryDirectory directory;
    Process second(tallyd_command(options, directory));
    CHECK(second.wait(patience) == 1);
    CHECK(second.log().find(path + ": cannot listen: another program") != std::string::npos);
    ListenerClient(key + " " + path).send("first:1|c");
    CHECK(is_counted(influxd, "first", 1));

    first.signal(SIGKILL);
    REQUIRE(first.wait(patience));
    CHECK(mode_of(path));
    Tallyd next(options);
    ListenerClient(key + " " + path).send("next:1|c");
    next.stop();
    CHECK(counted(influxd, "next") == 1);
    CHECK_FALSE(mode_of(path));
  }
}

TEST_CASE("transports: SIGUSR1 logs the last refused lines, whose they are, and where they err") {
  Influxd influxd;
  influxd.start();
  const SocketPlace place;
  Tallyd tallyd({.influxdb_url = influxd.url(),
                 .interval = "100ms",
                 .sets = {R"(listen.tcp=["127.0.0.1:0"])",
                          fmt::format(R"(listen.unixgram=["{}"])", place.path("gram")),
                          fmt::format(R"(listen.unix=["{}"])", place.path("stream"))}});
  std::vector<std::string> expected;
  for (const std::string& listener : tallyd.listeners()) {
    ListenerClient client(listener);
    client.send("good:1|c\nbad\x1b:x|c\n");
    expected.push_back(
        fmt::format("refused, bad_value, from {} on {}:\n  \"bad\\x1B:x|c\"\n           ^\n",
                    client.name(), listener));
  }
  const auto refused = static_cast<double>(expected.size());
  REQUIRE(eventually(
      patience, [&] { return stored_sum(influxd, "tallyd.lines.count", "refused") == refused; }));
  tallyd.signal(SIGUSR1);
  CHECK(tallyd.wait_for_log(expected.back()));
  tallyd.stop();
  for (const std::string& text : expected)
    CHECK_MESSAGE(occurrences(tallyd.log(), text) == 1, text);
}

TEST_CASE("transports: a sample with a time of its own is a point at that second, if not too old") {
  Influxd influxd;
  influxd.start();
  Tallyd tallyd(
      {.influxdb_url = influxd.url(), .interval = "200ms", .sets = {"limits.lateness=10m"}});
  const std::int64_t now = seconds_now();
  const std::int64_t late = now - 60, too_old = now - 660, ahead = now + 3600;
  StatsdSender sender(tallyd.port());
  // One datagram, so that all of it meets one window.
  sender.send(
      fmt::format("time.counter:2|c|T{0}\ntime.counter:3|c|T{0}\ntime.gauge:7|g|T{1}\n"
                  "time.old:5|c|T{2}\ntime.ahead:6|c|T{3}\ntime.none:4|c",
                  late, late - 1, too_old, ahead));
  REQUIRE(is_counted(influxd, "time.none", 4));
  sender.send("time.done:1|c");  // a window later: what was late is written once
  REQUIRE(is_counted(influxd, "time.done", 1));
  tallyd.stop();
  CHECK(only_point(influxd, "time.counter.count", "count") == std::pair(late, 5.0));
  CHECK(only_point(influxd, "time.gauge.gauge", "value") == std::pair(late - 1, 7.0));
  const std::int64_t window = only_point(influxd, "time.none.count", "count").first;
  CHECK(only_point(influxd, "time.old.count", "count") == std::pair(window, 5.0));
  CHECK(only_point(influxd, "time.ahead.count", "count") == std::pair(window, 6.0));
  CHECK(counted(influxd, "tallyd.samples_late") == 3);
  CHECK(counted(influxd, "tallyd.times_ignored") == 2);
}

TEST_CASE("transports: 1,000 connections of a byte now and then hold up nobody, and cost little") {
  constexpr std::size_t connections = 1000;
  constexpr std::size_t bytes_each_max = 8 << 10;
  constexpr int fast_lines = 200;  // between two bytes of the slow ones
  allow_open_files(3 * connections);
  Influxd influxd;
  influxd.start();
  Tallyd tallyd({.influxdb_url = influxd.url(),
                 .interval = "100ms",
                 .sets = {R"(listen.tcp=["127.0.0.1:0"])"}});
  const std::string listener = tallyd.listener("tcp ");
  StatsdSender udp(tallyd.port());
  ListenerClient tcp(listener);
  const auto send_fast = [&] {
    for (int i = 0; i < fast_lines; ++i) {
      udp.send("fast.udp:1|c");
      tcp.send("fast.tcp:1|c\n");
    }
  };
  send_fast();
  REQUIRE(is_counted(influxd, "fast.tcp", fast_lines));
  const std::size_t before = tallyd.memory_bytes();

  const std::string line = "slow:1|c\n";
  std::vector<ListenerClient> slow;
  for (std::size_t i = 0; i < connections; ++i) slow.emplace_back(listener);
  for (const char byte : std::string_view(line).substr(0, line.size() - 1)) {
    for (ListenerClient& client : slow) client.send({&byte, 1});
    send_fast();
  }
  CHECK(is_counted(influxd, "fast.udp", fast_lines * static_cast<double>(line.size())));
  CHECK(is_counted(influxd, "fast.tcp", fast_lines * static_cast<double>(line.size())));
  CHECK(counted_at(influxd, listener, "connections", "accepted") == connections + 1);
  const std::size_t grown = tallyd.memory_bytes() - std::min(before, tallyd.memory_bytes());
  MESSAGE("1,000 connections took ", grown >> 10, " KiB");
  if (!is_sanitized) CHECK(grown < connections * bytes_each_max);

  for (ListenerClient& client : slow) client.send("\n");
  CHECK(is_counted(influxd, "slow", connections));
  tallyd.stop();
  check_balances(influxd, {.datagrams = udp.datagrams(),
                           .accepted = connections + 2 * fast_lines * line.size()});
}
