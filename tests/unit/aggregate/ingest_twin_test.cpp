// The Ingestor reads what the parser reads: whatever it is given, in any order, known or new.

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "ingest_twin.hpp"

using namespace tally;
using namespace tally::testing;

namespace {

using Random = std::mt19937_64;

std::size_t below(std::size_t limit, Random& random) {
  return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random);
}

std::string one_of(const std::vector<std::string>& all, Random& random) {
  return all[below(all.size(), random)];
}

// Lines of few names and many forms, so that the same series is met in all of them.
std::string some_line(Random& random) {
  static const std::vector<std::string> names = {"a",
                                                 "b.c",
                                                 "a,k=v",
                                                 "a;k=v",
                                                 "a#k=v",
                                                 "a[k=v]",
                                                 "a[k=v].b",
                                                 "a b",
                                                 "#a",
                                                 "_a",
                                                 "a\\b",
                                                 "a_b",
                                                 "tallyd.x",
                                                 "_e{1,1}",
                                                 "_sc",
                                                 "\xc3\xa9",
                                                 "\xc3(",
                                                 "",
                                                 "a,b",
                                                 "a,host=h",
                                                 "a[host=h],k=v",
                                                 std::string(44, 'n'),
                                                 std::string(45, 'n'),
                                                 std::string(512, 'n'),
                                                 std::string(513, 'n')};
  static const std::vector<std::string> values = {"1",
                                                  "-1",
                                                  "+2",
                                                  "0.5",
                                                  "1:2",
                                                  "",
                                                  "x",
                                                  "1e3",
                                                  "123456789012345",
                                                  "1234567890123456",
                                                  ".5",
                                                  "5.",
                                                  ".",
                                                  "-",
                                                  "1e308",
                                                  "-0",
                                                  "nan",
                                                  "0x1",
                                                  "1 ",
                                                  "00000000000000000001"};
  static const std::vector<std::string> types = {"c", "ms", "g", "s", "h",      "d",
                                                 "C", "m",  "",  "q", "c:2|ms", "g\r"};
  static const std::vector<std::string> fields = {"",
                                                  "|@0.5",
                                                  "|@1",
                                                  "|@0",
                                                  "|@0.1:3|c",
                                                  "|#k:v",
                                                  "|#k:v,x",
                                                  "|#x,k:v",
                                                  "|#",
                                                  "|#a:b|#c:d",
                                                  "|#k:v|@0.25",
                                                  "|@0.25|#k:v",
                                                  "|c:abc",
                                                  "|e:it",
                                                  "|card:low",
                                                  "|zz",
                                                  "|",
                                                  "||",
                                                  "|T1000003",
                                                  "|T999990",
                                                  "|T5",
                                                  "|Tx",
                                                  "|#host:h",
                                                  "|#k:\xc3(",
                                                  "|#k:v:w|c:1",
                                                  "|0.5",
                                                  "|#" + std::string(300, 'k')};
  static const std::vector<std::string> odd = {
      "",       "\r", "_e{1,1}:a|b", "_e{1,1}:1|c", "_sc|a|0", "_sc|a|0|m:x",
      "a",      ":",  "|",           "a:1",         "a|c",     std::string("a\0b:1|c", 7),
      "a:1|c\0"};
  if (below(20, random) == 0) return one_of(odd, random);
  return one_of(names, random) + ":" + one_of(values, random) + "|" + one_of(types, random) +
         one_of(fields, random);
}

std::string some_datagram(Random& random) {
  std::string datagram;
  for (std::size_t lines = below(70, random); lines > 0; --lines) {
    std::string line = some_line(random);
    if (below(30, random) == 0 && !line.empty())
      line[below(line.size(), random)] = static_cast<char>(below(256, random));
    datagram += line;
    if (lines > 1 || below(2, random) == 0) datagram += below(20, random) == 0 ? "\r\n" : "\n";
  }
  return datagram;
}

IngestRules some_rules(Random& random) {
  IngestRules rules;
  Dialects& dialects = rules.parse.dialects;
  for (bool* dialect : {&dialects.etsy, &dialects.dogstatsd, &dialects.influx, &dialects.graphite,
                        &dialects.signalfx, &dialects.librato, &dialects.events})
    *dialect = below(4, random) != 0;
  if (below(3, random) == 0) rules.parse.sanitize = Sanitize::etsy;
  if (below(3, random) == 0) rules.parse.signed_gauges = SignedGauges::absolute;
  return rules;
}

}  // namespace

