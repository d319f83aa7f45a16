// Any bytes as the datagrams of one window: the Ingestor, which knows what it has met before, makes
// of them what its twin makes, which parses each line. The first byte chooses the rules (0xff: the
// default); a NUL parts one datagram from the next. All are heard twice: new, and then known.

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "differential.hpp"
#include "fuzz_target.hpp"
#include "ingest_twin.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  tally::IngestRules rules;
  if (data[0] != 0xff)
    rules.parse = tally::testing::rules_of(data[0] * 37U % tally::testing::rule_sets);
  std::vector<std::string> datagrams(1);
  for (std::size_t i = 1; i < size; ++i) {
    if (data[i] == 0 && datagrams.size() < 16) {
      datagrams.emplace_back();
    } else {
      datagrams.back().push_back(static_cast<char>(data[i]));
    }
  }
  const std::size_t once = datagrams.size();
  for (std::size_t i = 0; i < once; ++i) datagrams.push_back(datagrams[i]);
  const tally::TableRules table_rules{.series_max = 20, .static_tags = {{"host", "h"}}};
  if (const auto difference = tally::testing::ingest_disagreement(datagrams, rules, table_rules)) {
    std::fprintf(stderr, "%s\n", difference->c_str());
    std::abort();
  }
  return 0;
}
