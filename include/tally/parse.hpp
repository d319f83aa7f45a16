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

/// What a line may be written in. A line that needs a dialect which is off is refused as
/// `dialect_off`; a name that only holds the separator of a tag dialect which is off is a name.
struct Dialects {
  bool etsy = true;            ///< several metrics a line: `a:1|c:2|ms|@0.1`
  bool dogstatsd = true;       ///< `|#tags`, packed values `a:1:2|ms`, `|c:` `|T` `|e:` `|card:`
  bool influx = true;          ///< `a,k=v:1|c`
  bool graphite = true;        ///< `a;k=v:1|c`
  bool signalfx = true;        ///< `a[k=v]:1|c`
  bool librato = true;         ///< `a#k=v:1|c`
  bool events = true;          ///< `_e{1,1}:a|b`
  bool service_checks = true;  ///< `_sc|a|0`

  friend bool operator==(const Dialects&, const Dialects&) = default;
};

/// How names are cleaned, and the keys and values of tags with them: to etsy's statsd tags are a
/// part of the name. Tags are found first, in the text as it was sent, so cleaning takes no dialect
/// away. Limits hold for what is left. Events and service checks stay as they are.
enum class Sanitize : std::uint8_t {
  none,
  /// A run of ASCII white space to one '_', '/' to '-', all else outside [a-zA-Z_\-0-9.;=] is
  /// dropped; within a tag ';' to '_'. A name of which nothing is left is refused as `empty_name`,
  /// such a tag is dropped.
  etsy,
};

/// What a gauge with a sign does: `-3` moves it by -3 (etsy), or sets it to -3 (the Datadog agent).
enum class SignedGauges : std::uint8_t { delta, absolute };

/// All that decides how bytes are read.
struct ParseRules {
  LineLimits limits;
  Dialects dialects;
  Sanitize sanitize = Sanitize::none;
  SignedGauges signed_gauges = SignedGauges::delta;

  friend bool operator==(const ParseRules&, const ParseRules&) = default;
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
void parse_datagram(std::string_view datagram, const ParseRules& rules, Batch& batch);

/// As `parse_datagram` for one line, given without its line end and not empty.
void parse_line(std::string_view line, const ParseRules& rules, Batch& batch);

/// Reads a decimal number as StatsD clients write it: `12`, `+1.5`, `-.5`, `5.`, `1e-05`. Refuses
/// hex, `inf`, `nan`, white space, and what overflows a double; what underflows is 0.
/// Returns false and leaves `value` alone when it refuses.
bool parse_number(std::string_view text, double& value);

}  // namespace tally
