#include "tally/ledger.hpp"

#include <numeric>

namespace tally {

IngestCounts& IngestCounts::operator+=(const IngestCounts& other) {
  datagrams += other.datagrams;
  bytes += other.bytes;
  kernel_drops += other.kernel_drops;
  datagrams_empty += other.datagrams_empty;
  datagrams_truncated += other.datagrams_truncated;
  lines += other.lines;
  lines_accepted += other.lines_accepted;
  for (std::size_t reason = 0; reason < reason_count; ++reason) {
    lines_refused[reason] += other.lines_refused[reason];
  }
  samples += other.samples;
  fields_skipped += other.fields_skipped;
  receive_errors += other.receive_errors;
  return *this;
}

std::uint64_t IngestCounts::refused() const {
  return std::accumulate(lines_refused.begin(), lines_refused.end(), std::uint64_t{0});
}

}  // namespace tally
