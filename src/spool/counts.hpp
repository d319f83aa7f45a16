#pragma once
// Where every point of a spool is.

#include <cstdint>

namespace tally {

/// `recovered + put = acked + waiting + dropped`. Of this process; points that an earlier one
/// dropped are in its own counts.
struct SpoolCounts {
  std::uint64_t recovered = 0;  ///< found since it was opened, the damaged ones among them
  std::uint64_t put = 0;
  std::uint64_t acked = 0;
  std::uint64_t waiting = 0;          ///< those that were given and not acknowledged included
  std::uint64_t dropped_full = 0;     ///< oldest segment first, for bytes_max
  std::uint64_t dropped_expired = 0;  ///< older than age_max
  /// Lost to damage on the disk. Exact for what was put or was whole when it was opened; of damage
  /// found at opening it is what the headers and neighbours of the lost records tell.
  std::uint64_t dropped_damaged = 0;

  std::uint64_t records_waiting = 0;
  std::uint64_t records_damaged = 0;  ///< at opening, by gaps in their numbers
  std::uint64_t bytes_damaged = 0;
  std::uint64_t put_failures = 0;        ///< `put` gave an error; not in `put`
  std::uint64_t sync_failures = 0;       ///< the disk did not confirm
  std::uint64_t points_not_durable = 0;  ///< of these: readable now, perhaps not after a power cut

  std::uint64_t dropped() const { return dropped_full + dropped_expired + dropped_damaged; }
  bool balances() const { return recovered + put == acked + waiting + dropped(); }
};

}  // namespace tally
