#pragma once
// The slow twin of the stream framing: reads a whole stream at once, byte by byte, and says what
// must come of it. For tests and the fuzzer.

#include <string>
#include <string_view>
#include <vector>

#include "receive/framing.hpp"

namespace tally::testing {

/// All that comes of a stream.
struct FramingOutcome {
  /// "line a:1|c\n" or "truncated b:2\n" for each line and refusal in order. Text is cut into its
  /// lines, so that it does not matter how many came at once.
  std::string told;
  Framing::Verdict verdict = Framing::Verdict::go_on;

  void add_lines(std::string_view text);  ///< empty ones are nothing
  void add_refusal(Reason reason, std::string_view start);
  friend bool operator==(const FramingOutcome&, const FramingOutcome&) = default;
};

/// What must come of a stream that is sent and ended.
FramingOutcome naive_framing(std::string_view stream, Framing::Lengths lengths);

/// What the framing makes of the same in pieces. It is fed each piece from memory that ends at an
/// unreadable page, and memory that it holds beyond its bound ends the process.
FramingOutcome framing_of(const std::vector<std::string_view>& pieces, Framing::Lengths lengths);

}  // namespace tally::testing
