#include "tally/ledger.hpp"

#include <algorithm>
#include <numeric>

namespace tally {

ConnectionCounts& ConnectionCounts::operator+=(const ConnectionCounts& other) {
  accepted += other.accepted;
  denied += other.denied;
  refused += other.refused;
  idle += other.idle;
  not_statsd += other.not_statsd;
  broken += other.broken;
  bytes += other.bytes;
  return *this;
}

IngestCounts& IngestCounts::operator+=(const IngestCounts& other) {
  datagrams += other.datagrams;
  bytes += other.bytes;
  kernel_drops += other.kernel_drops;
  datagrams_empty += other.datagrams_empty;
  datagrams_truncated += other.datagrams_truncated;
  datagrams_denied += other.datagrams_denied;
  datagrams_unread += other.datagrams_unread;
  lines += other.lines;
  lines_accepted += other.lines_accepted;
  for (std::size_t reason = 0; reason < reason_count; ++reason) {
    lines_refused[reason] += other.lines_refused[reason];
  }
  samples += other.samples;
  fields_skipped += other.fields_skipped;
  samples_late += other.samples_late;
  times_ignored += other.times_ignored;
  receive_errors += other.receive_errors;
  connections += other.connections;
  return *this;
}

std::uint64_t IngestCounts::refused() const {
  return std::accumulate(lines_refused.begin(), lines_refused.end(), std::uint64_t{0});
}

bool Ledger::balances() const {
  return ingest.balances() && std::ranges::all_of(deliveries, [this](const DeliveryCounts& each) {
           return points_flushed == each.pushed && each.balances();
         });
}

DeliveryCounts Ledger::delivered() const {
  DeliveryCounts all;
  for (const DeliveryCounts& each : deliveries) all += each;
  return all;
}

void Ledger::add(const std::vector<IngestCounts>& window) {
  by_listener.resize(std::max(by_listener.size(), window.size()));
  for (std::size_t i = 0; i < window.size(); ++i) {
    by_listener[i] += window[i];
    ingest += window[i];
  }
}

}  // namespace tally
