// What a table takes along from one window to the next: that it knows a series, and nothing of what
// was heard. The lines go through an Ingestor, so that known ones take the short way.

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>

#include "tally/ingest.hpp"

using namespace tally;

namespace {

class Listener {
 public:
  explicit Listener(const TableRules& rules = {})
      : rules_(rules), gathered_(Table(rules_), 1, WallTime{}) {}

  void hear(const std::string& lines) { ingestor_.add(lines, {}, gathered_); }
  void hear(int first, int end) {
    std::string lines;
    for (int i = first; i < end; ++i) lines += "series." + std::to_string(i) + ":1|c\n";
    hear(lines);
  }
  void next_window() {
    table().clear();
    gathered_ = Gathered(std::move(gathered_.table), 1, WallTime{});
  }

  Table& table() { return gathered_.table; }
  /// Whether a line would take the short way; it is added if so.
  bool knows(std::string_view text) {
    Scanner scanner(ingest_rules_.parse);
    std::array<ScannedLine, 2> lines;
    scanner.start(text);
    REQUIRE(scanner.next(lines) == 1);
    table().look_up(std::span(lines).first(1));
    return table().add_known(std::span(lines).first(1), Hearing()).lines == 1;
  }
  std::uint64_t refused(Reason reason) const {
    return gathered_.total().lines_refused[static_cast<std::size_t>(reason)];
  }
  std::uint64_t accepted() const { return gathered_.total().lines_accepted; }

  /// What was heard under a name without tags; nothing if it was not.
  Aggregate heard_of(Kind kind, std::string_view name) {
    Aggregate found = std::monostate();
    for (const Table::Entry& entry : table().entries()) {
      const bool is_meant =
          kind_of_series_key(entry.key) == kind && split_series_key(entry.key).name == name;
      if (is_meant) found = entry.aggregate;
    }
    return found;
  }
  std::optional<double> count(std::string_view name) {
    const Aggregate found = heard_of(Kind::counter, name);
    const auto* const counter = std::get_if<Counter>(&found);
    return counter == nullptr ? std::nullopt : std::optional(counter->sum);
  }

 private:
  TableRules rules_;
  IngestRules ingest_rules_;
  Ingestor ingestor_{ingest_rules_};
  Gathered gathered_;
};

constexpr double most = std::numeric_limits<double>::max();

}  // namespace

TEST_CASE("windows: what was heard is gone with its window, of each kind") {
  Listener listener;
  const std::string lines = "c:1|c\ng:5|g\ng:+1|g\nt:3|ms\ns:a|s\ns:b|s\nx:1|c|#k:v\nx:1|c|#k:v\n";
  for (int window = 0; window < 3; ++window) {
    CHECK(listener.table().empty());
    CHECK(listener.table().entries().begin() == listener.table().entries().end());
    listener.hear(lines);
    CHECK(listener.table().size() == 5);
    CHECK(listener.count("c") == 1);
    CHECK(listener.count("x") == 2);
    CHECK(std::get<Gauge>(listener.heard_of(Kind::gauge, "g")).value == 6);
    CHECK(std::get<const Distribution*>(listener.heard_of(Kind::timer, "t"))->count() == 1);
    CHECK(std::get<const MemberSet*>(listener.heard_of(Kind::set, "s"))->count() == 2);
    listener.next_window();
  }
}

TEST_CASE("windows: a series that does not come again is not heard, and not counted") {
  Listener listener;
  listener.hear("a:1|c\nb:1|c\nc:1|c|#k:v\n");
  listener.next_window();
  listener.hear("b:2|c\n");
  CHECK(listener.table().size() == 1);
  CHECK(listener.table().places() == 3);
  CHECK(listener.count("b") == 2);
  CHECK(!listener.count("a"));
  CHECK(!listener.count("c"));
}

TEST_CASE("windows: a gauge that was set moves from nothing in the next one") {
  Listener listener;
  listener.hear("g:100|g\n");
  listener.next_window();
  listener.hear("g:+3|g\n");
  const auto gauge = std::get<Gauge>(listener.heard_of(Kind::gauge, "g"));
  CHECK(gauge.value == 3);
  CHECK(!gauge.is_set);
}

