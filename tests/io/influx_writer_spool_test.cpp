// The two lanes of a destination and the disk between them.

#include <doctest/doctest.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "deliver/influx_writer.hpp"
#include "fake_server.hpp"

using namespace std::chrono_literals;
using tally::Backlog;
using tally::InfluxSettings;
using tally::InfluxWriter;
using tally::Payload;
using tally::test::FakeReply;
using tally::test::FakeRequest;
using tally::test::FakeServer;
using tally::test::reply;
using tally::test::run_until;

namespace {

class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / "tallyd-io-XXXXXX") {
    REQUIRE(mkdtemp(path_.data()) != nullptr);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string spool() const { return path_ + "/spool"; }

 private:
  std::string path_;
};

tally::WallTime wall_now() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

Payload payload_of(const std::string& name, std::uint32_t points = 1) {
  Payload payload{.window = wall_now()};
  for (std::uint32_t i = 0; i < points; ++i)
    payload.body += name + " value=" + std::to_string(i) + " 1700000000\n";
  payload.points = points;
  return payload;
}

/// A writer with a spool, to a server that fails at lines named "poison". The balance of points is
/// CHECKed at each turn of the loop.
class Rig {
 public:
  Rig() { settings.server.destination.url = server.url(); }

  /// Another process, if there was one.
  InfluxWriter& start() {
    writer_.reset();
    spool.directory = folder_.spool();
    auto backlog = Backlog::open(loop, spool, wall_now, log_);
    REQUIRE(backlog);
    return writer_.emplace(loop, settings, tally::OutboxLimits{}, log_, std::move(backlog).value());
  }
  InfluxWriter& writer() { return *writer_; }
  bool run_until(const std::function<bool()>& is_done) {
    return tally::test::run_until(
        loop,
        [&] {
          CHECK(writer_->counts().balances());
          return is_done();
        },
        40s);
  }
  bool run_until_written(const std::string& name) {
    return run_until([&] { return written(name) > 0; });
  }
  /// Requests answered with 204 that held such a line.
  std::size_t written(std::string_view name) const {
    std::size_t count = 0;
    for (const std::string& body : bodies)
      if (body.find(name) != std::string::npos) ++count;
    return count;
  }
  std::string log() const { return text_.str(); }

  tally::uv::Loop loop;
  std::vector<std::string> bodies;  ///< stored, in order
  /// What is answered in place of the usual, if anything.
  std::function<std::optional<FakeReply>(const FakeRequest&)> answers;
  FakeServer server{loop, [this](const FakeRequest& request) { return answer(request); }};
  tally::SpoolSettings spool{.free_share_min = 0, .free_bytes_min = 0};
  InfluxSettings settings{.server = {.destination = {.api_is_fixed = true, .database = "metric"},
                                     .credentials = {},
                                     .gzip = false}};

 private:
  FakeReply answer(const FakeRequest& request) {
    if (answers)
      if (auto other = answers(request)) return *other;
    if (request.method == "GET") return reply(204);
    if (request.body.find("poison") != std::string::npos)
      return reply(500, "{\"error\":\"panic\"}", "X-Influxdb-Version: 1.6.7\r\n");
    bodies.push_back(request.body);
    return reply(204);
  }

  spdlog::logger make_log() {
    return {"test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text_)};
  }

  Folder folder_;
  std::ostringstream text_;
  spdlog::logger log_ = make_log();
  std::optional<InfluxWriter> writer_;
};

}  // namespace

TEST_CASE("influx writer: one line on disk that the server fails at holds nothing else up") {
  Rig rig;
  // The line is given up once the server is known to be well, which it does not say before "now" is
  // written.
  rig.answers = [&](const FakeRequest& request) -> std::optional<FakeReply> {
    if (request.method != "GET" || rig.written("now") > 0) return std::nullopt;
    return reply(503, "{\"error\":\"busy\"}", "X-Influxdb-Version: 1.6.7\r\n");
  };
  InfluxWriter& writer = rig.start();
  writer.push(payload_of("poison"));
  REQUIRE(rig.run_until([&] { return writer.counts().spooled == 1; }));
  writer.push(payload_of("behind", 3));
  rig.server.listen();
  REQUIRE_MESSAGE(rig.run_until([&] { return rig.server.requests().size() >= 2; }), rig.log());
  writer.push(payload_of("now"));
  REQUIRE_MESSAGE(rig.run_until_written("now"), rig.log());
  CHECK(rig.written("behind") == 0);
  CHECK_MESSAGE(rig.run_until([&] { return writer.counts().dead == 1; }), rig.log());
  CHECK(rig.run_until_written("behind"));
  CHECK(rig.run_until([&] { return writer.counts().spooled == 0; }));
  CHECK(writer.counts().written == 4);
}

