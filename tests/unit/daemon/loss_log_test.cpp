#include "daemon/loss_log.hpp"

#include <doctest/doctest.h>

#include <chrono>

using namespace tally;
using std::chrono::seconds;

namespace {

Ledger with_kernel_drops(std::uint64_t drops) {
  Ledger ledger;
  ledger.ingest.kernel_drops = drops;
  return ledger;
}

const Instant start = Instant(seconds(1000));

}  // namespace

TEST_CASE("loss log: nothing lost, nothing said") {
  LossLog log(1 << 20);
  CHECK(log.lines({}, {}, start, false).empty());
  CHECK(log.lines({}, {}, start, true).empty());
}

TEST_CASE("loss log: kernel drops are said at once, with how many, why and the cure") {
  LossLog log(32 << 20);
  const auto lines = log.lines(with_kernel_drops(1234), {}, start, false);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0] ==
        "lost 1,234 datagrams: the kernel dropped them because the receive buffer of 32MiB was "
        "full; raise "
        "listen.receive_buffer (and, without CAP_NET_ADMIN, sysctl -w net.core.rmem_max=67108864), "
        "or spread the "
        "senders over listen.workers");
}

TEST_CASE("loss log: within 10 s of a line losses add up, the next line has their sum") {
  LossLog log(1 << 20);
  CHECK(log.lines(with_kernel_drops(1), {}, start, false).size() == 1);
  CHECK(log.lines(with_kernel_drops(3), {}, start + seconds(5), false).empty());
  CHECK(log.lines(with_kernel_drops(3), {}, start + seconds(9), false).empty());
  const auto later = log.lines(with_kernel_drops(6), {}, start + seconds(10), false);
  REQUIRE(later.size() == 1);
  CHECK(later[0].starts_with("lost 5 datagrams:"));
}

TEST_CASE("loss log: the last call says what is still unsaid") {
  LossLog log(1 << 20);
  CHECK(log.lines(with_kernel_drops(1), {}, start, false).size() == 1);
  const auto last = log.lines(with_kernel_drops(2), {}, start + seconds(1), true);
  REQUIRE(last.size() == 1);
  CHECK(last[0].starts_with("lost 1 datagrams:"));
}

TEST_CASE("loss log: refused lines come with reasons and a quoted example") {
  Ledger ledger;
  ledger.ingest.lines_refused[static_cast<std::size_t>(Reason::bad_value)] = 10;
  ledger.ingest.lines_refused[static_cast<std::size_t>(Reason::unknown_type)] = 2;
  LossLog log(1 << 20);
  const auto lines =
      log.lines(ledger, std::string("\"foo:b\" (bad_value) from 127.0.0.1:7 on udp 127.0.0.1:8125"),
                start, false);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0] ==
        "refused 12 lines (bad_value 10, unknown_type 2), such as \"foo:b\" (bad_value) from "
        "127.0.0.1:7 on udp 127.0.0.1:8125; the other lines of their packets are counted; see why "
        "with: tallyd explain 'LINE'; SIGUSR1 makes tallyd log the last 100");
}

TEST_CASE("loss log: nobody is told to explain a line that is well but for a full window") {
  Ledger ledger;
  ledger.ingest.lines_refused[static_cast<std::size_t>(Reason::series_limit)] = 22;
  LossLog log(1 << 20);
  const auto lines = log.lines(ledger, {}, start, false);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0] ==
        "refused 22 lines (series_limit 22); the other lines of their packets are counted; see "
        "what fills limits.series with: tallyd top --by series; SIGUSR1 makes tallyd log the last "
        "100");
  ledger.ingest.lines_refused[static_cast<std::size_t>(Reason::bad_value)] = 1;
  const auto both = log.lines(ledger, {}, start + seconds(11), false);
  REQUIRE(both.size() == 1);
  CHECK(both[0].find("tallyd explain") != std::string::npos);
}

TEST_CASE("loss log: what was denied or hung up on is said once, and its neighbours count on") {
  Ledger ledger;
  ledger.ingest.datagrams_denied = 7;
  ledger.ingest.connections.denied = 2;
  ledger.ingest.connections.not_statsd = 3;
  ledger.ingest.connections.refused = 4;
  ledger.ingest.connections.broken = 1;
  LossLog log(1 << 20);
  const auto lines = log.lines(ledger, {}, start, false);
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].starts_with("denied 7 datagrams and 2 connections: listen.allow"));
  CHECK(lines[1].starts_with("hung up on 3 connections that spoke HTTP or TLS"));
  CHECK(lines[2].starts_with(
      "hung up on 5 connections (over limits.connections 4, frame longer than 64KiB 1)"));
  CHECK(log.lines(ledger, {}, start + seconds(11), false).empty());
  ledger.ingest.connections.not_statsd = 4;
  CHECK(log.lines(ledger, {}, start + seconds(11), false).size() == 1);
  ledger.ingest.datagrams_unread = 1'234;
  const auto last = log.lines(ledger, {}, start + seconds(12), true);
  REQUIRE(last.size() == 1);
  CHECK(last[0].starts_with("lost 1,234 datagrams: they still waited to be read"));
}

TEST_CASE("loss log: dropped points come with reasons, beside other kinds in the same call") {
  Ledger ledger = with_kernel_drops(1);
  ledger.deliveries = {{.dropped_full = 5000, .dropped_expired = 1}};
  LossLog log(1 << 20);
  const auto lines = log.lines(ledger, {}, start, false);
  REQUIRE(lines.size() == 2);
  CHECK(lines[1].starts_with(
      "lost 5,001 points on their way to the database (outbox_full 5,000, beyond_retention 1)"));
}
