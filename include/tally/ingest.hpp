#pragma once
// Bytes into the table: cut, read, add, count. All that stands between receive and aggregate.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tally/datagram.hpp"
#include "tally/ledger.hpp"
#include "tally/parse.hpp"
#include "tally/peer.hpp"
#include "tally/refused.hpp"
#include "tally/sample.hpp"
#include "tally/scan.hpp"
#include "tally/senders.hpp"
#include "tally/table.hpp"
#include "tally/time.hpp"

namespace tally {

/// How bytes came in.
struct Arrival {
  std::uint32_t listener = 0;  ///< index in the daemon's list of listeners
  Peer peer;
  std::uint16_t sender = 0;  ///< the peer's number in the window's Senders; 0: one of many
  Instant now{};
  WallTime wall{};           ///< the same moment; only senders' times are held against it
  bool has_padding = false;  ///< scan.hpp's `padding_bytes` stand behind the bytes
};

/// What is taken, and where it belongs.
struct IngestRules {
  ParseRules parse;
  std::chrono::milliseconds lateness = std::chrono::hours(1);  ///< of `|T` before the open window
};

/// How far a sender's clock may be ahead of ours.
inline constexpr std::chrono::seconds ahead_max{60};

/// What a sender's own time (`|T`) means for its sample.
enum class Timing : std::uint8_t {
  on_time,  ///< counts in the open window
  late,     ///< before the open window: a point of its own, in the second that it names
  ignored,  ///< too long ago, or yet to come: counts in the open window, as if it had no time
};

/// Tells which, for a window that began at `opened`. REQUIRES: `time` is not 0.
Timing timing_of(std::int64_t time, WallTime now, WallTime opened,
                 std::chrono::milliseconds lateness);

/// Why a sample was refused by the table; nothing if it was added.
std::optional<Reason> reason_of(Added added);

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
  /// `opened` is when the window was opened: older times of senders are late.
  Gathered(Table empty, std::size_t listeners, WallTime opened)
      : table(std::move(empty)), counts(listeners), window_start(opened) {}

  Table table;
  std::vector<IngestCounts> counts;  ///< one a listener
  WallTime window_start;
  std::vector<HeardNotice> notices;
  std::size_t notice_bytes = 0;
  RefusedRing refused;
  Senders senders;

  IngestCounts total() const;
  /// Adds what another thread gathered in the same window. `other` keeps only its empty table.
  void merge(Gathered& other);
};

/// From bytes to the table: cuts lines, reads them, adds them up, counts. One per receive thread;
/// holds scratch memory, so that a packet costs no allocation.
///
/// Nearly all lines are simple (scan.hpp) and their series is known: these never meet the parser.
/// The others go through `parse_line`, one by one and in their place, and what it makes of them
/// is the rule for both.
///
/// A sample with a time of its own (`|T`) that lies before the open window is a series of its own:
/// it is written as a point inside the second that it names. Beyond `lateness`, or more than
/// `ahead_max` ahead, a sender's clock is not believed: the sample counts when it arrives.
class Ingestor {
 public:
  /// `rules` must outlive the ingestor.
  explicit Ingestor(const IngestRules& rules) : rules_(rules), scanner_(rules.parse) {}

  /// Adds whole lines, as a stream has them.
  void add(std::string_view text, const Arrival& arrival, Gathered& gathered);

  /// Adds datagrams that came together from one sender, in their order; their bytes must stay until
  /// this returns. A truncated one is taken up to its last whole line; the rest of it is one
  /// refused line.
  void add_datagrams(std::span<const Datagram> datagrams, const Arrival& arrival,
                     Gathered& gathered);

  /// Counts and remembers a line that was refused before it was parsed.
  static void refuse(Reason reason, std::string_view line, const Arrival& arrival,
                     Gathered& gathered);

  /// Whether a text is one line that the parser takes.
  bool is_line(std::string_view text);

 private:
  void scan(std::string_view text, const Arrival& arrival, Gathered& gathered);
  void add_scanned(const Arrival& arrival, Gathered& gathered);
  void refuse_overflowed(std::span<const ScannedLine> lines, std::uint64_t overflowed,
                         const Arrival& arrival, Gathered& gathered);
  void add_other(const ScannedLine& line, const Arrival& arrival, Gathered& gathered);
  void add_simple(const ScannedLine& line, const Arrival& arrival, Gathered& gathered);
  void add_parsed(std::string_view text, const Arrival& arrival, Gathered& gathered);
  std::optional<Reason> add_line(const Line& line, const Arrival& arrival, Gathered& gathered);

  const IngestRules& rules_;
  Scanner scanner_;
  // So many are read, then looked up, then added: enough that what was asked of the memory has
  // come, few enough to stay in the nearest cache. Of small datagrams they are of several.
  std::array<ScannedLine, Table::batch_lines_max> lines_{};
  std::size_t scanned_ = 0;         // of them, and not yet added
  std::uint64_t simple_taken_ = 0;  // not yet in the counts
  Batch batch_;
};

}  // namespace tally
