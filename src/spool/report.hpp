#pragma once
// A look at a spool from outside, without its lock: for `tallyd spool` and for tests. Nothing is
// changed. What the daemon does meanwhile may show half.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spool/directory.hpp"
#include "spool/format.hpp"
#include "spool/survey.hpp"
#include "tally/payload.hpp"
#include "tally/result.hpp"
#include "tally/time.hpp"

namespace tally {

/// The directories below `root` that are spools, sorted; those of destinations that are configured
/// no more among them.
std::vector<std::string> spools_below(const std::string& root);

/// The payload of a batch; nothing if its gzip is broken, which its CRC makes all but impossible.
std::optional<Payload> to_payload(const RecordHeader& header, std::string_view stored);

/// "2026-11-23 12:00:10 to 12:14:20 UTC"
std::string range_in_words(WallTime from, WallTime to);

/// One file of a spool.
struct SegmentReport {
  std::string name;
  std::uint64_t bytes = 0;
  std::uint64_t fingerprint = 0;
  std::uint64_t version = spool_version;  ///< 0: no segment any more
  SegmentSurvey survey;                   ///< of what waits
};

using PayloadSink = std::function<void(Payload)>;

/// Goes through all segments, in order, and gives `sink` each payload that waits.
Result<std::vector<SegmentReport>> look_at_spool(const std::string& directory,
                                                 const PayloadSink& sink = {});

}  // namespace tally
