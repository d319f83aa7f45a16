#pragma once
// JSON of what is remembered: series, one series, rankings. Pure.

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tally/time.hpp"
#include "watch/history.hpp"
#include "watch/json_writer.hpp"

namespace tally {

/// GET /api/v1/series
std::string series_json(const History::Found& found);

/// GET /api/v1/series/ID
std::string detail_json(const HistoryDetail& detail);

/// GET /api/v1/top?by=rate, `window` being the start of the last closed one.
std::string busiest_json(const History::Found& found, std::optional<WallTime> window);

/// GET /api/v1/top?by=series, bytes or tag
std::string ranking_json(std::string_view by, std::span<const History::Ranked> rows,
                         std::optional<WallTime> window);

/// One series of a list.
void write_row(JsonWriter& json, const HistoryRow& row);

/// "0123456789abcdef", and back; nothing if it is none.
std::string id_text(SeriesId id);
std::optional<SeriesId> parse_id(std::string_view text);

}  // namespace tally
