#pragma once
// A datagram into the table: parse, add, count. The one function between receive and aggregate.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tally/ledger.hpp"
#include "tally/parse.hpp"
#include "tally/sample.hpp"
#include "tally/table.hpp"
#include "tally/time.hpp"

namespace tally {

/// The first line that was refused in a window, kept for the log: a number alone helps no one.
struct RefusedExample {
  Reason reason;
  std::string line;  ///< foreign bytes, at most 200 of them: quote() before showing
};

/// An event or a service check as it came: what it says is read again when it is written.
struct HeardNotice {
  std::string line;
  Instant heard;
};

/// Bytes that the notices of one window may take; past it they are refused as `notice_limit`.
inline constexpr std::size_t notice_bytes_max = 4 << 20;
/// And how many there may be.
inline constexpr std::size_t notices_max = 10'000;

/// What one receive thread gathers in one window and then hands over whole.
struct Gathered {
  explicit Gathered(Table empty) : table(std::move(empty)) {}

  Table table;
  IngestCounts counts;
  std::vector<HeardNotice> notices;
  std::size_t notice_bytes = 0;
  std::optional<RefusedExample> refused_example;
};

/// Adds all that a datagram holds to `gathered`. A truncated datagram is taken up to its last whole
/// line; the rest of it is one refused line. `scratch` is reused from call to call.
void ingest(std::string_view datagram, bool is_truncated, const LineLimits& limits, Instant now,
            Batch& scratch, Gathered& gathered);

}  // namespace tally
