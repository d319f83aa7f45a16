#pragma once
// The packets that the benches send and parse: workloads A to F, the same bytes in every run.
//
//     A  one counter a packet of 32 bytes, 1,000 series
//     B  1,432-byte packets of counters, 1,000 series
//     C  as B, a fifth each of counters, timers, gauges, sets and histograms, 10,000 series
//     D  as B, 1,000,000 series with names of 32 bytes
//     E  as B, counters with two DogStatsD tags, 1,000 series
//     F  as D, 100,000 series
//
// All packets of a workload have one size to the byte, because the kernel cuts a UDP_SEGMENT buffer
// into equal pieces. They come to it without padding: a packet takes as many lines with their
// shortest values as fit, and what is left becomes further digits, one a line in turn.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tally::bench {

/// One cycle of packets. Every series occurs in it, as often as any other give or take one or two.
struct Workload {
  char letter = 'A';
  std::size_t packet_bytes = 0;
  std::uint32_t series = 0;
  std::string bytes;  ///< the packets, one behind the other
  /// How many metrics the first i packets hold: of 0 .. packets() packets.
  std::vector<std::uint64_t> metrics_before;

  std::size_t packets() const { return metrics_before.size() - 1; }
  std::uint64_t metrics() const { return metrics_before.back(); }  ///< of one cycle
  std::string_view packet(std::size_t index) const {
    return std::string_view(bytes).substr(index * packet_bytes, packet_bytes);
  }
  /// Metrics of the first `packets` packets when cycles are sent one after the other.
  std::uint64_t metrics_of(std::uint64_t packets) const {
    return packets / this->packets() * metrics() + metrics_before[packets % this->packets()];
  }
};

/// Nothing for a letter that is none of A to F. Takes half a second for D, else milliseconds.
/// `kinds`, some of "ctgsh" (counter, timer, gauge, set, histogram), replaces those of the
/// workload: for daemons that know fewer.
std::optional<Workload> make_workload(char letter, std::string_view kinds = {});

/// Sum of the values of all counters in the first `packets` packets, cycle after cycle: what a
/// daemon that counts neither packets nor lines must have added up.
std::uint64_t counter_total(const Workload& workload, std::uint64_t packets);

/// Those whose rates we publish; F, as D with 100,000 series, is for the page.
inline constexpr std::string_view workload_letters = "ABCDE";

}  // namespace tally::bench
