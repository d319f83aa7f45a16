#pragma once
// What a query string asks for, checked. Pure. Errors say what is allowed; parameters that are not
// known are read over.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/message.hpp"
#include "tally/result.hpp"
#include "watch/history.hpp"
#include "watch/tap_lines.hpp"

namespace tally {

/// match, kind, sort, order, limit (1 .. 1,000), offset, own (0: without tallyd.*). Names go up
/// unless told otherwise, all else down.
Result<HistoryQuery> parse_series_query(const http::Request& request);

enum class TopBy : std::uint8_t { rate, series, bytes, sender, tag };

struct TopQuery {
  TopBy by = TopBy::rate;
  std::size_t limit = 20;  ///< 1 .. 1,000
};
Result<TopQuery> parse_top_query(const http::Request& request);

struct TapQuery {
  TapFilter filter;
  std::uint64_t limit = 0;  ///< lines; 0: no end
};
Result<TapQuery> parse_tap_query(const http::Request& request);

struct CaptureQuery {
  std::chrono::seconds time{60};   ///< 1 .. 3,600
  std::uint64_t bytes = 64 << 20;  ///< of the file, 1,024 .. 16 GiB
};
Result<CaptureQuery> parse_capture_query(const http::Request& request);

/// Whether a parameter without a value, or with another than 0, was given.
bool has_flag(const http::Request& request, std::string_view name);

}  // namespace tally
