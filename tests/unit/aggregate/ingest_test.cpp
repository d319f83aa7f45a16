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
