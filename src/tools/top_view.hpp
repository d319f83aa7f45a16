#pragma once
// tallyd top as lines of text. Pure: what is known in, what is seen out.

#include <cstddef>
#include <string>
#include <vector>

#include "tools/top_state.hpp"

namespace tally {

struct Screen {
  std::size_t rows = 24;
  std::size_t columns = 80;
  bool is_colored = false;
};

/// Exactly `rows` lines of exactly `columns` columns:
///
///     tallyd 0.1.0 on web1   up 3h 12m   window 10s                           12:00:01
///     packets 12.3k/s   lines 123k/s   points 1.2k/s   series 12.3k   lost 0
///     127.0.0.1:8086   ok   InfluxDB 1.6.7   queued 0   spooled 0   204
///     RATE/S   LAST   LAST 20 WINDOWS         NAME   12.3k series, by rate
///     ..
///     1 rate  2 series  3 bytes  4 senders  5 tags   r n l b sort   / filter   q quit
///
/// Of foreign words only printable ASCII is shown.
std::vector<std::string> render(const TopState& state, const Screen& screen);

/// How many rows of the table such a screen has, with so many destinations.
std::size_t table_rows(const TopState& state, const Screen& screen);

}  // namespace tally
