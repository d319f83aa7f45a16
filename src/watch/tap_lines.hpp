#pragma once
// From tapped bytes to the lines that someone asked for. Pure.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tally/parse.hpp"
#include "tally/sample.hpp"
#include "watch/insight.hpp"

namespace tally {

/// Which lines are wanted.
struct TapFilter {
  std::string match;          ///< on the name: a glob; without `*` and `?` a part of it; "": all
  std::string sender;         ///< a part of the sender's text; "": all
  bool only_refused = false;  ///< not those that are taken
};

/// One line. Borrowed as the bytes it came in.
struct TapLine {
  std::string_view text;
  std::optional<Reason> reason = {};  ///< of a refused line
  std::size_t caret = 0;              ///< of a refused line: the byte of `text` that decided
};

/// Reads what comes in, with the daemon's own rules. One a tap; holds scratch memory.
///
/// Limitation: what a table refuses (limits.series, an overflow) is not known here; such a line
/// shows as taken.
class TapLines {
 public:
  TapLines(TapFilter filter, ParseRules rules) : filter_(std::move(filter)), rules_(rules) {}

  /// The wanted lines of a piece in their order. Valid until the next call, and as long as its
  /// bytes.
  const std::vector<TapLine>& read(const Tapped& piece);

 private:
  void keep(std::string_view name, const TapLine& line);

  TapFilter filter_;
  ParseRules rules_;
  Batch batch_;
  std::vector<TapLine> lines_;
};

/// The data of the event `line`. Of a text over 4,096 bytes the beginning.
std::string tap_line_json(const TapLine& line, const Tapped& piece, std::string_view listener);

/// The data of the event `skipped`.
std::string tap_skipped_json(std::uint64_t datagrams);

}  // namespace tally
