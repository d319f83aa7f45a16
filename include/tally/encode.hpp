#pragma once
// From a snapshot to InfluxDB's line protocol, in bounded payloads. Pure.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "tally/naming.hpp"
#include "tally/payload.hpp"
#include "tally/snapshot.hpp"

namespace tally {

struct PayloadLimits {
  std::size_t bytes_max = 1 << 20;  ///< of a body; a single longer line goes alone
  std::size_t lines_max = 5000;
};

/// Encodes a window. Native names are `count_request.count` with `count` and `rate`,
/// `response_time.timer` with `count mean min max sum stddev p50 ..`, `x.histogram`,
/// `x.distribution`, `x.gauge` with `value`, `x.set` with `count`; those of other profiles are in
/// README. `tallyd.*` is always written in native names.
///
/// One snapshot entry is one line is one point; with etsy's names each of its numbers is. A tag
/// that is named as a field of its point gets '_' behind it. All fields are floats. Stamps are in
/// whole seconds if span.start and span.interval are, else in milliseconds; a series with a second
/// of its own is stamped within that second, in payloads of nanoseconds behind the others. A field
/// that is not finite, or that the snapshot does not hold (`needs_details`), is left out. Payloads
/// are in order and not empty; their ids are 0.
///
/// Two series become one, and the later point overwrites the earlier one's fields, where a profile
/// leaves out what tells them apart: with telegraf's names `a.b` and `a_b`, with gostatsd's a
/// counter, a timer and a set of one name.
std::vector<Payload> encode_influx(const Snapshot& snapshot, const Naming& naming,
                                   const PayloadLimits& limits = {});

/// How many bytes of line protocol `encode_influx` writes for each point, in its order: counters,
/// timers, gauges, sets. REQUIRES: no series has a second of its own.
std::vector<std::size_t> encoded_sizes(const Snapshot& snapshot, const Naming& naming);

/// An event or a service check, as the parser took it, and when it came.
struct StampedNotice {
  std::string line;
  WallTime heard;
};

/// Encodes events as `events,<tags> title="..",text="..",priority="normal",alert_type="info"` (with
/// `aggregation_key`, `source_type_name` and `hostname` where they were sent), service checks as
/// `service_checks,check=<name>,<tags> status=0,message=".."`. Stamps are the sender's `d:` or else
/// when the line came, in milliseconds; of several with one stamp in one series each later one is
/// stamped 1 ms behind the one before, or it would overwrite it.
std::vector<Payload> encode_notices(const std::vector<StampedNotice>& notices, const Naming& naming,
                                    const PayloadLimits& limits = {});

/// Appends a string field's value: quoted, '"' and '\\' escaped; control bytes become '_'.
void append_string(std::string& out, std::string_view text);

/// The field of a percentile: 50 -> p50, 99.9 -> p999, 99.95 -> p9995. REQUIRES: from 0.0001, as
/// the config allows, to 100: below, the shortest decimal has an exponent.
std::string percentile_field(double percent);

/// Appends a double in the shortest form that reads back to the same double, as line protocol takes
/// it: 1000000 (not 1e+06), 0.1, -3.5e-07, 1e+21. REQUIRES: finite.
void append_number(std::string& out, double value);

/// Appends a measurement name: ',' and ' ' escaped by a backslash ('=' must not be).
void append_measurement(std::string& out, std::string_view text);

/// Appends a tag key, tag value or field key: ',', '=' and ' ' escaped by a backslash.
void append_key(std::string& out, std::string_view text);

}  // namespace tally
