#include "watch/window_event.hpp"

#include <fmt/format.h>

#include "watch/history_documents.hpp"
#include "watch/json_writer.hpp"
#include "watch/live_documents.hpp"

namespace tally {
namespace {

void write_state(JsonWriter& json, const DestinationState& state, const DeliveryCounts& counts) {
  json.object([&] {
    json.member("name", shown_name(state));
    json.member("state", to_string(state.health));
    json.member("queued", counts.queued);
    json.member("spooled", counts.spooled);
    json.member("spool_bytes", state.spool_bytes);
    state.last_answer.empty() ? json.key("last_answer").null()
                              : json.member("last_answer", state.last_answer);
  });
}

void write_states(JsonWriter& json, const LiveState& live) {
  json.array([&] {
    for (std::size_t i = 0; i < live.destinations.size(); ++i) {
      const auto& deliveries = live.ledger.deliveries;
      write_state(json, live.destinations[i],
                  i < deliveries.size() ? deliveries[i] : DeliveryCounts{});
    }
  });
}

}  // namespace

std::string window_json(const WindowSummary& window, const LiveState& live,
                        const History::Found& busiest) {
  std::string out;
  JsonWriter json(out);
  json.object([&] {
    json.member("start", window.span.start);
    json.member("end", window.span.start + window.span.interval);
    json.member("series", window.series);
    json.member("points", window.points);
    json.member("flush_ms", window.flush.count());
    json.member("lost", window.lost);
    json.member("lost_in_window", window.lost_in_window);
    json.key("destinations");
    write_states(json, live);
    json.key("busiest").array([&] {
      for (const HistoryRow& row : busiest.rows) write_row(json, row);
    });
  });
  return out;
}

std::string event_text(std::string_view name, std::string_view data) {
  return fmt::format("event: {}\ndata: {}\n\n", name, data);
}

}  // namespace tally
