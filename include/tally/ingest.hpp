#pragma once
// A datagram into the table: parse, add, count. The one function between receive and aggregate.

#include <optional>
#include <string>
#include <string_view>

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

/// What one receive thread gathers in one window and then hands over whole.
struct Gathered {
  explicit Gathered(Table empty) : table(std::move(empty)) {}

  Table table;
  IngestCounts counts;
  std::optional<RefusedExample> refused_example;
};

/// Adds all that a datagram holds to `gathered`. A truncated datagram is taken up to its last whole
/// line; the rest of it is one refused line. `scratch` is reused from call to call.
void ingest(std::string_view datagram, bool is_truncated, const LineLimits& limits, Instant now,
            Batch& scratch, Gathered& gathered);

}  // namespace tally
