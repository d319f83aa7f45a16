#include "tools/top_data.hpp"

#include <cmath>

namespace tally {
namespace {

/// 0 for what is not there: it is added and subtracted.
double number_or_0(const JsonView& view, std::string_view member) {
  const double number = view.number(member);
  return std::isnan(number) ? 0 : number;
}

TopDestination read_destination(const JsonView& view) {
  return {.name = std::string(view.text("name")),
          .state = std::string(view.text("state")),
          .server = std::string(view.text("server")),
          .last_answer = std::string(view.text("last_answer")),
          .queued = number_or_0(view, "queued"),
          .spooled = number_or_0(view, "spooled"),
          .spool_bytes = number_or_0(view, "spool_bytes")};
}

std::string tags_of(const JsonView& view) {
  std::string text;
  for (const auto& [key, value] : view.at("tags").members()) {
    if (!text.empty()) text += ',';
    text.append(key).append("=").append(value);
  }
  return text;
}

TopRow read_series(const JsonView& view) {
  TopRow row{.name = std::string(view.text("name")),
             .kind = std::string(view.text("kind")),
             .detail = tags_of(view),
             .numbers = {view.number("rate"), view.number("last")}};
  for (const JsonView& each : view.at("spark").items()) row.spark.push_back(each.number());
  return row;
}

TopRow read_ranked(const JsonView& view, TopTab by) {
  TopRow row{.name = std::string(view.text("name")),
             .detail = std::string(view.text("example")),
             .numbers = {view.number("value")}};
  if (by != TopTab::sender) return row;
  for (const std::string_view member : {"datagrams", "bytes", "lines", "refused"})
    row.numbers.push_back(view.number(member));
  return row;
}

}  // namespace

TopSummary read_top_summary(const JsonView& ledger) {
  const JsonView datagrams = ledger.at("datagrams"), lines = ledger.at("lines"),
                 points = ledger.at("points");
  TopSummary summary{.version = std::string(ledger.text("version")),
                     .host = std::string(ledger.text("host")),
                     .now_ms = number_or_0(ledger, "now"),
                     .uptime_s = number_or_0(ledger, "uptime_s"),
                     .interval_ms = number_or_0(ledger, "interval_ms"),
                     .series = number_or_0(ledger.at("window"), "series"),
                     .windows_closed = number_or_0(ledger.at("windows"), "closed"),
                     .datagrams = number_or_0(datagrams, "received"),
                     .lines = number_or_0(lines, "seen"),
                     .points = number_or_0(points, "flushed"),
                     .lost = number_or_0(ledger, "lost"),
                     .dropped_by_kernel = number_or_0(datagrams, "dropped_by_kernel"),
                     .denied = number_or_0(datagrams, "denied"),
                     .refused = number_or_0(lines, "refused"),
                     .points_dropped = number_or_0(points, "dropped")};
  for (const JsonView& each : ledger.at("destinations").items())
    summary.destinations.push_back(read_destination(each));
  return summary;
}

TopTable read_top_table(const JsonView& answer, TopTab by) {
  TopTable table{.matched = number_or_0(answer, "matched")};
  const bool is_series = by == TopTab::rate;
  for (const JsonView& each : answer.at(is_series ? "series" : "rows").items())
    table.rows.push_back(is_series ? read_series(each) : read_ranked(each, by));
  return table;
}

}  // namespace tally
