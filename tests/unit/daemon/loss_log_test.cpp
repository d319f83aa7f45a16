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
      log.lines(ledger, RefusedExample{Reason::bad_value, "foo:b\x1b[2J|c"}, start, false);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0] ==
        "refused 12 lines (bad_value 10, unknown_type 2), such as \"foo:b\\x1B[2J|c\" (bad_value); "
        "their neighbours "
        "are counted; see why with: tallyd explain 'LINE'");
}

TEST_CASE("loss log: dropped points come with reasons, beside other kinds in the same call") {
  Ledger ledger = with_kernel_drops(1);
  ledger.outbox.dropped_full = 5000;
  ledger.outbox.dropped_expired = 1;
  LossLog log(1 << 20);
  const auto lines = log.lines(ledger, {}, start, false);
  REQUIRE(lines.size() == 2);
  CHECK(lines[1].starts_with(
      "lost 5,001 points on their way to the database (outbox_full 5,000, beyond_retention 1)"));
}
