#pragma once
// One file of a spool, as far as it is known in memory: enough to say what is lost with it, to the
// point, whatever happens to it.

#include <algorithm>
#include <cstdint>
#include <string>

#include "spool/format.hpp"
#include "tally/time.hpp"

namespace tally {

struct Segment {
  std::string name;
  std::uint64_t number = 0;
  std::uint64_t random = 0;
  std::uint64_t bytes = segment_header_bytes;  ///< of whole records
  std::uint64_t next = segment_header_bytes;   ///< where the first record that waits begins
  std::uint64_t last_number = 0;               ///< of the records read
  std::uint64_t points = 0;                    ///< that wait
  std::uint64_t records = 0;
  std::uint64_t expired = 0;  ///< points that were read, but too late
  WallTime oldest = WallTime::max();
  WallTime newest = WallTime::min();
};

/// Points of some segments, and of which time.
struct Stretch {
  std::uint64_t points = 0;
  WallTime oldest = WallTime::max();
  WallTime newest = WallTime::min();

  void add(const Stretch& more) {
    points += more.points;
    oldest = std::min(oldest, more.oldest);
    newest = std::max(newest, more.newest);
  }
};

}  // namespace tally