TEST_CASE("windows: a known series stands where it stood, with its key") {
  Listener listener;
  listener.hear("first:1|c\nsecond:1|c\n");
  const char* const key = listener.table().entry(1).key.data();
  listener.next_window();
  listener.hear("third:1|c\nsecond:1|c\nfirst:1|c\n");
  CHECK(listener.table().entry(1).key.data() == key);
  std::string order;
  for (const Table::Entry& entry : listener.table().entries())
    order += std::string(split_series_key(entry.key).name) + " ";
  CHECK(order == "first second third ");
}

TEST_CASE("windows: a first sample that overflows leaves a known series unheard") {
  Listener listener;
  const std::string plain = "c:1|c\nt:1|ms\nx:1|c|#k:v\n";
  listener.hear(plain + plain);
  listener.next_window();
  listener.hear("c:1e308|c|@0.000001\nt:1e308|ms|@0.000001\nx:1e308|c|@0.000001|#k:v\n");
  CHECK(listener.refused(Reason::overflow) == 3);
  CHECK(listener.accepted() == 0);
  CHECK(listener.table().empty());
  listener.hear("c:2|c\n");
  CHECK(listener.count("c") == 2);
  CHECK(listener.table().size() == 1);
}

TEST_CASE("windows: of a known series' lines in one batch only those that overflow are refused") {
  Listener listener;
  listener.hear("c:1|c\n");
  listener.next_window();
  const std::string much = "c:" + std::to_string(most) + "|c\n";
  listener.hear(much + much + "c:-1|c\n" + much);
  CHECK(listener.refused(Reason::overflow) == 2);
  CHECK(listener.accepted() == 2);
  CHECK(listener.count("c") == most);
}

TEST_CASE("windows: the limit is of series that were heard, known or not") {
  Listener listener({.series_max = 3});
  listener.hear("a:1|c\nb:1|c\nc:1|c|#k:v\n");
  listener.next_window();
  listener.hear("d:1|c\ne:1|c\nf:1|c\n");
  CHECK(listener.table().size() == 3);
  listener.hear("a:1|c\nc:1|c|#k:v\nd:1|c\n");
  CHECK(listener.refused(Reason::series_limit) == 2);
  CHECK(listener.accepted() == 4);
  CHECK(!listener.count("a"));
  CHECK(listener.count("d") == 2);
  listener.next_window();
  listener.hear("a:1|c\nc:1|c|#k:v\n");
  CHECK(listener.table().size() == 2);
}

TEST_CASE("windows: a line that is refused again and again takes no room from others") {
  Listener listener({.series_max = 4});
  listener.hear("a:1|c|#k:v\nb:1|c\n");
  listener.next_window();
  listener.hear("c:1|c\nd:1|c\ne:1|c\nf:1|c|#x:1,y:2\n");
  for (int i = 0; i < 3000; ++i) listener.hear("a:1|c|#k:v\n");
  CHECK(listener.refused(Reason::series_limit) == 3000);
  CHECK(!listener.knows("f:1|c|#y:2,x:1"));
  listener.hear("f:1|c|#y:2,x:1\n");
  CHECK(listener.knows("f:1|c|#y:2,x:1"));
  CHECK(listener.count("f") == 3);
}

TEST_CASE("windows: spellings that nobody uses any more do not keep new ones out") {
  Listener listener;
  const auto spelled = [](int order, int i) {
    return "s" + std::to_string(i) + (order % 2 == 0 ? ":1|c|#x:1,y:2," : ":1|c|#y:2,x:1,") +
           std::string(static_cast<std::size_t>(order / 2), ',') + "\n";
  };
  for (int order = 0; order < 12; ++order) {
    for (int i = 0; i < 400; ++i) listener.hear(spelled(order, i));
    listener.next_window();
    for (int i = 0; i < 400; ++i) listener.hear(spelled(order, i));
    CHECK(listener.knows(spelled(order, 399)));
    CHECK(listener.table().size() == 400);
    listener.next_window();
  }
}

