// The conformance vectors, sent through parse_datagram (and Table and Carry where a row says what
// the first flush gives).
//
// Every row must give what it expects, but for those of `exceptions`, which must not: a row that
// comes right, or goes wrong, shows at once.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "escapes.hpp"
#include "guarded_buffer.hpp"
#include "naive.hpp"
#include "tally/carry.hpp"
#include "tally/parse.hpp"
#include "tally/table.hpp"
#include "vectors.hpp"

using namespace tally;
using namespace tally::testing;

namespace {

struct Exception {
  std::string_view id;
  const char* why;
};

constexpr const char* no_sanitizing = "names are kept, not cleaned as etsy does";
constexpr const char* not_a_type = "a type that is not known";
constexpr const char* not_binary = "the binary protocol is not known";

constexpr Exception exceptions[] = {
    {"A-etsy-sanitize-002", no_sanitizing},
    {"A-etsy-sanitize-004", no_sanitizing},
    {"A-etsy-sanitize-006", no_sanitizing},
    {"A-etsy-sanitize-009", no_sanitizing},
    {"A-etsy-sanitize-010", no_sanitizing},
    {"A-graphite-tags-001", no_sanitizing},
    {"A-brubeck-001", not_a_type},
    {"A-netdata-002", "neither value nor type"},
    {"A-meter-001", not_a_type},
    {"A-statsite-binary-001", not_binary},
    {"A-statsite-binary-002", not_binary},
    {"A-statsite-binary-005", not_binary},
    {"R-service-check-005", "a time that is none is skipped, as is recommended"},
    {"R-section-006", "an empty field is skipped, as is recommended"},
    {"S-028", "a tag over its limit; tolerated"},
};

/// What one datagram gave.
class Outcome {
 public:
  Outcome(std::string_view datagram, const ParseRules& rules)
      : buffer_(datagram), carry_({}), table_(rules_) {
    parse_datagram(buffer_.view(), rules, batch_);
    for (const Sample& sample : batch_.samples) {
      if (!is_notice(sample.kind)) table_.add(sample, batch_.tags_of(sample), {});
    }
    snapshot_ = carry_.close(table_, {WallTime{}, std::chrono::seconds(10)});
  }

  std::size_t refused() const { return batch_.refused.size(); }

  std::vector<NaiveSample> samples() const {
    std::vector<NaiveSample> samples;
    for (const Sample& sample : batch_.samples) {
      samples.push_back(with_tags_as_a_set(as_naive(sample, batch_.tags_of(sample))));
    }
    return samples;
  }

  /// Whether the first flush wrote such a point.
  bool has_final(const Fact& fact) const {
    const NaiveSeries series = naive_series(fact.sample);
    for (const auto& point : snapshot_.counters) {
      if (as_naive_series(point.key) == series) return is_near(point.count, fact.sample.value);
    }
    for (const auto& point : snapshot_.gauges) {
      if (as_naive_series(point.key) == series) return is_near(point.value, fact.sample.value);
    }
    for (const auto& point : snapshot_.timers) {
      if (as_naive_series(point.key) == series) return is_near(point.count, fact.sample.value);
    }
    for (const auto& point : snapshot_.sets) {
      if (as_naive_series(point.key) == series) return is_near(point.count, fact.sample.value);
    }
    return false;
  }

  static bool is_near(double a, double b) { return std::abs(a - b) <= 1e-12 * std::abs(b); }

 private:
  GuardedBuffer buffer_;
  Batch batch_;
  Carry carry_;
  TableRules rules_;
  Table table_;
  Snapshot snapshot_;
};

bool are_near(const NaiveSample& a, const NaiveSample& b) {
  NaiveSample rounded = a;
  if (Outcome::is_near(a.value, b.value)) rounded.value = b.value;
  if (Outcome::is_near(a.rate, b.rate)) rounded.rate = b.rate;
  return rounded == b;
}

/// Whether `datagram` gives the facts, all of them and nothing else.
bool gives(std::string_view datagram, const std::vector<Fact>& facts,
           const ParseRules& rules = {}) {
  const Outcome outcome(datagram, rules);
  std::vector<NaiveSample> expected;
  double bad_least = 0, bad_most = 0;
  for (const Fact& fact : facts) {
    if (fact.is_final && !outcome.has_final(fact)) return false;
    if (is_metric(fact) && !fact.is_final) expected.push_back(with_tags_as_a_set(fact.sample));
    if (fact.kind != "bad") continue;
    bad_least = fact.sample.value;
    bad_most = fact.at_least ? INFINITY : bad_least;
  }
  const auto seen = static_cast<double>(outcome.refused());
  if (seen < bad_least || seen > bad_most) return false;
  const bool only_finals = expected.empty() && std::ranges::any_of(facts, &Fact::is_final);
  return only_finals || std::ranges::equal(outcome.samples(), expected, are_near);
}

bool is_exception(std::string_view id) {
  return std::ranges::any_of(exceptions, [id](const Exception& one) { return one.id == id; });
}

/// Rows that passed and all rows, by level and dialect.
class Score {
 public:
  void count(const std::string& group, bool passed) {
    auto& [good, all] = by_group_[group];
    good += passed ? 1 : 0;
    ++all;
  }
  std::string text() const {
    std::string text;
    for (const auto& [group, counts] : by_group_) {
      text += fmt::format("{} {}/{}; ", group, counts.first, counts.second);
    }
    return text;
  }

