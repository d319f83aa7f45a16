#include "tally/ingest.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace tally;

namespace {

std::uint64_t refused(const Gathered& gathered, Reason reason) {
  return gathered.counts.lines_refused[static_cast<std::size_t>(reason)];
}

struct Ingested {
  explicit Ingested(const TableRules& table_rules = {})
      : rules(table_rules), gathered(Table(rules)) {}

  void add(std::string_view datagram, bool is_truncated = false) {
    ingest(datagram, is_truncated, {}, Instant{}, batch, gathered);
    CHECK(gathered.counts.balances());
  }

  TableRules rules;
  Batch batch;
  Gathered gathered;
};

}  // namespace

TEST_CASE("ingest: every line of a datagram is accepted or refused, and counted once") {
  Ingested state;
  state.add("a:1|c\nbad\n\nb:2:3|ms\nc:x|c|@2\n");
  CHECK(state.gathered.counts.datagrams == 1);
  CHECK(state.gathered.counts.bytes == 29);
  CHECK(state.gathered.counts.lines == 4);
  CHECK(state.gathered.counts.lines_accepted == 2);
  CHECK(state.gathered.counts.samples == 3);
  CHECK(refused(state.gathered, Reason::missing_value) == 1);
  CHECK(refused(state.gathered, Reason::bad_value) == 1);
  CHECK(state.gathered.table.size() == 2);
}

TEST_CASE("ingest: an empty datagram is counted and holds no line") {
  Ingested state;
  state.add("");
  CHECK(state.gathered.counts.datagrams == 1);
  CHECK(state.gathered.counts.datagrams_empty == 1);
  CHECK(state.gathered.counts.lines == 0);
}

TEST_CASE(
    "ingest: a truncated datagram counts up to its last whole line, the rest is one refused line") {
  struct Row {
    std::string name, datagram;
    std::uint64_t accepted;
  };
  const std::vector<Row> rows = {{"cut in a value", "a:1|c\nb:12", 1},
                                 {"cut behind what looks whole", "a:1|c\nb:12|c", 1},
                                 {"cut at a line's end", "a:1|c\n", 1},
                                 {"one line only", "a:1|c", 0}};
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Ingested state;
    state.add(row.datagram, true);
    CHECK(state.gathered.counts.datagrams_truncated == 1);
    CHECK(state.gathered.counts.lines_accepted == row.accepted);
    CHECK(refused(state.gathered, Reason::truncated) == 1);
    CHECK(state.gathered.table.size() == row.accepted);
  }
}

TEST_CASE("ingest: past the series limit known series go on and new ones are refused by reason") {
  Ingested state(TableRules{.series_max = 2});
  state.add("a:1|c\nb:1|c\nc:1|c\na:1|c\nd:1|c");
  CHECK(state.gathered.counts.lines_accepted == 3);
  CHECK(refused(state.gathered, Reason::series_limit) == 2);
  CHECK(state.gathered.table.size() == 2);
}

TEST_CASE("ingest: a sum that would overflow refuses the line and keeps the series as it was") {
  Ingested state;
  state.add("a:1e308|c\na:1e308|c\na:-1e308|c");
  CHECK(refused(state.gathered, Reason::overflow) == 1);
  CHECK(std::get<Counter>(state.gathered.table.entries()[0].aggregate).sum == 0);
}

TEST_CASE("ingest: the first refused line of a window is kept as an example, cut to 200 bytes") {
  Ingested state;
  state.add("a:1|c");
  CHECK_FALSE(state.gathered.refused_example);
  state.add(std::string(300, 'x') + "\nother");
  REQUIRE(state.gathered.refused_example);
  CHECK(state.gathered.refused_example->reason == Reason::missing_value);
  CHECK(state.gathered.refused_example->line == std::string(200, 'x'));
}

TEST_CASE("ingest: events and service checks are kept as they came, and are no series") {
  Ingested state;
  state.add("_e{1,1}:a|b\na:1|c\n_sc|x|0\n_sc|x|9");
  CHECK(state.gathered.counts.lines_accepted == 3);
  CHECK(refused(state.gathered, Reason::bad_notice) == 1);
  CHECK(state.gathered.table.size() == 1);
  REQUIRE(state.gathered.notices.size() == 2);
  CHECK(state.gathered.notices[0].line == "_e{1,1}:a|b");
  CHECK(state.gathered.notices[1].line == "_sc|x|0");
}

TEST_CASE("ingest: past their limits events are refused by reason, and values go on") {
  Ingested by_count;
  for (std::size_t i = 0; i < notices_max + 2; ++i) by_count.add("_sc|x|0");
  CHECK(by_count.gathered.notices.size() == notices_max);
  CHECK(refused(by_count.gathered, Reason::notice_limit) == 2);
  by_count.add("a:1|c");
  CHECK(by_count.gathered.table.size() == 1);

  Ingested by_bytes;
  const std::string event = "_e{1,60000}:a|" + std::string(60000, 'b');
  for (std::size_t i = 0; i <= notice_bytes_max / event.size(); ++i) by_bytes.add(event);
  CHECK(by_bytes.gathered.notice_bytes <= notice_bytes_max);
  CHECK(refused(by_bytes.gathered, Reason::notice_limit) == 1);
}
