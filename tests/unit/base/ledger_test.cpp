#include "tally/ledger.hpp"

#include <doctest/doctest.h>

namespace {

/// Counts whose every field differs, so that a sum of the wrong two shows.
tally::IngestCounts distinct(std::uint64_t first) {
  tally::IngestCounts counts;
  counts.datagrams = first;
  counts.bytes = first + 1;
  counts.kernel_drops = first + 2;
  counts.datagrams_empty = first + 3;
  counts.datagrams_truncated = first + 4;
  counts.lines_accepted = first + 5;
  counts.samples = first + 6;
  counts.fields_skipped = first + 7;
  counts.receive_errors = first + 8;
  counts.datagrams_denied = first + 9;
  counts.datagrams_unread = first + 19;
  counts.samples_late = first + 10;
  counts.times_ignored = first + 18;
  counts.connections = {first + 11, first + 12, first + 13, first + 14,
                        first + 15, first + 16, first + 17};
  for (std::uint64_t& refused : counts.lines_refused) refused = ++first + 10;
  counts.lines = counts.lines_accepted + counts.refused();
  return counts;
}

}  // namespace

TEST_CASE("ledger: counts add up field by field") {
  tally::IngestCounts sum = distinct(100);
  const tally::IngestCounts a = distinct(100);
  const tally::IngestCounts b = distinct(5000);
  sum += b;
  CHECK(sum.datagrams == a.datagrams + b.datagrams);
  CHECK(sum.bytes == a.bytes + b.bytes);
  CHECK(sum.kernel_drops == a.kernel_drops + b.kernel_drops);
  CHECK(sum.datagrams_empty == a.datagrams_empty + b.datagrams_empty);
  CHECK(sum.datagrams_truncated == a.datagrams_truncated + b.datagrams_truncated);
  CHECK(sum.lines == a.lines + b.lines);
  CHECK(sum.lines_accepted == a.lines_accepted + b.lines_accepted);
  CHECK(sum.samples == a.samples + b.samples);
  CHECK(sum.fields_skipped == a.fields_skipped + b.fields_skipped);
  CHECK(sum.receive_errors == a.receive_errors + b.receive_errors);
  CHECK(sum.datagrams_denied == a.datagrams_denied + b.datagrams_denied);
  CHECK(sum.datagrams_unread == a.datagrams_unread + b.datagrams_unread);
  CHECK(sum.samples_late == a.samples_late + b.samples_late);
  CHECK(sum.times_ignored == a.times_ignored + b.times_ignored);
  const tally::ConnectionCounts both{a.connections.accepted + b.connections.accepted,
                                     a.connections.denied + b.connections.denied,
                                     a.connections.refused + b.connections.refused,
                                     a.connections.idle + b.connections.idle,
                                     a.connections.not_statsd + b.connections.not_statsd,
                                     a.connections.broken + b.connections.broken,
                                     a.connections.bytes + b.connections.bytes};
  CHECK(sum.connections == both);
  for (std::size_t reason = 0; reason < tally::reason_count; ++reason) {
    CAPTURE(reason);
    CHECK(sum.lines_refused[reason] == a.lines_refused[reason] + b.lines_refused[reason]);
  }
  CHECK(sum.balances());
}

TEST_CASE("ledger: a line that is neither accepted nor refused is seen") {
  tally::IngestCounts counts = distinct(7);
  CHECK(counts.balances());
  ++counts.lines;
  CHECK_FALSE(counts.balances());
}

TEST_CASE("ledger: points that are flushed and nowhere are seen") {
  tally::Ledger ledger;
  ledger.points_flushed = 5;
  ledger.deliveries = {{.pushed = 5, .written = 2, .queued = 3}};
  CHECK(ledger.balances());
  ledger.deliveries[0].queued = 2;
  CHECK_FALSE(ledger.balances());
  ledger.deliveries[0].dropped_conflict = 1;
  CHECK(ledger.balances());
  // What an earlier process left on disk is no point of this one, and is somewhere all the same.
  ledger.deliveries.push_back(
      {.pushed = 5, .recovered = 10, .written = 1, .spooled = 8, .dead = 6});
  CHECK(ledger.balances());
  ledger.deliveries[1].spooled = 7;
  CHECK_FALSE(ledger.balances());
  ledger.deliveries[1].dropped_damaged = 1;
  CHECK(ledger.balances());
  ledger.points_flushed = 6;
  CHECK_FALSE(ledger.balances());
}

TEST_CASE("ledger: a window adds to the whole and to each listener") {
  tally::Ledger ledger;
  ledger.add({distinct(1)});
  ledger.add({distinct(10), distinct(100)});
  REQUIRE(ledger.by_listener.size() == 2);
  CHECK(ledger.by_listener[0].datagrams == 11);
  CHECK(ledger.by_listener[1].datagrams == 100);
  CHECK(ledger.ingest.datagrams == 111);
}

TEST_CASE("ledger: lost is what no one will see again") {
  tally::Ledger ledger;
  ledger.ingest.kernel_drops = 1;
  ledger.ingest.lines_refused[0] = 10;
  ledger.deliveries = {{.queued = 7, .dropped_full = 100}, {.dropped_shutdown = 1'000}};
  ledger.ingest.datagrams_denied = 10'000;
  ledger.ingest.datagrams_unread = 100'000;
  CHECK(ledger.lost() == 111'111);
}