TEST_CASE("influx writer: what the disk does not take keeps its order in memory") {
  Rig rig;
  InfluxWriter& writer = rig.start();
  for (const char* name : {"first", "second", "third"}) {
    Payload large = payload_of(name);
    large.body.insert(0, std::string(5 << 20, 'x'));  // more than a record holds
    writer.push(std::move(large));
  }
  REQUIRE(rig.run_until([&] { return writer.counts().retries >= 2; }));
  CHECK(writer.counts().queued == 3);
  rig.server.listen();
  REQUIRE_MESSAGE(rig.run_until_written("third"), rig.log());
  REQUIRE(rig.bodies.size() == 3);
  CHECK(rig.bodies[0].find("first") != std::string::npos);
  CHECK(rig.bodies[1].find("second") != std::string::npos);
}

TEST_CASE("influx writer: after a long outage the backlog waits for a random time, live data not") {
  Rig rig;
  rig.settings.jitter_after = 0ms;
  rig.settings.jitter_max = std::chrono::hours(1000);
  InfluxWriter& writer = rig.start();
  for (int i = 0; i < 3; ++i) {
    writer.push(payload_of("old"));
    REQUIRE(rig.run_until([&] { return writer.counts().queued == 0; }));
  }
  rig.server.listen();
  REQUIRE(rig.run_until([&] { return writer.counts().written == 1; }));  // the server is back
  for (const char* name : {"one", "two", "three"}) {
    writer.push(payload_of(name));
    REQUIRE(rig.run_until_written(name));
  }
  CHECK(rig.written("old") == 1);
  CHECK(writer.counts().spooled == 2);
  CHECK_MESSAGE(rig.log().find("2 points, waits for another ") != std::string::npos, rig.log());
}

TEST_CASE("influx writer: what an earlier process left long ago waits for a random time too") {
  for (const bool is_old : {true, false}) {
    CAPTURE(is_old);
    Rig rig;
    rig.settings.jitter_max = std::chrono::hours(1000);
    Payload left = payload_of("left");
    if (is_old) left.window -= 11min;
    rig.start().push(left);
    REQUIRE(rig.run_until([&] { return rig.writer().counts().spooled == 1; }));
    rig.server.listen();
    InfluxWriter& next = rig.start();
    REQUIRE(rig.run_until([&] { return next.counts().recovered == 1; }));
    next.push(payload_of("now"));
    REQUIRE(rig.run_until_written("now"));
    const auto is_written = [&] { return next.counts().spooled == 0; };
    if (!is_old) CHECK(rig.run_until(is_written));
    CHECK(next.counts().spooled == (is_old ? 1 : 0));
  }
}

