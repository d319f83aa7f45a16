#pragma once
// A walk through a segment: what in it is whole, and what that tells of the rest. Pure.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "spool/format.hpp"
#include "tally/time.hpp"

namespace tally {

/// What lies in a segment from an offset on.
struct SegmentSurvey {
  std::uint64_t points = 0;  ///< of whole batches, each number once
  std::uint64_t records = 0;
  std::size_t end = 0;  ///< behind the last whole record
  std::uint64_t last_number = 0;
  WallTime oldest = WallTime::max();  ///< of the batches
  WallTime newest = WallTime::min();
  std::uint64_t damaged_bytes = 0;  ///< between and behind whole records; zeros at the end are not
  std::uint64_t damaged_records = 0;  ///< by gaps in the numbers; at least one a damaged place
  std::uint64_t damaged_points = 0;   ///< as their headers say, else as their neighbours
};

using RecordSink = std::function<void(const FoundRecord&)>;

/// Walks a segment's bytes from `offset` (of a record; the first is behind the header) and gives
/// each whole record to `sink`, in order. Numbers that do not rise, above `after` to begin with,
/// are repetitions and ignored.
SegmentSurvey survey_segment(std::string_view file, std::size_t offset, std::uint64_t random,
                             std::uint64_t after, const RecordSink& sink = {});

}  // namespace tally