TEST_CASE("windows: a table never knows more than twice as many series as it may hear") {
  Listener listener({.series_max = 100});
  for (int window = 0; window < 5; ++window) {
    listener.hear(100 * window, 100 * window + 100);
    CHECK(listener.table().size() == 100);
    CHECK(listener.table().places() <= 200);
    listener.next_window();
  }
  listener.next_window();
  for (int i = 0; i < 5; ++i) {
    listener.hear(1000 + 100 * i, 1100 + 100 * i);
    for (std::size_t place = 0; place < listener.table().places(); ++place)
      listener.table().forget(place);
  }
  CHECK(listener.table().places() <= 200);
  CHECK(listener.refused(Reason::series_limit) > 0);
}

TEST_CASE("windows: a table that knows a few makes room for many, or takes less, all the same") {
  Listener listener;
  listener.hear("a:1|c\n");
  listener.next_window();
  listener.table().expect(10);
  CHECK(listener.table().places() == 1);
  listener.table().reserve(100'000);
  CHECK(listener.table().places() == 0);
  listener.hear("a:1|c\n");
  listener.next_window();
  CHECK(listener.table().places() == 1);
  listener.table().expect(10);
  CHECK(listener.table().places() == 0);
  listener.hear("a:1|c\n");
  CHECK(listener.count("a") == 1);
}

TEST_CASE("windows: series stay known where three in four came again, else are forgotten") {
  struct Row {
    int heard;
    bool stays;
  };
  for (const Row row : {Row{3000, true}, Row{2999, false}}) {
    CAPTURE(row.heard);
    for (const bool by_slices : {false, true}) {
      CAPTURE(by_slices);
      Listener listener;
      listener.hear(0, 4000);
      listener.next_window();
      CHECK(listener.table().places() == 4000);
      listener.hear(1000, 1000 + row.heard);
      CHECK(listener.table().size() == static_cast<std::size_t>(row.heard));
      for (const std::size_t done : {500U, 2000U, 4000U})
        if (by_slices) listener.table().release_first(done);
      listener.next_window();
      CHECK(listener.table().places() == (row.stays ? 4000 : 0));
      listener.hear(2000, 2001);
      CHECK(listener.count("series.2000") == 1);
      CHECK(listener.table().size() == 1);
    }
  }
}

TEST_CASE("windows: series that never come again do not gather") {
  Listener listener;
  std::size_t most_places = 0;
  for (int window = 0; window < 20; ++window) {
    listener.hear(10'000 * window, 10'000 * window + 5'000);
    most_places = std::max(most_places, listener.table().places());
    listener.next_window();
  }
  CHECK(most_places <= 10'000);
}

TEST_CASE("windows: merging takes what was heard, whoever knew the series before") {
  for (const bool is_known : {false, true}) {
    Listener left, right;
    const std::string lines = "both:1|c\nt:1|ms\nidle:1|c\n";
    if (is_known) left.hear(lines);
    right.hear(lines);
    left.next_window();
    right.next_window();
    right.hear("both:1|c\nt:7|ms\n");
    left.table().merge(std::move(right.table()));
    CHECK(left.table().size() == 2);
    CHECK(left.count("both") == 1);
    CHECK(!left.count("idle"));
    CHECK(std::get<const Distribution*>(left.heard_of(Kind::timer, "t"))->sum() == 7);
    CHECK(right.table().empty());
    right.hear("t:2|ms\n");
    CHECK(std::get<const Distribution*>(right.heard_of(Kind::timer, "t"))->sum() == 2);
  }
}

TEST_CASE("windows: what was forgotten is as if it had not been heard") {
  Listener listener;
  listener.hear("a:1|c\nt:1|ms\n");
  listener.table().forget(0);
  listener.table().forget(0);
  listener.table().forget(1);
  CHECK(listener.table().empty());
  listener.hear("a:0|c\nt:4|ms\n");
  CHECK(listener.table().size() == 2);
  CHECK(listener.count("a") == 0);
  CHECK(std::get<const Distribution*>(listener.heard_of(Kind::timer, "t"))->sum() == 4);
}
