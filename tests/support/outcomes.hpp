#pragma once
// What a datagram gave, in words that can stand in a table: "counter a=1 #k=v; !bad_value; ".

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "guarded_buffer.hpp"
#include "naive.hpp"
#include "tally/parse.hpp"
#include "vectors.hpp"

namespace tally::testing {

/// Samples and refusals of a batch in the order of their lines, in words.
inline std::string outcomes(const Batch& batch) {
  std::vector<std::pair<const char*, std::string>> found;
  for (const Line& line : batch.lines) {
    for (std::uint32_t i = line.first; i < line.first + line.count; ++i) {
      const Sample& sample = batch.samples[i];
      found.emplace_back(line.text.data(),
                         describe(with_tags_as_a_set(as_naive(sample, batch.tags_of(sample)))));
    }
  }
  for (const Refusal& refusal : batch.refused) {
    found.emplace_back(refusal.line.data(), "!" + std::string(to_string(refusal.reason)));
  }
  std::ranges::stable_sort(found, std::less<>{}, [](const auto& one) { return one.first; });
  std::string words;
  for (const auto& [at, text] : found) words += text + "; ";
  return words;
}

inline std::string expected_outcomes(const char* expected) {
  if (*expected == '\0') return "";
  std::string words;
  const auto facts = read_facts(expected);
  REQUIRE(facts);
  for (const Fact& fact : *facts) {
    words += (is_metric(fact) ? describe(with_tags_as_a_set(fact.sample)) : fact.kind) + "; ";
  }
  return words;
}

inline std::string outcomes_of(std::string_view datagram, const ParseRules& rules) {
  const GuardedBuffer buffer(datagram);
  Batch batch;
  parse_datagram(buffer.view(), rules, batch);
  return outcomes(batch);
}

}  // namespace tally::testing