 private:
  std::map<std::string, std::pair<int, int>> by_group_;
};

void check_row(const VectorRow& row, const std::string& datagram, const std::vector<Fact>& facts,
               const std::string& group, Score& score) {
  const std::string& id = row["id"];
  INFO(id, ": ", escape(datagram).substr(0, 200), " -> ", row["expected"]);
  const bool passed = gives(datagram, facts);
  CHECK(passed != is_exception(id));
  score.count(row["level"] + " " + group, passed);
}

std::vector<VectorRow> rows_of(const char* file) {
  const auto rows = read_vectors(std::string(TESTS_DIR "/vectors/") + file);
  REQUIRE_MESSAGE(!rows.empty(), file);
  return rows;
}

}  // namespace

TEST_CASE("vectors: datagrams that must be taken give their samples") {
  Score score;
  const auto rows = rows_of("accept.tsv");
  CHECK(rows.size() == 155);
  for (const VectorRow& row : rows) {
    const auto datagram = unescape(row["datagram"]);
    const auto facts = read_facts(row["expected"]);
    REQUIRE_MESSAGE((datagram && facts), row["id"]);
    check_row(row, *datagram, *facts, row["dialect"], score);
  }
  MESSAGE("accept.tsv: ", score.text());
}

TEST_CASE(
    "vectors: names.sanitize = \"etsy\" takes every row that is an exception for the want of it") {
  const auto rows = rows_of("accept.tsv");
  std::size_t seen = 0;
  for (const Exception& exception : exceptions) {
    if (exception.why != no_sanitizing) continue;
    const auto row = std::ranges::find_if(
        rows, [&](const VectorRow& each) { return each["id"] == exception.id; });
    REQUIRE(row != rows.end());
    INFO(exception.id, ": ", (*row)["datagram"], " -> ", (*row)["expected"]);
    const auto datagram = unescape((*row)["datagram"]);
    const auto facts = read_facts((*row)["expected"]);
    REQUIRE((datagram && facts));
    CHECK(gives(*datagram, *facts, {.sanitize = Sanitize::etsy}));
    ++seen;
  }
  CHECK(seen == 6);
}

TEST_CASE("vectors: malformed datagrams are refused, their neighbours and the next line survive") {
  Score score;
  const auto rows = rows_of("reject.tsv");
  CHECK(rows.size() == 110);
  for (const VectorRow& row : rows) {
    auto datagram = unescape(row["datagram"]);
    auto facts = read_facts(row["expected"] + "; counter name=alive value=1");
    REQUIRE_MESSAGE((datagram && facts), row["id"]);
    check_row(row, *datagram + "\nalive:1|c", *facts, row["class"], score);
  }
  MESSAGE("reject.tsv: ", score.text());
}

TEST_CASE("vectors: long, packed and binary datagrams give what they should") {
  // What stress.tsv says in prose, as facts. The tcp rows are the receiver's.
  const std::map<std::string_view, std::string> in_words = {
      {"S-014", "final counter name=" + std::string(512, 'n') + " value=1"},
      {"S-028", "counter name=t value=1 tags=k=" + std::string(20'000, 'v')},
      {"S-034", "final timer name=a count=100000"},
  };
  Score score;
  for (const VectorRow& row : rows_of("stress.tsv")) {
    if (row["transport"] != "udp") continue;
    const auto datagram = cook(row["recipe"]);
    REQUIRE_MESSAGE(datagram, row["id"]);
    CHECK(std::to_string(datagram->size()) == row["bytes"]);
    const auto known = in_words.find(row["id"]);
    const auto facts = read_facts(known == in_words.end() ? row["expected"] : known->second);
    REQUIRE_MESSAGE(facts, row["id"]);
    check_row(row, *datagram, *facts, "stress", score);
  }
  MESSAGE("stress.tsv: ", score.text());
}

TEST_CASE("vectors: no row that every daemon must pass is an exception") {
  for (const char* file : {"accept.tsv", "reject.tsv", "stress.tsv"}) {
    for (const VectorRow& row : rows_of(file)) {
      if (row["level"] == "MUST") CHECK_FALSE_MESSAGE(is_exception(row["id"]), row["id"]);
    }
  }
}
