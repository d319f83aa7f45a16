// F26 against the real influxd 1.6.7. tallyd makes no such lines, so here its outbox is given them
// behind its parser's back.

#include <doctest/doctest.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <chrono>
#include <memory>
#include <sstream>
#include <string>

#include "deliver/influx_writer.hpp"
#include "faults_rig.hpp"
#include "spool/dead_letters.hpp"

using namespace tally::testing;
using namespace std::chrono_literals;
using tally::Backlog;
using tally::InfluxWriter;
using tally::Payload;

namespace {

constexpr std::uint32_t lines = 5000;

/// Makes the real influxd 1.6.7 panic; 99 tags and 101 do not.
std::string line_of_100_tags() {
  std::string line = "fault.bad";
  for (int i = 0; i < 100; ++i) line += ",t" + std::to_string(100 + i) + "=v";
  return line + " count=1 1700000000\n";
}

Payload payload_with(const std::string& bad_line, std::uint32_t place) {
  Payload payload{
      .points = lines,
      .window = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now())};
  for (std::uint32_t i = 0; i < lines; ++i)
    payload.body += i == place ? bad_line
                               : std::string(hits_measurement) + ",i=" + std::to_string(i) +
                                     " count=1 1700000000\n";
  return payload;
}

/// A writer with a spool on the test's own loop, and the real database behind a server that counts.
class Rig {
 public:
  Rig() {
    influxd.start();
    influxd.query("", "CREATE DATABASE metric");
    counter.set_script(proxy(influxd.port()));
    settings.server.destination = {
        .url = counter.url(), .api_is_fixed = true, .database = "metric"};
  }

  InfluxWriter& start() {
    const auto clock = [] {
      return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    };
    auto backlog = Backlog::open(
        loop, {.directory = spool(), .free_share_min = 0, .free_bytes_min = 0}, clock, log);
    REQUIRE(backlog);
    writer = std::make_unique<InfluxWriter>(loop, settings, tally::OutboxLimits{}, log,
                                            std::move(backlog).value());
    return *writer;
  }
  bool run_until(const std::function<bool()>& is_true) {
    return eventually(3 * patience, [&] {
      loop.turn();
      CHECK(writer->counts().balances());
      return is_true();
    });
  }
  std::string spool() const { return directory.path() + "/spool"; }

  Influxd influxd;
  Badflux counter;
  TemporaryDirectory directory;
  tally::uv::Loop loop;
  std::ostringstream text;
  spdlog::logger log{"test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text)};
  tally::InfluxSettings settings;
  std::unique_ptr<InfluxWriter> writer;
};

void check_found(Rig& rig) {
  InfluxWriter& writer = *rig.writer;
  REQUIRE_MESSAGE(
      rig.run_until([&] { return writer.counts().written + writer.counts().dead == lines; }),
      rig.text.str());
  CHECK(writer.counts().dead == 1);
  CHECK(writer.counts().spooled + writer.counts().queued + writer.counts().dropped() == 0);
  const auto letters = tally::read_dead_letters(rig.spool());
  REQUIRE(letters);
  REQUIRE(letters.value().size() == 1);
  CHECK(letters.value()[0].line + "\n" == line_of_100_tags());
  CHECK(stored_sum(rig.influxd, hits_measurement) == lines - 1);
  CHECK(stored_sum(rig.influxd, "fault.bad") == 0);
}

}  // namespace

TEST_CASE("F26: of 5,000 points the one with 100 tags is found at a real influxd in 27 requests") {
  for (const std::uint32_t place : {0U, 3'141U, lines - 1}) {
    CAPTURE(place);
    Rig rig;
    rig.counter.listen();
    rig.start().push(payload_with(line_of_100_tags(), place));
    check_found(rig);
    const auto requests = writes(rig.counter).size();
    MESSAGE(requests << " requests, the five that were refused before it was looked for included");
    CHECK(requests <= 5 + 27);
  }
}

TEST_CASE("F26: a point with 100 tags that waits on disk is found there too") {
  Rig rig;
  rig.start().push(payload_with(line_of_100_tags(), 2'718));
  REQUIRE(rig.run_until([&] { return rig.writer->counts().spooled == lines; }));
  rig.counter.listen();
  check_found(rig);
  CHECK(writes(rig.counter).size() <= 5 + 27);
}

TEST_CASE("F26: a name that is no UTF-8, at which a real influxd fails, costs no other point") {
  Rig rig;
  rig.counter.listen();
  InfluxWriter& writer = rig.start();
  writer.push(
      payload_with("fault.b\xff"
                   "d count=1 1700000000\n",
                   1'414));
  REQUIRE_MESSAGE(
      rig.run_until([&] { return writer.counts().written + writer.counts().dead == lines; }),
      rig.text.str());
  MESSAGE(writes(rig.counter).size() << " requests, " << writer.counts().dead << " dead letters");
  CHECK(writes(rig.counter).size() <= 5 + 27);
  CHECK(stored_sum(rig.influxd, hits_measurement) == lines - 1);
  CHECK(rig.text.str().find("invalid UTF-8") != std::string::npos);
}
