#include "tally/ingest.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <string>
#include <variant>
#include <vector>

using namespace tally;
using std::chrono::seconds;

namespace {

std::uint64_t refused(const Gathered& gathered, Reason reason) {
  return gathered.total().lines_refused[static_cast<std::size_t>(reason)];
}

struct Ingested {
  explicit Ingested(const TableRules& table_rules = {})
      : rules(table_rules), gathered(Table(rules), 2, WallTime(seconds(1'000'000))) {}

  void add(std::string_view datagram, bool is_truncated = false) {
    add({{datagram, is_truncated}});
  }
  void add(const std::vector<Datagram>& datagrams) {
    ingestor.add_datagrams(datagrams, arrival, gathered);
    CHECK(gathered.total().balances());
  }

  Arrival arrival{.wall = WallTime(seconds(1'000'004))};

  TableRules rules;
  IngestRules ingest_rules;
  Ingestor ingestor{ingest_rules};
  Gathered gathered;
};

}  // namespace

TEST_CASE("ingest: every line of a datagram is accepted or refused, and counted once") {
  Ingested state;
  state.add("a:1|c\nbad\n\nb:2:3|ms\nc:x|c|@2\n");
  CHECK(state.gathered.total().datagrams == 1);
  CHECK(state.gathered.total().bytes == 29);
  CHECK(state.gathered.total().lines == 4);
  CHECK(state.gathered.total().lines_accepted == 2);
  CHECK(state.gathered.total().samples == 3);
  CHECK(refused(state.gathered, Reason::missing_value) == 1);
  CHECK(refused(state.gathered, Reason::bad_value) == 1);
  CHECK(state.gathered.table.size() == 2);
}

TEST_CASE("ingest: an empty datagram is counted and holds no line") {
  Ingested state;
  state.add("");
  CHECK(state.gathered.total().datagrams == 1);
  CHECK(state.gathered.total().datagrams_empty == 1);
  CHECK(state.gathered.total().lines == 0);
}

TEST_CASE("ingest: datagrams that came together are what they are one by one") {
  // More lines than one look-up takes, good and bad; every seventh datagram is cut.
  std::vector<std::string> texts = {"", "bad", "\n"};
  for (int i = 0; i < 200; ++i) {
    const std::string number = std::to_string(i % 50);
    texts.push_back("a" + number + ":1|c");
    texts.push_back("t:" + number + "|ms|#k:" + number + "\ng:" + number + "|g\nx:" + number);
    texts.push_back("s:" + number + "|s\nhuge:1e308|c\nbad\n");
  }
  std::vector<Datagram> datagrams;
  for (const std::string& text : texts) datagrams.push_back({text, datagrams.size() % 7 == 6});
  Ingested together;
  Ingested alone;
  together.add(datagrams);
  for (const Datagram& datagram : datagrams) alone.add({datagram});
  CHECK(together.gathered.total() == alone.gathered.total());
  CHECK(together.gathered.total().datagrams == texts.size());
  CHECK(together.gathered.senders[0] == alone.gathered.senders[0]);
  const auto refused_lines = [](const Ingested& state) {
    std::vector<std::string> all;
    for (const RefusedLine* line : state.gathered.refused.lines())
      all.push_back(std::to_string(static_cast<int>(line->reason)) + line->text);
    return all;
  };
  CHECK(refused_lines(together) == refused_lines(alone));
  REQUIRE(together.gathered.table.size() == alone.gathered.table.size());
  for (std::size_t i = 0; i < alone.gathered.table.size(); ++i) {
    const Table::Entry one = alone.gathered.table.entry(i);
    const Table::Entry same = together.gathered.table.entry(i);
    CHECK(same.key == one.key);
    if (const auto* counter = std::get_if<Counter>(&one.aggregate))
      CHECK(std::get<Counter>(same.aggregate).sum == counter->sum);
    if (const auto* values = std::get_if<const Distribution*>(&one.aggregate))
      CHECK(std::get<const Distribution*>(same.aggregate)->sum() == (*values)->sum());
  }
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
    CHECK(state.gathered.total().datagrams_truncated == 1);
    CHECK(state.gathered.total().lines_accepted == row.accepted);
    CHECK(refused(state.gathered, Reason::truncated) == 1);
    CHECK(state.gathered.table.size() == row.accepted);
  }
}

TEST_CASE("ingest: past the series limit known series go on and new ones are refused by reason") {
  Ingested state(TableRules{.series_max = 2});
  state.add("a:1|c\nb:1|c\nc:1|c\na:1|c\nd:1|c");
  CHECK(state.gathered.total().lines_accepted == 3);
  CHECK(refused(state.gathered, Reason::series_limit) == 2);
  CHECK(state.gathered.table.size() == 2);
}

TEST_CASE("ingest: a sum that would overflow refuses the line and keeps the series as it was") {
  Ingested state;
  state.add("a:1e308|c\na:1e308|c\na:-1e308|c");
  CHECK(refused(state.gathered, Reason::overflow) == 1);
  CHECK(std::get<Counter>(state.gathered.table.entry(0).aggregate).sum == 0);
}

