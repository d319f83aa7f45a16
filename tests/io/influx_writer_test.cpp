#include "deliver/influx_writer.hpp"

#include <doctest/doctest.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>
#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "fake_server.hpp"
#include "spool/backlog.hpp"
#include "spool/dead_letters.hpp"

using namespace std::chrono_literals;
using tally::InfluxSettings;
using tally::InfluxWriter;
using tally::OutboxLimits;
using tally::Payload;
using tally::Precision;
using tally::test::cut;
using tally::test::FakeReply;
using tally::test::FakeRequest;
using tally::test::FakeServer;
using tally::test::mute;
using tally::test::reply;
using tally::test::run_until;

namespace {

/// The reverse of gzip(), from zlib's own documentation of inflate.
std::string gunzip(const std::string& packed) {
  z_stream stream{};
  REQUIRE(inflateInit2(&stream, 15 + 16) == Z_OK);
  std::string plain(1 << 20, '\0');
  std::string in = packed;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(plain.data());
  stream.avail_out = static_cast<uInt>(plain.size());
  CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
  plain.resize(stream.total_out);
  inflateEnd(&stream);
  return plain;
}

std::string plain_body(const FakeRequest& request) {
  return request.headers.count("content-encoding") != 0 ? gunzip(request.body) : request.body;
}

Payload lines(std::uint32_t count, int first = 0) {
  Payload payload{.points = count};
  for (std::uint32_t i = 0; i < count; ++i) {
    payload.body +=
        "hits.count count=" + std::to_string(first + static_cast<int>(i)) + " 1700000000\n";
  }
  return payload;
}

FakeReply error(int status, const std::string& text) {
  return reply(status, "{\"error\":\"" + text + "\"}\n",
               "Content-Type: application/json\r\nX-Influxdb-Version: 1.6.7\r\nX-Influxdb-Error: " +
                   text + "\r\n");
}
FakeReply no_database() {
  return reply(404, R"({"error":"database not found: \"metric\""})",
               "Content-Type: application/json\r\nX-Influxdb-Version: 1.6.7\r\n");
}
FakeReply created() {
  return reply(200, R"({"results":[{"statement_id":0}]})", "Content-Type: application/json\r\n");
}
bool is_write(const FakeRequest& request) {
  return request.target.starts_with("/write?");
}

/// A loop, a scripted server, a writer to it and what the writer logs.
class Rig {
 public:
  explicit Rig(FakeServer::Script script) : server(loop, std::move(script)) {
    settings.server.destination.url = server.url();
  }

  InfluxWriter& start(OutboxLimits limits = {}) {
    return writer.emplace(loop, settings, limits, log);
  }
  bool run_until_empty() {
    return run_until(loop, [&] { return writer->counts().queued == 0; });
  }
  bool run_until_requests(std::size_t count) {
    return run_until(loop, [&] { return server.requests().size() >= count; });
  }
  std::vector<std::string> log_lines() const {
    std::vector<std::string> all;
    std::istringstream in(text.str());
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
  }
  std::size_t count_lines(const std::string& part) const {
    const auto all = log_lines();
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(),
                      [&](const std::string& line) { return line.find(part) != line.npos; }));
  }

  tally::uv::Loop loop;
  FakeServer server;
  InfluxSettings settings{
      .server = {.destination = {.api_is_fixed = true, .database = "metric"}, .credentials = {}}};
  std::ostringstream text;
  spdlog::logger log = make_log();
  std::optional<InfluxWriter> writer;

 private:
  spdlog::logger make_log() {
    spdlog::logger logger("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text));
    logger.set_pattern("%l %v");
    return logger;
  }
};

}  // namespace

