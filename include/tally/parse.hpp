#pragma once
// From the bytes of a datagram to samples and refusals. Pure; accepts any bytes.

#include <cstdint>
#include <string_view>

#include "tally/sample.hpp"

namespace tally {

/// What a line may hold at most. A line over a limit is refused whole, never shortened: a
/// shortened name would merge two series.
struct LineLimits {
  std::uint32_t name_bytes = 512;
  std::uint32_t tag_bytes = 256;  ///< a key or a value
  std::uint32_t tags = 64;        ///< exactly 100 tags panic influxd up to 1.8.0

  friend bool operator==(const LineLimits&, const LineLimits&) = default;
};

/// The lowest sample rate that is taken. Below it a rate can only be a mistake or an attack.
inline constexpr double rate_min = 1e-6;

/// Name, tags and what separates them, over all dialects. influxd ends at 65,535 and logs whole
/// keys.
inline constexpr std::uint32_t series_bytes_max = 4096;

/// Parses one datagram and appends to `batch` what it held, in order. Never reads past the end; a
/// bad line never spoils its neighbours; empty lines are nothing, with no error.
///
///     page.views:1:2|c|@0.1|#env:prod,urgent|c:ci-83|T1700000000
///     ^name      ^ ^ ^ ^rate ^tags           ^fields of DogStatsD 1.2 to 1.6, in any order
///                | | kind
///                values (DogStatsD 1.1); a set takes `1:2` as one member
///
///     deploys:1|c:320|ms|@0.1     several metrics of one name (etsy): a type may be followed by
///                                 ':' and the next value; tags hold for all of them
///     disk,host=a:1|c  disk;host=a:1|c  disk#host=a:1|c  disk[host=a]:1|c     tags in the name
///
/// What each contested line means, and who reads it otherwise, is written in tests/unit/parse.
void parse_datagram(std::string_view datagram, const LineLimits& limits, Batch& batch);

/// Reads a decimal number as StatsD clients write it: `12`, `+1.5`, `-.5`, `5.`, `1e-05`. Refuses
/// hex, `inf`, `nan`, white space, and what overflows a double; what underflows is 0.
/// Returns false and leaves `value` alone when it refuses.
bool parse_number(std::string_view text, double& value);

}  // namespace tally
