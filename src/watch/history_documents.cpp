#include "watch/history_documents.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>

namespace tally {
namespace {

constexpr std::size_t id_digits = 16;

void write_name(JsonWriter& json, const HistoryRow& row) {
  json.member("id", id_text(row.id));
  json.member("name", row.series.name);
  json.member("kind", to_string(row.series.kind));
  json.key("tags").object([&] {
    for (const TagView& tag : row.series.tags) json.member(tag.key, tag.value);
  });
}

template <class Values>
void write_array(JsonWriter& json, const Values& values) {
  json.array([&] {
    for (const auto& value : values) json.value(value);
  });
}

void write_fields(JsonWriter& json, const HistoryDetail& detail) {
  json.object([&] {
    for (const auto& [name, values] : detail.fields) {
      json.key(name);
      write_array(json, values);
    }
  });
}

void write_last(JsonWriter& json, const HistoryDetail& detail) {
  json.member("last", detail.row.last);
  json.member("rate", detail.row.rate);
  json.member("last_seen", detail.row.last_seen);
  json.member("last_sender",
              detail.last_sender ? std::optional(to_string(*detail.last_sender)) : std::nullopt);
  json.member("ttl_ms",
              detail.ttl ? std::optional<std::int64_t>(detail.ttl->count()) : std::nullopt);
  json.member("line", detail.lines.empty()
                          ? std::nullopt
                          : std::optional(fmt::format("{}", fmt::join(detail.lines, "\n"))));
}

template <class Rows>
std::string top_json(std::string_view by, std::optional<WallTime> window, Rows write_rows) {
  std::string out;
  JsonWriter json(out);
  json.object([&] {
    json.member("by", by);
    json.member("window", window);
    json.key("rows").array([&] { write_rows(json); });
  });
  return out;
}

}  // namespace

std::string id_text(SeriesId id) {
  return fmt::format("{:016x}", id);
}

std::optional<SeriesId> parse_id(std::string_view text) {
  SeriesId id = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, id, 16);
  if (text.size() != id_digits || error != std::errc() || stop != end) return std::nullopt;
  return id;
}

void write_row(JsonWriter& json, const HistoryRow& row) {
  json.object([&] {
    write_name(json, row);
    json.member("last", row.last);
    json.member("rate", row.rate);
    json.member("last_seen", row.last_seen);
    json.key("spark");
    write_array(json, row.spark);
  });
}

std::string series_json(const History::Found& found) {
  std::string out;
  JsonWriter json(out);
  json.object([&] {
    json.member("total", found.total);
    json.member("matched", found.matched);
    json.key("series").array([&] {
      for (const HistoryRow& row : found.rows) write_row(json, row);
    });
  });
  return out;
}

std::string detail_json(const HistoryDetail& detail) {
  std::string out;
  JsonWriter json(out);
  json.object([&] {
    write_name(json, detail.row);
    json.key("windows");
    write_array(json, detail.windows);
    json.key("fields");
    write_fields(json, detail);
    write_last(json, detail);
  });
  return out;
}

std::string busiest_json(const History::Found& found, std::optional<WallTime> window) {
  return top_json("rate", window, [&](JsonWriter& json) {
    for (const HistoryRow& row : found.rows) {
      json.object([&] {
        write_name(json, row);
        json.member("value", row.rate);
      });
    }
  });
}

std::string ranking_json(std::string_view by, std::span<const History::Ranked> rows,
                         std::optional<WallTime> window) {
  return top_json(by, window, [&](JsonWriter& json) {
    for (const History::Ranked& row : rows) {
      json.object([&] {
        json.member("name", row.name);
        json.member("value", row.value);
        if (!row.example.empty()) json.member("example", row.example);
      });
    }
  });
}

}  // namespace tally
