#pragma once
// What tallyd top shows, read from the answers of /api/v1. Pure.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tools/json_view.hpp"

namespace tally {

/// What the table is about; the order of keys 1 to 5.
enum class TopTab : std::uint8_t { rate, series, bytes, sender, tag };
inline constexpr std::string_view top_names[] = {"rate", "series", "bytes", "sender", "tag"};

struct TopDestination {
  std::string name;
  std::string state;  ///< "ok", "failing", "unknown"
  std::string server;
  std::string last_answer;
  double queued = 0, spooled = 0, spool_bytes = 0;
};

/// The ledger, as far as it is shown. Texts are foreign.
struct TopSummary {
  std::string version, host;
  double now_ms = 0;
  double uptime_s = 0;
  double interval_ms = 0;
  double series = 0;  ///< of the open window
  double windows_closed = 0;
  double datagrams = 0, lines = 0, points = 0;  ///< received, seen, flushed
  double lost = 0;
  double dropped_by_kernel = 0, denied = 0, refused = 0, points_dropped = 0;
  std::vector<TopDestination> destinations;
};

struct TopRow {
  std::string name;
  std::string kind;
  std::string detail;           ///< tags, or an example
  std::vector<double> numbers;  ///< by view: rate and last; series; bytes; lines/s, datagrams,
                                ///< bytes, lines, refused; values
  std::vector<double> spark;
};

struct TopTable {
  double matched = 0;  ///< of `rate`: how many there are in all
  std::vector<TopRow> rows;
};

TopSummary read_top_summary(const JsonView& ledger);

/// Of /api/v1/series for `rate`, else of /api/v1/top.
TopTable read_top_table(const JsonView& answer, TopTab by);

}  // namespace tally