TEST_CASE("ingestor: it reads what its twin reads, to the bit, under all rules") {
  const std::uint64_t seed = std::random_device{}();
  CAPTURE(seed);
  Random random(seed);
  for (int round = 0; round < 400; ++round) {
    const IngestRules rules = round % 2 == 0 ? IngestRules{} : some_rules(random);
    TableRules table_rules;
    if (round % 5 == 0) table_rules.series_max = 1 + below(30, random);
    if (round % 3 == 0) table_rules.static_tags = {{"host", "h"}};
    std::vector<std::string> datagrams;
    for (int i = 0; i < 20; ++i) datagrams.push_back(some_datagram(random));
    const auto differs = ingest_disagreement(datagrams, rules, table_rules);
    if (differs) FAIL_CHECK(*differs);
    if (differs) break;
  }
}

TEST_CASE("ingestor: a spelling that is known means what it meant when it was parsed") {
  struct Row {
    const char* name;
    std::vector<std::string> datagrams;
  };
  const std::vector<Row> rows = {
      {"tags in two orders", {"a:1|c|#x:1,y:2\na:1|c|#y:2,x:1", "a:1|c|#x:1,y:2\na:1|c|#y:2,x:1"}},
      {"four dialects, one series",
       {"a,k=v:1|c\na;k=v:1|c\na#k=v:1|c\na[k=v]:1|c\na:1|c|#k:v",
        "a,k=v:1|c\na;k=v:1|c\na#k=v:1|c\na[k=v]:1|c\na:1|c|#k:v"}},
      {"a joined name that looks like tags", {"a[host=h],k=v:1|c\na,k=v:1|c\na,k=v:1|c"}},
      {"the same, the other way round", {"a,k=v:1|c\na[host=h],k=v:1|c\na,k=v:1|c"}},
      {"a name that is cleaned and one that is so", {"#a:1|c\n_a:1|c\n#a:1|c\n_a:1|c"}},
      {"an event's header as a name", {"_e{1,1}:1|c\n_e{1,1}:1|c"}},
      {"tags in the name and behind", {"a,k=v:1|c|#x:y\na,k=v:1|c|#x:y\na,k=v:1|c"}},
      {"a counter and a timer", {"a:1|c\na:1|ms\na:1|c\na:1|ms"}},
      {"no tags and an empty list", {"a:1|c|#\na:1|c\na:1|c|#"}},
      {"overflow of a known series", {"a:1e308|c\na:1e308|c\na:1e308|c|@0.5\nb:1|c"}},
      {"overflow of each kind, among others and a bad line",
       {"c:1e308|c\ng:1e308|g\nt:1e308|ms\nh:1|h\ns:m|s",
        "h:2|h\nt:1e308|ms\nc:1e308|c\ns:n|s\ng:+1e308|g\nx:y|c\nt:-1|ms\ng:-1|g\nc:2|c\nc:1e308|"
        "c"}},
      {"overflow of the first sample", {"a:1e308|ms|@0.1\na:1|ms\nb:1e308|c|@0.1"}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const auto differs = ingest_disagreement(row.datagrams, {}, {.static_tags = {{"host", "h"}}});
    if (differs) FAIL_CHECK(*differs);
  }
}

TEST_CASE(
    "scanner: delimiters are found at every place of a block, and beyond the last whole one") {
  for (std::size_t length = 1; length < 200; ++length) {
    std::vector<std::string> datagrams;
    datagrams.push_back(std::string(length, 'n') + ":1|c\nb:2|c");
    datagrams.push_back(std::string(length, '\n') + "a:1|c");
    datagrams.push_back("a:1|c\n" + std::string(length, ':') + "\nb:1|c");
    datagrams.push_back("a:1|c" + std::string(length, '|'));
    datagrams.push_back("");  // so that the next round has padding where this one has none
    for (std::size_t i = 0; i < 4; ++i) datagrams.push_back(datagrams[i]);
    const auto differs = ingest_disagreement(datagrams, {});
    if (differs) FAIL_CHECK(*differs);
  }
}
