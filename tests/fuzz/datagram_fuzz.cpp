// Any bytes as a datagram: the parser keeps its promises and reads what its naive twin reads.

#include <cstdio>
#include <cstdlib>

#include "differential.hpp"
#include "fuzz_target.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view datagram(reinterpret_cast<const char*>(data), size);
  if (const auto difference = tally::testing::parse_disagreement(datagram)) {
    std::fprintf(stderr, "%s\n", difference->c_str());
    std::abort();
  }
  return 0;
}