TEST_CASE("influx writer: a long replay is announced with its size and time, and its end is told") {
  Rig rig;
  rig.settings.replay = {.bytes_a_second = 2'000, .share_of_capacity = 0};
  InfluxWriter& writer = rig.start();
  for (int i = 0; i < 12; ++i) writer.push(payload_of("old", 20));  // some 400 bytes each
  REQUIRE(rig.run_until([&] { return writer.counts().spooled == 240; }));
  rig.server.listen();
  REQUIRE(rig.run_until([&] { return writer.counts().spooled == 0; }));
  CHECK_MESSAGE(rig.log().find(" points, goes to " + rig.server.url()) != std::string::npos,
                rig.log());
  CHECK(rig.log().find("empty in about ") != std::string::npos);
  CHECK(rig.log().find("the backlog is written: ") != std::string::npos);
}

// ---- spool.when = "always" ----------------------------------------------------------------------

TEST_CASE(
    "influx writer: what is kept on disk in any case is there before it is sent, and then not") {
  Rig rig;
  rig.settings.spools_always = true;
  rig.server.listen();
  InfluxWriter& writer = rig.start();
  for (const char* name : {"one", "two", "three"}) {
    writer.push(payload_of(name, 2));
    CHECK(writer.counts().spooled == 2);
    CHECK(writer.counts().queued == 0);
    CHECK(writer.disk_bytes() > 0);
    REQUIRE(rig.run_until([&] { return writer.counts().spooled == 0; }));
    CHECK(rig.written(name) == 1);
    CHECK(writer.disk_bytes() == 0);
  }
}

TEST_CASE(
    "influx writer: with a backlog what is kept on disk in any case goes first all the same") {
  Rig rig;
  rig.settings.spools_always = true;
  rig.settings.replay = {.bytes_a_second = 500, .share_of_capacity = 0};
  InfluxWriter& writer = rig.start();
  for (int i = 0; i < 10; ++i) writer.push(payload_of("old", 20));  // some 400 bytes each
  REQUIRE(rig.run_until([&] { return writer.counts().attempts > 0; }));
  CHECK(writer.counts().spooled == 200);
  rig.server.listen();
  REQUIRE(rig.run_until([&] { return writer.counts().written == 20; }));
  for (const char* name : {"one", "two", "three"}) {
    writer.push(payload_of(name));
    const std::size_t before = rig.written("old");
    REQUIRE(rig.run_until_written(name));
    CHECK(rig.written("old") <= before + 1);  // the one that was in flight
  }
  CHECK(writer.counts().spooled > 100);
  REQUIRE(rig.run_until([&] { return writer.counts().spooled == 0; }));
  CHECK(writer.counts().written == 203);
}

TEST_CASE(
    "influx writer: what is kept on disk in any case is sent by the next process after a kill") {
  Rig rig;
  rig.settings.spools_always = true;
  rig.start().push(payload_of("left", 3));
  CHECK(rig.writer().counts().spooled == 3);
  InfluxWriter& next = rig.start();  // nobody was told
  rig.server.listen();
  REQUIRE(rig.run_until_written("left"));
  REQUIRE(rig.run_until([&] { return next.counts().spooled == 0; }));
  CHECK(next.counts().recovered == 3);
}

TEST_CASE(
    "influx writer: at a stop what is kept on disk in any case is sent if the server takes it") {
  for (const bool listens : {true, false}) {
    CAPTURE(listens);
    Rig rig;
    rig.settings.spools_always = true;
    if (listens) rig.server.listen();
    InfluxWriter& writer = rig.start();
    for (int i = 0; i < 3; ++i) writer.push(payload_of("last"));
    bool is_done = false;
    writer.drain(500ms, [&] { is_done = true; });
    REQUIRE(rig.run_until([&] { return is_done; }));
    CHECK(writer.counts().written == (listens ? 3 : 0));
    CHECK(writer.counts().spooled == (listens ? 0 : 3));
    CHECK(writer.counts().dropped() == 0);
  }
}

TEST_CASE("influx writer: of a record that was sent in part only the rest waits behind an outage") {
  Rig rig;
  rig.settings.spools_always = true;
  rig.server.listen();
  InfluxWriter& writer = rig.start();
  // The first half is taken, then the server is gone for a while.
  rig.answers = [&, asked = 0](const FakeRequest& request) mutable -> std::optional<FakeReply> {
    if (request.method == "GET") return std::nullopt;
    switch (++asked) {
      case 1:
        return reply(413);
      case 2:
        return std::nullopt;
      case 3:
      case 4:
        return reply(503);
      default:
        return std::nullopt;
    }
  };
  writer.push(payload_of("half", 10));
  REQUIRE(rig.run_until([&] { return writer.counts().attempts == 3; }));
  CHECK(writer.counts().written == 5);
  CHECK(writer.counts().spooled == 5);
  REQUIRE(rig.run_until([&] { return writer.counts().written == 10; }));
  CHECK(writer.counts().spooled == 0);
  CHECK(writer.disk_bytes() == 0);
}

TEST_CASE("influx writer: a disk that fails in an outage costs no record that it took before") {
  Rig rig;
  rig.settings.spools_always = true;
  rig.server.listen();
  InfluxWriter& writer = rig.start();
  rig.answers = [is_first = true](const FakeRequest& request) mutable -> std::optional<FakeReply> {
    if (request.method == "GET" || !std::exchange(is_first, false)) return std::nullopt;
    return reply(503);
  };
  writer.push(payload_of("on_disk", 3));
  Payload large = payload_of("in_memory");
  large.body.insert(0, std::string(5 << 20, 'x'));  // more than a record holds
  writer.push(std::move(large));
  REQUIRE(rig.run_until([&] { return writer.counts().attempts == 1; }));
  CHECK(writer.counts().spooled == 3);
  CHECK(writer.counts().queued == 1);
  REQUIRE_MESSAGE(rig.run_until([&] { return writer.counts().written == 4; }), rig.log());
  CHECK(rig.written("on_disk") == 1);
  CHECK(rig.written("in_memory") == 1);
  CHECK(writer.disk_bytes() == 0);
}

TEST_CASE("influx writer: at a stop in an outage what the disk does not take is tried once more") {
  Rig rig;
  InfluxWriter& writer = rig.start();
  Payload large = payload_of("in_memory");
  large.body.insert(0, std::string(5 << 20, 'x'));  // more than a record holds
  writer.push(std::move(large));
  REQUIRE(rig.run_until([&] { return writer.counts().retries == 1; }));
  rig.server.listen();
  bool is_done = false;
  writer.drain(20s, [&] { is_done = true; });
  REQUIRE(rig.run_until([&] { return is_done; }));
  CHECK_MESSAGE(writer.counts().written == 1, rig.log());
  CHECK(writer.counts().dropped() == 0);
}

TEST_CASE("influx writer: that dead letters had to go for newer ones is said, once in a while") {
  Rig rig;
  rig.server.listen();
  InfluxWriter& writer = rig.start();
  rig.answers = [](const FakeRequest& request) -> std::optional<FakeReply> {
    if (request.method == "GET") return std::nullopt;
    return reply(413, "", "X-Influxdb-Version: 1.6.7\r\n");
  };
  // No line fits: each is a dead letter of half a MiB, and there is room for 32.
  constexpr std::uint64_t letters = 40;
  for (std::uint64_t i = 0; i < letters; ++i)
    writer.push(payload_of("large" + std::string(512 << 10, 'x')));
  REQUIRE(rig.run_until([&] { return writer.counts().dead == letters; }));
  const std::string log = rig.log();
  const std::size_t at = log.find("full of dead letters (16MiB): the oldest ");
  CHECK_MESSAGE(at != std::string::npos, log.substr(0, 2000));
  CHECK(log.find("full of dead letters", at + 1) == std::string::npos);
}