TEST_CASE("ingest: of many lines that are added at once, those that would overflow are refused") {
  Ingested state;
  std::string most, again;
  for (const char* type : {"c", "g", "ms", "h", "d"}) {
    most += std::string(type) + ":1e308|" + type + "\n";
    again += std::string(type) + (type[0] == 'g' ? ":+1e308|" : ":1e308|") + type + "\n";
    again += std::string(type) + (type[0] == 'g' ? ":-1|" : ":1|") + type + "\n";
  }
  state.add(most + "s:m|s");
  state.add(again + "s:n|s");
  CHECK(state.gathered.total().lines == 17);
  CHECK(state.gathered.total().lines_accepted == 12);
  CHECK(state.gathered.total().samples == 12);
  CHECK(refused(state.gathered, Reason::overflow) == 5);
  const auto lines = state.gathered.refused.lines();
  REQUIRE(lines.size() == 5);
  CHECK(lines[0]->text == "c:1e308|c");
  CHECK(lines[1]->text == "g:+1e308|g");
  CHECK(lines[4]->text == "d:1e308|d");
  for (const auto& entry : state.gathered.table.entries()) {
    if (const auto* values = std::get_if<const Distribution*>(&entry.aggregate))
      CHECK((*values)->count() == 2);
  }
}

TEST_CASE("ingest: a refused line is remembered with its reason, its caret and who sent it") {
  Ingested state;
  state.arrival.listener = 1;
  state.arrival.peer = {.pid = 4711};
  state.add("a:1|c");
  CHECK(state.gathered.refused.empty());
  state.add("a:1|c\nb:x|c");
  REQUIRE(state.gathered.refused.size() == 1);
  const RefusedLine& line = *state.gathered.refused.lines()[0];
  CHECK(line.reason == Reason::bad_value);
  CHECK(line.text == "b:x|c");
  CHECK(line.caret == 2);
  CHECK(line.listener == 1);
  CHECK(line.peer.pid == 4711);
}

TEST_CASE("ingest: each listener has counts of its own, and merging adds them up") {
  Ingested state;
  state.add("a:1|c");
  state.arrival.listener = 1;
  state.add("a:1|c\nbad");
  CHECK(state.gathered.counts[0].lines == 1);
  CHECK(state.gathered.counts[1].lines == 2);
  CHECK(state.gathered.counts[1].refused() == 1);

  Ingested other;
  other.add("b:1|c\nworse");
  state.gathered.merge(other.gathered);
  CHECK(state.gathered.counts[0].lines == 3);
  CHECK(state.gathered.counts[0].refused() == 1);
  CHECK(state.gathered.refused.size() == 2);
  CHECK(state.gathered.table.size() == 2);
}

TEST_CASE("ingest: whole lines of a stream are no datagrams, and a line it refused is counted") {
  Ingested state;
  state.ingestor.add("a:1|c\nb:1|c\n", state.arrival, state.gathered);
  Ingestor::refuse(Reason::line_too_long, "xxx", state.arrival, state.gathered);
  const IngestCounts total = state.gathered.total();
  CHECK(total.datagrams == 0);
  CHECK(total.lines == 3);
  CHECK(total.lines_accepted == 2);
  CHECK(refused(state.gathered, Reason::line_too_long) == 1);
  CHECK(total.balances());
}

TEST_CASE("ingest: a sample with a time of its own goes where it belongs") {
  struct Row {
    const char* name;
    const char* time;  // the window opened at 1,000,000 and now is 1,000,004
    std::int64_t second;
    bool is_ignored;
  };
  const Row rows[] = {
      {"now", "1000004", 0, false},
      {"the window's first second", "1000000", 0, false},
      {"a little ahead", "1000064", 0, false},
      {"too far ahead", "1000065", 0, true},
      {"milliseconds, not seconds", "1000004000", 0, true},
      {"the window before", "999999", 999'999, false},
      {"an hour ago", "996404", 996'404, false},
      {"more than an hour ago", "996403", 0, true},
      {"zero is none", "0", 0, false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Ingested state;
    state.add(std::string("a:1|c|T") + row.time);
    REQUIRE(state.gathered.table.size() == 1);
    CHECK(split_series_key(state.gathered.table.entry(0).key).time == row.second);
    CHECK(state.gathered.total().samples_late == (row.second == 0 ? 0 : 1));
    CHECK(state.gathered.total().times_ignored == (row.is_ignored ? 1 : 0));
  }
}

TEST_CASE("ingest: late samples of one second add up, those of two do not") {
  Ingested state;
  state.add("a:1|c|T999990\na:2|c|T999990\na:4|c|T999991\na:8|c");
  REQUIRE(state.gathered.table.size() == 3);
  CHECK(std::get<Counter>(state.gathered.table.entry(0).aggregate).sum == 3);
  CHECK(std::get<Counter>(state.gathered.table.entry(1).aggregate).sum == 4);
  CHECK(std::get<Counter>(state.gathered.table.entry(2).aggregate).sum == 8);
}

TEST_CASE("ingest: events and service checks are kept as they came, and are no series") {
  Ingested state;
  state.add("_e{1,1}:a|b\na:1|c\n_sc|x|0\n_sc|x|9");
  CHECK(state.gathered.total().lines_accepted == 3);
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
