// Any bytes as a datagram: the parser keeps its promises and reads what its naive twin reads, by
// the default rules and by the set that the first byte stands for.

#include <cstdio>
#include <cstdlib>

#include "differential.hpp"
#include "fuzz_target.hpp"

namespace {

using namespace tally::testing;

void compare(std::string_view datagram, std::uint32_t rule_set) {
  const auto difference = parse_disagreement(datagram, rules_of(rule_set));
  if (!difference) return;
  std::fprintf(stderr, "rules %u: %s\n", rule_set, difference->c_str());
  std::abort();
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view datagram(reinterpret_cast<const char*>(data), size);
  compare(datagram, 0);
  // The byte stays in the datagram, so that a corpus is plain datagrams. An odd factor spreads 256
  // bytes over all bits of a set.
  if (size > 0) compare(datagram, data[0] * 37U % rule_sets);
  return 0;
}