TEST_CASE("influx writer: a payload arrives compressed, and its bytes are those that were pushed") {
  Rig rig([](const FakeRequest&) { return reply(204); });
  rig.settings.server.destination.username = rig.settings.server.credentials.username = "wr";
  rig.settings.server.credentials.password = "secret";
  rig.server.listen();
  InfluxWriter& writer = rig.start();
  const Payload payload = lines(1'000);
  writer.push(payload);
  REQUIRE(rig.run_until_empty());
  REQUIRE(rig.server.requests().size() == 1);
  const FakeRequest& request = rig.server.requests()[0];
  CHECK(request.method == "POST");
  CHECK(request.target == "/write?db=metric&precision=s");
  CHECK(request.headers.at("content-encoding") == "gzip");
  CHECK(request.headers.at("content-type") == "text/plain; charset=utf-8");
  CHECK(request.headers.at("authorization") == "Basic d3I6c2VjcmV0");
  CHECK(request.body.size() < payload.body.size() / 5);
  CHECK(gunzip(request.body) == payload.body);
  CHECK(writer.counts().written == 1'000);
  CHECK(writer.counts().balances());
  CHECK(rig.log_lines().empty());
}

TEST_CASE("influx writer: where it writes follows from its settings") {
  struct Row {
    const char* name;
    const char* path;
    const char* database;
    const char* retention_policy;
    Precision precision;
    const char* target;
  };
  const std::vector<Row> rows{
      {"plain", "", "metric", "", Precision::seconds, "/write?db=metric&precision=s"},
      {"milliseconds", "", "metric", "", Precision::milliseconds, "/write?db=metric&precision=ms"},
      {"nanoseconds", "", "metric", "", Precision::nanoseconds, "/write?db=metric&precision=ns"},
      {"slash at the end", "/", "metric", "", Precision::seconds, "/write?db=metric&precision=s"},
      {"behind a path", "/influx/", "metric", "", Precision::seconds,
       "/influx/write?db=metric&precision=s"},
      {"retention policy", "", "metric", "one week", Precision::seconds,
       "/write?db=metric&rp=one%20week&precision=s"},
      {"hostile name", "", "a&b=c/\"\xC3\xA9", "", Precision::seconds,
       "/write?db=a%26b%3Dc%2F%22%C3%A9&precision=s"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Rig rig([](const FakeRequest&) { return reply(204); });
    rig.settings.server.destination.url += row.path;
    rig.settings.server.destination.database = row.database;
    rig.settings.server.destination.retention_policy = row.retention_policy;
    rig.settings.server.gzip = false;
    rig.server.listen();
    Payload payload = lines(1);
    payload.precision = row.precision;
    rig.start().push(payload);
    REQUIRE(rig.run_until_empty());
    CHECK(rig.server.requests()[0].target == row.target);
    CHECK(rig.server.requests()[0].headers.count("content-encoding") == 0);
    CHECK(rig.server.requests()[0].headers.count("authorization") == 0);
    CHECK(rig.server.requests()[0].body == payload.body);
  }
}

TEST_CASE("influx writer: payloads go one after the other over one connection") {
  Rig rig([](const FakeRequest&) { return reply(204); });
  rig.server.listen();
  InfluxWriter& writer = rig.start();
  for (int i = 0; i < 20; ++i) writer.push(lines(1, i));
  REQUIRE(rig.run_until_empty());
  REQUIRE(rig.server.requests().size() == 20);
  for (int i = 0; i < 20; ++i)
    CHECK(plain_body(rig.server.requests()[static_cast<std::size_t>(i)]) == lines(1, i).body);
  CHECK(rig.server.connections() == 1);
}

TEST_CASE(
    "influx writer: what waits for a server that is not there is delivered once when it comes") {
  Rig rig([](const FakeRequest&) { return reply(204); });
  InfluxWriter& writer = rig.start();
  writer.push(lines(1'234));
  writer.push(lines(1));
  REQUIRE(run_until(rig.loop, [&] { return writer.counts().attempts >= 2; }));
  CHECK(writer.counts().queued == 1'235);
  REQUIRE(rig.log_lines().size() == 1);  // the second failure is held back
  const std::string line = rig.log_lines()[0];
  CHECK(
      line.starts_with("warning nothing answers at " + rig.server.url() + ": connection refused"));
  CHECK(line.find("1,235 points wait in memory") != std::string::npos);

  rig.server.listen();
  REQUIRE(rig.run_until_empty());
  CHECK(rig.server.requests().size() == 2);
  CHECK(writer.counts().written == 1'235);
  CHECK(writer.counts().dropped() == 0);
  REQUIRE(rig.log_lines().size() == 2);
  CHECK(rig.log_lines()[1].starts_with("info " + rig.server.url() + " takes points again after "));
  CHECK(rig.log_lines()[1].find("1,235 points were waiting") != std::string::npos);
}

TEST_CASE("influx writer: after an answer that broke off the same bytes are sent again") {
  struct Row {
    const char* name;
    FakeReply broken;
  };
  const std::vector<Row> rows{
      {"nothing", cut("")},
      {"half a 204", cut("HTTP/1.1 204 No Content\r\nX-Influ")},
      {"half a body", cut("HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\nabc")},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    int asked = 0;
    Rig rig([&](const FakeRequest&) { return ++asked == 1 ? row.broken : reply(204); });
    rig.server.listen();
    rig.start().push(lines(50));
    REQUIRE(rig.run_until_empty());
    REQUIRE(rig.server.requests().size() == 2);
    CHECK(rig.server.requests()[0].body == rig.server.requests()[1].body);
    CHECK(rig.server.requests()[0].target == rig.server.requests()[1].target);
    CHECK(gunzip(rig.server.requests()[1].body) == lines(50).body);
    CHECK(rig.writer->counts().written == 50);
    CHECK(rig.writer->counts().retries == 1);
  }
}

TEST_CASE("influx writer: a mute server costs its time-out, and the points are kept") {
  Rig rig([](const FakeRequest&) { return mute(); });
  rig.settings.server.timeout = 50ms;
  rig.server.listen();
  InfluxWriter& writer = rig.start();
  writer.push(lines(5));
  REQUIRE(run_until(rig.loop, [&] { return writer.counts().attempts == 1; }));
  CHECK(writer.counts().queued == 5);
  REQUIRE(rig.log_lines().size() == 1);
  CHECK(rig.log_lines()[0].find("did not answer: timed out after 50 ms") != std::string::npos);
}

TEST_CASE("influx writer: a missing database is created, and the points sent again at once") {
  bool exists = false;
  Rig rig([&](const FakeRequest& request) {
    if (is_write(request)) return exists ? reply(204) : no_database();
    exists = true;
    return created();
  });
  rig.settings.server.destination.database = "we\"ird\\db";
  rig.settings.server.destination.username = rig.settings.server.credentials.username = "admin";
  rig.settings.server.credentials.password = "pw";
  rig.server.listen();
  rig.start().push(lines(3));
  REQUIRE(rig.run_until_empty());
  const auto& requests = rig.server.requests();
  REQUIRE(requests.size() == 3);
  CHECK(requests[1].method == "POST");
  CHECK(requests[1].target == "/query");
  CHECK(requests[1].headers.at("content-type") == "application/x-www-form-urlencoded");
  CHECK(requests[1].headers.at("authorization") == "Basic YWRtaW46cHc=");
  // CREATE DATABASE "we\"ird\\db"
  CHECK(requests[1].body == "q=CREATE%20DATABASE%20%22we%5C%22ird%5C%5Cdb%22");
  CHECK(requests[2].body == requests[0].body);
  CHECK(rig.writer->counts().written == 3);
  CHECK(rig.count_lines("has no database") == 1);
  CHECK(rig.count_lines("created database") == 1);
  CHECK(rig.log_lines().size() == 2);
}

TEST_CASE(
    "influx writer: a database that cannot be created has its own line, and the points are kept") {
  struct Row {
    const char* name;
    FakeReply answer;
    const char* says;
    bool is_answer = true;
  };
  const std::vector<Row> rows{
      {"no right to", error(403, "error authorizing query: wr not authorized"),
       "403 \"error authorizing query"},
      {"an error inside a 200",
       reply(200, R"({"results":[{"statement_id":0,"error":"disk full"}]})"), "disk full"},
      {"a web page", reply(200, "<!doctype html>", "Content-Type: text/html\r\n"), "doctype"},
      {"broken off", cut(""), "mpty reply", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Rig rig(
        [&](const FakeRequest& request) { return is_write(request) ? no_database() : row.answer; });
    rig.server.listen();
    rig.start().push(lines(3));
    REQUIRE(run_until(rig.loop, [&] { return rig.count_lines(row.says) == 1; }));
    const std::size_t told = rig.count_lines("cannot create database \"metric\"");
    CHECK(told == (row.is_answer ? 1 : 0));
    CHECK(rig.count_lines("CREATE DATABASE \"metric\"") == told);
    CHECK(rig.count_lines("3 points wait in memory") == 1);
    CHECK(rig.writer->counts().queued == 3);
  }
}

TEST_CASE("influx writer: a database that stays missing is not created again before the back-off") {
  Rig rig([](const FakeRequest& request) { return is_write(request) ? no_database() : created(); });
  rig.server.listen();
  InfluxWriter& writer = rig.start();
  writer.push(lines(3));
  REQUIRE(run_until(rig.loop, [&] { return writer.counts().attempts == 2; }));
  CHECK(rig.server.requests().size() == 3);
  CHECK(rig.count_lines("although it was created a moment ago") == 1);
  // Then the whole round again.
  const auto creations = [&] {
    const auto& requests = rig.server.requests();
    return std::count_if(requests.begin(), requests.end(),
                         [](const auto& request) { return request.target == "/query"; });
  };
  REQUIRE(run_until(rig.loop, [&] { return creations() == 2; }));
}

TEST_CASE(
    "influx writer: a new password is taken after a 401, and the old one not tried for ever") {
  Rig rig([](const FakeRequest& request) {
    return request.headers.at("authorization") == "Basic d3I6Y2FuYXJ5LW5ldw=="
               ? reply(204)
               : error(401, "authorization failed");
  });
  rig.settings.server.destination.username = rig.settings.server.credentials.username = "wr";
  rig.settings.server.credentials.password = "canary-old";
  int reads = 0;
  rig.settings.server.reload_credentials = [&] {
    return tally::Credentials{.username = "wr",
                              .password = ++reads < 3 ? "canary-old" : "canary-new"};
  };
  rig.server.listen();
  rig.start().push(lines(2));
  REQUIRE(rig.run_until_empty());
  CHECK(reads == 3);
  CHECK(rig.server.requests().size() <= 4);  // the file is read oftener than the server is asked
  CHECK(rig.writer->counts().written == 2);
  CHECK(rig.count_lines("refused user \"wr\"") == 1);
  CHECK(rig.count_lines("the password of \"wr\"") == 1);
  CHECK(rig.count_lines("canary") == 0);
}

TEST_CASE("influx writer: what an operator mends is taken within seconds, not after the back-off") {
  struct Row {
    const char* name;
    FakeReply refusal;
    bool mends_password;
  };
  const std::vector<Row> rows{
      {"a database made by hand", no_database(), false},
      {"another user's password", error(403, "\"wr\" user is not authorized to write"), true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    bool is_mended = false;
    int questions = 0;  // answered with 204
    Rig rig([&](const FakeRequest& request) {
      const bool is_new = request.headers.count("authorization") != 0 &&
                          request.headers.at("authorization") != "Basic d3I6b2xk";
      if (!is_mended || (row.mends_password && !is_new)) return row.refusal;
      if (request.body.empty()) ++questions;
      return reply(204);
    });
    rig.settings.server.destination.create_database = false;
    rig.settings.server.destination.username = rig.settings.server.credentials.username = "wr";
    rig.settings.server.credentials.password = "old";
    rig.settings.server.reload_credentials = [&] {
      return tally::Credentials{.username = "wr",
                                .password = is_mended && row.mends_password ? "new" : "old"};
    };
    rig.server.listen();
    InfluxWriter& writer = rig.start();
    writer.push(lines(2));
    // It is a write of no points that tells, or the file.
    REQUIRE(run_until(rig.loop, [&] {
      const auto& requests = rig.server.requests();
      return writer.counts().attempts >= 2 &&
             std::any_of(requests.begin(), requests.end(),
                         [](const auto& request) { return request.body.empty(); });
    }));
    is_mended = true;
    REQUIRE(rig.run_until_empty());
    // The first good word ends the back-off: until its end there would be more of them.
    CHECK(questions <= (row.mends_password ? 0 : 1));
    CHECK(writer.counts().written == 2);
  }
}

TEST_CASE("influx writer: each trouble that only an operator can mend has its own line") {
  struct Row {
    const char* name;
    FakeReply answer;
    const char* says;
  };
  const std::vector<Row> rows{
      {"the tutorial's evening",
       reply(404, "404 page not found\n",
             "Content-Type: text/plain; charset=utf-8\r\nX-Influxdb-Version: 1.6.7~rc0\r\n"),
       "is InfluxDB \"1.6.7~rc0\" and answered 404 \"404 page not found\" to the InfluxDB 1.x API "
       "(POST /write?db=metric)"},
      {"bad credentials", error(401, "authorization failed"), "wants a user"},
      {"missing database", no_database(), "CREATE DATABASE"},
      {"web page", reply(200, "<html>", "Content-Type: text/html\r\n"), "not a write API"},
      {"redirect", reply(301, "", "Location: https://db/\r\n"),
       "redirects (301) to \"https://db/\""},
      {"retention policy", error(500, "retention policy not found: nope"),
       "influxdb.retention_policy"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Rig rig([&](const FakeRequest&) { return row.answer; });
    rig.settings.server.destination.create_database = false;
    rig.server.listen();
    rig.start().push(lines(7));
    REQUIRE(run_until(rig.loop, [&] { return rig.writer->counts().attempts == 1; }));
    REQUIRE(rig.log_lines().size() == 1);
    CAPTURE(rig.log_lines()[0]);
    CHECK(rig.log_lines()[0].starts_with("error "));
    CHECK(rig.count_lines(row.says) == 1);
    CHECK(rig.count_lines("7 points wait in memory") == 1);
    CHECK(rig.writer->counts().queued == 7);
  }
}

TEST_CASE("influx writer: too large a request is halved until it fits") {
  Rig rig([](const FakeRequest& request) {
    return plain_body(request).size() > lines(3).body.size()
               ? error(413, "Request Entity Too Large")
               : reply(204);
  });
  rig.server.listen();
  rig.start().push(lines(10));
  REQUIRE(rig.run_until_empty());
  std::string stored;
  for (const FakeRequest& request : rig.server.requests()) {
    const std::string body = plain_body(request);
    if (body.size() <= lines(3).body.size()) stored += body;
  }
  CHECK(stored == lines(10).body);
  CHECK(rig.writer->counts().written == 10);
  CHECK(rig.count_lines("two halves") == 1);
}

TEST_CASE("influx writer: lost points are counted each time and told once in ten seconds") {
  Rig rig([](const FakeRequest&) {
    return error(400, "partial write: points beyond retention policy dropped=2");
  });
  rig.server.listen();
  InfluxWriter& writer = rig.start();
  for (int i = 0; i < 30; ++i) writer.push(lines(5));
  REQUIRE(rig.run_until_empty());
  CHECK(writer.counts().dropped_expired == 60);
  CHECK(writer.counts().written == 90);
  CHECK(writer.counts().balances());
  REQUIRE(rig.log_lines().size() == 1);
  CHECK(rig.log_lines()[0].starts_with("error "));
  CHECK(rig.log_lines()[0].find("refused 2 of 5 points") != std::string::npos);
}

TEST_CASE("influx writer: a full memory loses the oldest points, and says so once") {
  Rig rig([](const FakeRequest&) { return reply(204); });
  const std::size_t bytes = lines(10).body.size();
  InfluxWriter& writer = rig.start({.bytes_max = 3 * bytes});
  for (int i = 0; i < 10; ++i) {
    Payload payload = lines(10);
    payload.window = tally::WallTime(std::chrono::seconds(i));
    writer.push(std::move(payload));
  }
  CHECK(writer.counts().dropped_full == 70);  // the first is in flight
  CHECK(writer.counts().balances());
  CHECK(rig.count_lines("10 oldest points are lost") == 1);
}

TEST_CASE("log throttle: a kind has one line in ten seconds, which tells how many it stands for") {
  tally::LogThrottle throttle;
  const tally::LogThrottle::Kind kind{.status = 503};
  const tally::Instant start{1'000s};
  auto since = throttle.pass(kind, 1, start);
  REQUIRE(since);
  CHECK(since->times == 1);
  CHECK_FALSE(throttle.pass(kind, 10, start + 1s));
  CHECK_FALSE(throttle.pass(kind, 10, start + 9'999ms));
  CHECK(throttle.pass({.status = 500}, 1, start + 2s));
  since = throttle.pass(kind, 100, start + 10s);
  REQUIRE(since);
  CHECK(since->times == 3);
  CHECK(since->points == 120);
  CHECK_FALSE(throttle.pass(kind, 1, start + 19s));
}

TEST_CASE("log throttle: an outage's failures are not counted in the next one") {
  tally::LogThrottle throttle;
  const tally::LogThrottle::Kind failure{.action = tally::Action::keep, .status = 503};
  const tally::LogThrottle::Kind loss{.action = tally::Action::drop, .status = 400};
  const tally::LogThrottle::Kind full{.topic = tally::LogThrottle::Kind::Topic::full};
  const tally::Instant start{1'000s};
  REQUIRE(throttle.pass(failure, 0, start));
  REQUIRE(throttle.pass(loss, 1, start));
  REQUIRE(throttle.pass(full, 1, start));
  for (int i = 1; i < 5; ++i) {
    CHECK_FALSE(throttle.pass(failure, 0, start + 1s));
    CHECK_FALSE(throttle.pass(loss, 1, start + 1s));
    CHECK_FALSE(throttle.pass(full, 1, start + 1s));
  }
  throttle.forget_failures();
  CHECK_FALSE(throttle.pass(failure, 0, start + 2s));  // a line in ten seconds all the same
  CHECK(throttle.pass(failure, 0, start + 60s)->times == 2);
  CHECK(throttle.pass(loss, 1, start + 60s)->points == 5);
  CHECK(throttle.pass(full, 1, start + 60s)->points == 5);
}

TEST_CASE("influx writer: draining an empty outbox ends at once, from the loop") {
  Rig rig([](const FakeRequest&) { return reply(204); });
  bool done = false;
  rig.start().drain(1h, [&] { done = true; });
  CHECK_FALSE(done);
  REQUIRE(run_until(rig.loop, [&] { return done; }));
  CHECK(rig.log_lines().empty());
}

TEST_CASE("influx writer: draining waits for what is queued, and not for the back-off") {
  int asked = 0;
  Rig rig([&](const FakeRequest&) {
    return ++asked <= 3 ? reply(503, "", "Retry-After: 300\r\n") : reply(204);
  });
  rig.server.listen();
  InfluxWriter& writer = rig.start();
  writer.push(lines(4));
  writer.push(lines(4));
  REQUIRE(run_until(rig.loop, [&] { return writer.counts().attempts == 1; }));
  bool done = false;
  writer.drain(1h, [&] { done = true; });
  REQUIRE(run_until(rig.loop, [&] { return done; }));
  CHECK(writer.counts().written == 8);
  CHECK(rig.count_lines("lost") == 0);
}

TEST_CASE("influx writer: what is not written when the drain's time is up is counted and told") {
  struct Row {
    const char* name;
    bool listens;
  };
  for (const Row& row : {Row{"mute", true}, Row{"refused", false}}) {
    CAPTURE(row.name);
    Rig rig([](const FakeRequest&) { return mute(); });
    if (row.listens) rig.server.listen();
    InfluxWriter& writer = rig.start();
    writer.push(lines(4));
    writer.push(lines(2'000));
    bool done = false;
    writer.drain(100ms, [&] { done = true; });
    REQUIRE(run_until(rig.loop, [&] { return done; }));
    CHECK(writer.counts().dropped_shutdown == 2'004);
    CHECK(writer.counts().balances());
    CHECK(rig.count_lines("error 2,004 points are lost") == 1);
  }
}

TEST_CASE("influx writer: it may be destroyed in flight, waiting, creating, and when drained") {
  struct Row {
    const char* name;
    FakeReply to_write;
    std::size_t requests;
  };
  const std::vector<Row> rows{
      {"in flight", mute(), 1}, {"waiting", reply(503), 1}, {"creating", no_database(), 2}};
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Rig rig([&](const FakeRequest& request) { return is_write(request) ? row.to_write : mute(); });
    rig.server.listen();
    rig.start().push(lines(1));
    REQUIRE(rig.run_until_requests(row.requests));
    rig.loop.turn();
    rig.writer.reset();
    for (int i = 0; i < 5; ++i) rig.loop.turn();
  }
  Rig rig([](const FakeRequest&) { return reply(204); });
  rig.server.listen();
  rig.start().push(lines(1));
  rig.writer->drain(1h, [&] { rig.writer.reset(); });
  REQUIRE(run_until(rig.loop, [&] { return !rig.writer; }));
}

TEST_CASE("influx writer: with nothing queued it keeps no loop alive") {
  tally::uv::Loop loop;
  std::ostringstream text;
  spdlog::logger log("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text));
  std::optional<FakeServer> server;
  server.emplace(loop, [](const FakeRequest&) { return reply(204); });
  server->listen();
  InfluxWriter writer(
      loop,
      {.server = {.destination = {.url = server->url(), .database = "metric"}, .credentials = {}}},
      {}, log);
  CHECK_FALSE(uv_loop_alive(loop.raw()) == 0);  // the server's
  writer.push(lines(1));
  REQUIRE(run_until(loop, [&] { return writer.counts().queued == 0; }));
  server.reset();
  loop.run();  // returns only when nothing is active
  CHECK(writer.counts().written == 1);
}

// ---- which API ----------------------------------------------------------------------------------

namespace {

FakeReply version(int status, const std::string& name, const std::string& body = "") {
  return reply(status, body, "X-Influxdb-Version: " + name + "\r\n");
}

}  // namespace

TEST_CASE("influx writer: the API is found out before the first write, and once") {
  struct Row {
    const char* name;
    FakeReply ping;
    FakeReply health;
    std::string target;
    std::size_t questions;
  };
  const FakeReply web_page = reply(200, "<html>", "Content-Type: text/html\r\n");
  const std::vector<Row> rows{
      {"1.6.7", version(204, "1.6.7~rc0"), web_page, "/write?db=metric&precision=s", 1},
      {"2.7.1", version(204, "v2.7.1"), web_page, "/api/v2/write?org=&bucket=metric&precision=s",
       1},
      {"3.0.1 by the body", reply(200, R"({"version":"3.0.1"})"), web_page,
       "/api/v3/write_lp?db=metric&precision=second&accept_partial=true", 1},
      {"2.7.1 behind a proxy that takes headers away", reply(204),
       reply(200, R"({"name":"influxdb","status":"pass","version":"v2.7.1"})"),
       "/api/v2/write?org=&bucket=metric&precision=s", 2},
      {"nobody says", web_page, web_page, "/write?db=metric&precision=s", 2},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Rig rig([&](const FakeRequest& request) {
      if (request.target == "/ping") return row.ping;
      return request.target == "/health" ? row.health : reply(204);
    });
    rig.settings.server.destination.api_is_fixed = false;
    rig.server.listen();
    InfluxWriter& writer = rig.start();
    writer.push(lines(2));
    REQUIRE(rig.run_until_empty());
    writer.push(lines(2, 2));
    REQUIRE(rig.run_until_empty());
    const auto& requests = rig.server.requests();
    REQUIRE(requests.size() == row.questions + 2);
    CHECK(requests[0].method == "GET");
    CHECK(requests[row.questions].target == row.target);
    CHECK(requests[row.questions + 1].target == row.target);
    CHECK(writer.counts().written == 4);
  }
}

TEST_CASE("influx writer: a server that becomes another version is followed, and nothing is lost") {
  bool is_new = false;
  Rig rig([&](const FakeRequest& request) {
    const std::string name = is_new ? "v2.7.1" : "1.8.10";
    if (request.target == "/ping") return version(204, name);
    if (is_write(request)) return is_new ? version(404, name, "page not found") : reply(204);
    return reply(204);
  });
  rig.settings.server.destination.api_is_fixed = false;
  rig.server.listen();
  InfluxWriter& writer = rig.start();
  writer.push(lines(2));
  REQUIRE(rig.run_until_empty());
  is_new = true;
  writer.push(lines(3));
  REQUIRE(rig.run_until_empty());
  CHECK(rig.server.requests().back().target == "/api/v2/write?org=&bucket=metric&precision=s");
  CHECK(writer.counts().written == 5);
  CHECK(rig.count_lines("is InfluxDB \"v2.7.1\": its API 2 is used") == 1);
}

TEST_CASE("influx writer: while nobody answers, the question is the attempt") {
  Rig rig([](const FakeRequest&) { return version(204, "1.6.7"); });
  rig.settings.server.destination.api_is_fixed = false;
  InfluxWriter& writer = rig.start();
  writer.push(lines(2));
  REQUIRE(run_until(rig.loop, [&] { return writer.counts().attempts >= 2; }));
  CHECK(rig.count_lines("nothing answers at") == 1);
  rig.server.listen();
  REQUIRE(rig.run_until_empty());
  CHECK(writer.counts().written == 2);
}

// ---- the disk -----------------------------------------------------------------------------------

namespace {

constexpr tally::WallTime spool_now{std::chrono::seconds(1'700'000'000)};

/// A writer with a spool in a directory of its own. A second one with the same directory is the
/// next process.
class SpoolRig : public Rig {
 public:
  explicit SpoolRig(FakeServer::Script script, std::string directory = {})
      : Rig(std::move(script)), directory_(std::move(directory)) {
    if (!directory_.empty()) return;
    std::string path = (std::filesystem::temp_directory_path() / "tally-writer-XXXXXX").string();
    REQUIRE(mkdtemp(path.data()) != nullptr);
    directory_ = path;
    owns_ = true;
  }
  ~SpoolRig() {
    writer.reset();
    if (owns_) std::filesystem::remove_all(directory_);
  }

  InfluxWriter& start(OutboxLimits limits = {}) {
    auto backlog = tally::Backlog::open(
        loop,
        {.directory = directory_ + "/sink",
         .fingerprint = 1,
         .free_share_min = 0,
         .free_bytes_min = 0},
        [] { return spool_now; }, log);
    REQUIRE(backlog);
    return writer.emplace(loop, settings, limits, log, std::move(backlog).value());
  }
  const std::string& directory() const { return directory_; }

 private:
  std::string directory_;
  bool owns_ = false;
};

Payload window(int number, std::uint32_t count = 3) {
  Payload payload = lines(count, 100 * number);
  payload.window = spool_now + std::chrono::seconds(number);
  return payload;
}

}  // namespace

TEST_CASE("influx writer: a healthy server sees nothing of the disk") {
  SpoolRig rig([](const FakeRequest&) { return reply(204); });
  rig.server.listen();
  InfluxWriter& writer = rig.start();
  for (int i = 0; i < 5; ++i) writer.push(window(i));
  REQUIRE(rig.run_until_empty());
  CHECK(writer.counts().spooled == 0);
  CHECK(writer.disk_bytes() == 0);
  CHECK(writer.counts().balances());
}

TEST_CASE("influx writer: after a failed attempt all waits on disk, and comes back oldest first") {
  SpoolRig rig([](const FakeRequest&) { return reply(204); });
  InfluxWriter& writer = rig.start();
  for (int i = 0; i < 4; ++i) {
    writer.push(window(i));
    REQUIRE(run_until(rig.loop, [&] { return writer.counts().attempts > 0; }));
    CHECK(writer.counts().balances());
  }
  CHECK(writer.counts().queued == 0);
  CHECK(writer.counts().spooled == 12);
  CHECK(rig.count_lines("points wait on disk (") == 1);
  rig.server.listen();
  REQUIRE(run_until(rig.loop, [&] { return writer.counts().written == 12; }));
  CHECK(writer.counts().spooled == 0);
  CHECK(writer.counts().balances());
  REQUIRE(rig.server.requests().size() == 4);
  for (int i = 0; i < 4; ++i)
    CHECK(plain_body(rig.server.requests()[static_cast<std::size_t>(i)]) == window(i).body);
}

TEST_CASE("influx writer: what is flushed during a replay goes first") {
  int asked = 0;
  InfluxWriter* pushing = nullptr;
  SpoolRig rig([&](const FakeRequest&) {
    if (++asked == 2) pushing->push(window(9));
    return reply(204);
  });
  rig.settings.replay.bytes_a_second = 1'000;  // so that the third has to wait a while
  InfluxWriter& writer = rig.start();
  pushing = &writer;
  for (int i = 0; i < 3; ++i) writer.push(window(i));
  REQUIRE(run_until(rig.loop, [&] { return writer.counts().spooled == 9; }));
  rig.server.listen();
  REQUIRE(run_until(rig.loop, [&] { return writer.counts().written == 12; }));
  std::vector<std::string> bodies;
  for (const FakeRequest& request : rig.server.requests()) bodies.push_back(plain_body(request));
  REQUIRE(bodies.size() == 4);
  CHECK(bodies[3] != window(9).body);  // not behind the backlog
}

TEST_CASE("influx writer: the next process sends what the last one left, and counts it") {
  SpoolRig last([](const FakeRequest&) { return reply(204); });
  last.start().push(window(1));
  last.writer->push(window(2));
  REQUIRE(run_until(last.loop, [&] { return last.writer->counts().spooled == 6; }));
  last.writer.reset();  // as kill -9 would: nothing is said or written

  SpoolRig next([](const FakeRequest&) { return reply(204); }, last.directory());
  next.server.listen();
  InfluxWriter& writer = next.start();
  REQUIRE(run_until(next.loop, [&] { return writer.counts().recovered == 6; }));
  CHECK(writer.counts().balances());
  REQUIRE(run_until(next.loop, [&] { return writer.counts().written == 6; }));
  CHECK(writer.counts().spooled == 0);
  CHECK(writer.counts().balances());
  CHECK(plain_body(next.server.requests()[0]) == window(1).body);
}

TEST_CASE("influx writer: at the end what is not written stays on disk and is not lost") {
  for (const bool listens : {true, false}) {
    CAPTURE(listens);
    SpoolRig rig([](const FakeRequest&) { return mute(); });
    if (listens) rig.server.listen();
    InfluxWriter& writer = rig.start();
    writer.push(window(1));
    writer.push(window(2));
    bool done = false;
    writer.drain(100ms, [&] { done = true; });
    REQUIRE(run_until(rig.loop, [&] { return done; }));
    CHECK(writer.counts().spooled == 6);
    CHECK(writer.counts().dropped() == 0);
    CHECK(writer.counts().balances());
    CHECK(rig.count_lines("info 6 points for " + rig.server.url() + " stay on disk") == 1);
  }
}

TEST_CASE(
    "influx writer: a line that the server names is a dead letter on disk, the rest is stored") {
  int asked = 0;
  SpoolRig rig([&](const FakeRequest&) {
    return ++asked > 1 ? reply(204)
                       : error(400,
                               "partial write: unable to parse 'hits.count count=101 "
                               "1700000000': no reason dropped=0");
  });
  rig.server.listen();
  InfluxWriter& writer = rig.start();
  writer.push(window(1));
  REQUIRE(rig.run_until_empty());
  CHECK(writer.counts().written == 2);
  CHECK(writer.counts().dead == 1);
  CHECK(writer.counts().dropped() == 0);
  CHECK(writer.counts().balances());
  const auto letters = tally::read_dead_letters(rig.directory() + "/sink");
  REQUIRE(letters);
  REQUIRE(letters.value().size() == 1);
  CHECK(letters.value()[0].line == "hits.count count=101 1700000000");
}

TEST_CASE("influx writer: a line that makes the server fail is found, in memory and from disk") {
  const auto panics = [](const FakeRequest& request) {
    if (request.target == "/ping") return version(204, "1.6.7");
    return plain_body(request).find("count=105") == std::string::npos
               ? reply(204)
               : reply(500, "Internal Server Error\n", "X-Influxdb-Version: 1.6.7\r\n");
  };
  SpoolRig rig(panics);
  rig.server.listen();
  InfluxWriter& writer = rig.start();
  writer.push(window(1, 64));
  REQUIRE(run_until(
      rig.loop, [&] { return writer.counts().dead == 1; }, 60s));
  REQUIRE(run_until(rig.loop, [&] { return writer.counts().written == 63; }));
  CHECK(writer.counts().spooled == 0);
  CHECK(writer.counts().balances());
}
