#include "watch/live_documents.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "tally/ingest.hpp"
#include "tally/outbox.hpp"
#include "tally/parse.hpp"

namespace tally {
namespace {

/// The counts of destination or listener `at`; zeros if there are none yet.
template <class Counts>
Counts counts_at(const std::vector<Counts>& all, std::size_t at) {
  return at < all.size() ? all[at] : Counts{};
}

std::uint64_t refused_for(const IngestCounts& counts, Reason reason) {
  return counts.lines_refused[static_cast<std::size_t>(reason)];
}

void write_datagrams(JsonWriter& json, const IngestCounts& counts) {
  json.object([&] {
    json.member("received", counts.datagrams);
    json.member("dropped_by_kernel", counts.kernel_drops);
    json.member("truncated", counts.datagrams_truncated);
    json.member("empty", counts.datagrams_empty);
    json.member("denied", counts.datagrams_denied);
    json.member("unread", counts.datagrams_unread);
    json.member("bytes", counts.bytes);
  });
}

void write_lines(JsonWriter& json, const IngestCounts& counts) {
  json.object([&] {
    json.member("seen", counts.lines);
    json.member("accepted", counts.lines_accepted);
    json.member("refused", counts.refused());
    json.key("refused_by").object([&] {
      for (std::size_t reason = 0; reason < reason_count; ++reason)
        json.member(to_string(static_cast<Reason>(reason)), counts.lines_refused[reason]);
    });
  });
}

void write_dropped_by(JsonWriter& json, const DeliveryCounts& counts) {
  json.object([&] {
    json.member("outbox_full", counts.dropped_full);
    json.member("refused", counts.dropped_refused);
    json.member("type_conflict", counts.dropped_conflict);
    json.member("beyond_retention", counts.dropped_expired);
    json.member("series_limit", counts.dropped_series);
    json.member("spool_full", counts.dropped_spool);
    json.member("spool_age", counts.dropped_age);
    json.member("spool_damaged", counts.dropped_damaged);
    json.member("shutdown", counts.dropped_shutdown);
  });
}

void write_points(JsonWriter& json, const DeliveryCounts& counts) {
  json.object([&] {
    json.member("flushed", counts.pushed);
    json.member("recovered", counts.recovered);
    json.member("written", counts.written);
    json.member("queued", counts.queued);
    json.member("spooled", counts.spooled);
    json.member("dead", counts.dead);
    json.member("dropped", counts.dropped());
    json.key("dropped_by");
    write_dropped_by(json, counts);
  });
}

void write_listener(JsonWriter& json, const ListenerState& listener, const IngestCounts& counts) {
  json.object([&] {
    json.member("name", listener.name);
    json.member("datagrams", counts.datagrams);
    json.member("bytes", counts.bytes + counts.connections.bytes);
    json.member("kernel_drops", counts.kernel_drops);
    json.member("lines", counts.lines);
    json.member("refused", counts.refused());
    json.member("denied", counts.datagrams_denied + counts.connections.denied);
    json.member("connections", listener.connections);
    json.member("buffer_fill", listener.buffer_fill);
    json.member("receive_buffer", listener.receive_buffer);
  });
}

// ------------------------------------------------------------------------------ limits

/// How near a limit is, and how often it was met.
struct Limit {
  std::string_view name;
  std::optional<std::uint64_t> used;  // nothing: of single lines, which leave no trace
  std::optional<std::uint64_t> max;
  std::uint64_t hit;
};

void write_limit(JsonWriter& json, const Limit& limit) {
  json.object([&] {
    json.member("name", limit.name);
    json.member("used", limit.used);
    json.member("max", limit.max);
    json.member("hit", limit.hit);
  });
}

std::vector<Limit> limits_of_lines(const IngestCounts& counts, const LineLimits& limits) {
  constexpr std::uint64_t line_bytes_max = 64 << 10;  // of a stream
  const auto limit = [&](std::string_view name, std::uint64_t max, Reason reason) {
    return Limit{name, {}, max, refused_for(counts, reason)};
  };
  return {limit("name_bytes", limits.name_bytes, Reason::name_too_long),
          limit("tag_bytes", limits.tag_bytes, Reason::tag_too_long),
          limit("tags", limits.tags, Reason::too_many_tags),
          limit("series_bytes", series_bytes_max, Reason::series_too_long),
          limit("line_bytes", line_bytes_max, Reason::line_too_long),
          limit("notices", notices_max, Reason::notice_limit)};
}

std::vector<Limit> limits_of_windows(const LiveState& live, const Config& config) {
  const Ledger& ledger = live.ledger;
  std::uint64_t connections = 0;
  for (const ListenerState& listener : live.listeners) connections += listener.connections;
  return {
      {"series", live.series, config.limits.series,
       refused_for(ledger.ingest, Reason::series_limit)},
      {"gauges_held", live.gauges_held, config.limits.series, ledger.gauges_not_carried},
      {"set_members", {}, config.limits.set_members, ledger.sets_estimated},
      {"connections", connections, config.limits.connections, ledger.ingest.connections.refused}};
}

std::vector<Limit> limits_of_delivery(const LiveState& live, const Config& config) {
  const DeliveryCounts counts = live.ledger.delivered();
  std::uint64_t queued = 0, spooled = 0;
  for (const DestinationState& destination : live.destinations) {
    queued += destination.queued_bytes;
    spooled += destination.spool_bytes;
  }
  const std::uint64_t destinations = live.destinations.size();
  return {{"outbox_bytes", queued, destinations * OutboxLimits{}.bytes_max, counts.dropped_full},
          {"spool_bytes", spooled, destinations * config.spool.max_bytes, counts.dropped_spool}};
}

std::vector<Limit> limits_of_watch(const WatchState& watch, const Config& config) {
  std::optional<std::uint64_t> history_max;
  if (config.http.history > 0) history_max = config.http.history;
  return {
      {"history_bytes", watch.history_bytes, history_max, watch.history_left_out},
      {"http_connections", watch.http_connections, watch.http_connections_max, watch.http_refused},
      {"http_time", {}, {}, watch.http_overdue},
      {"http_streams", watch.streams, watch.streams_max, watch.streams_refused},
      {"http_readers", {}, {}, watch.readers_slow},
      {"tap", {}, {}, watch.tap_skipped}};
}

void write_limits(JsonWriter& json, const LiveState& live, const Config& config,
                  const WatchState& watch) {
  json.array([&] {
    for (const Limit& limit : limits_of_windows(live, config)) write_limit(json, limit);
    for (const Limit& limit : limits_of_lines(live.ledger.ingest, config.parse.limits))
      write_limit(json, limit);
    for (const Limit& limit : limits_of_delivery(live, config)) write_limit(json, limit);
    for (const Limit& limit : limits_of_watch(watch, config)) write_limit(json, limit);
  });
}

// ------------------------------------------------------------------------------ the ledger's parts

double seconds_of(std::chrono::milliseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

void write_identity(JsonWriter& json, const LiveState& live, const About& about,
                    const WatchState& watch) {
  json.member("now", live.now);
  json.member("version", about.version);
  json.member("host", about.host);
  json.member("started", about.started);
  json.member("uptime_s", seconds_of(watch.uptime));
}

void write_totals(JsonWriter& json, const Ledger& ledger) {
  json.member("balances", ledger.balances());
  json.member("lost", ledger.lost());
  json.key("datagrams");
  write_datagrams(json, ledger.ingest);
  json.key("lines");
  write_lines(json, ledger.ingest);
  json.member("samples", ledger.ingest.samples);
  json.member("samples_late", ledger.ingest.samples_late);
  json.member("times_ignored", ledger.ingest.times_ignored);
  json.member("fields_skipped", ledger.ingest.fields_skipped);
  json.key("points");
  write_points(json, ledger.delivered());
  json.key("windows").object([&] {
    json.member("closed", ledger.windows);
    json.member("late", ledger.windows_late);
    json.member("joined", ledger.windows_joined);
  });
}

void write_parts(JsonWriter& json, const LiveState& live) {
  json.key("listeners").array([&] {
    for (std::size_t i = 0; i < live.listeners.size(); ++i)
      write_listener(json, live.listeners[i], counts_at(live.ledger.by_listener, i));
  });
  json.key("destinations").array([&] {
    for (std::size_t i = 0; i < live.destinations.size(); ++i) write_destination(json, live, i);
  });
}

void write_history(JsonWriter& json, const WatchState& watch, const Config& config) {
  json.object([&] {
    json.member("series", watch.history_series);
    json.member("bytes", watch.history_bytes);
    json.member("bytes_max", config.http.history);
    json.member("left_out", watch.history_left_out);
  });
}

void write_refused(JsonWriter& json, const RefusedLine& line, const LiveState& live, Instant now) {
  json.object([&] {
    write_line(json, line.text);
    json.member("caret", line.caret);
    json.member("before", line.before);
    json.member("after", line.after);
    json.member("reason", to_string(line.reason));
    json.member("sender", to_string(line.peer));
    json.member("listener", counts_at(live.listeners, line.listener).name);
    json.member("at", wall_of(line.heard, now, live.now));
  });
}

void write_sender(JsonWriter& json, const Sender& sender, double seconds) {
  json.object([&] {
    json.member("name", to_string(sender.peer));
    json.member("value", static_cast<double>(sender.lines) / seconds);
    json.member("datagrams", sender.datagrams);
    json.member("bytes", sender.bytes);
    json.member("lines", sender.lines);
    json.member("refused", sender.refused);
  });
}

/// Text that is "" when there is none.
void member_or_null(JsonWriter& json, std::string_view name, const std::string& text) {
  text.empty() ? json.key(name).null() : json.member(name, text);
}

void write_answers(JsonWriter& json, const DestinationState& state) {
  member_or_null(json, "last_answer", state.last_answer);
  json.member("last_answer_at", state.last_answer_at);
  json.member("last_success_at", state.last_success_at);
}

void write_delivered(JsonWriter& json, const DestinationState& state,
                     const DeliveryCounts& counts) {
  json.member("pushed", counts.pushed);
  json.member("written", counts.written);
  json.member("queued", counts.queued);
  json.member("queued_bytes", state.queued_bytes);
  json.member("spooled", counts.spooled);
  json.member("spool_bytes", state.spool_bytes);
  json.member("dead", counts.dead);
  json.member("dropped", counts.dropped());
  json.member("recovered", counts.recovered);
  json.member("requests", counts.attempts);
  json.member("retries", counts.retries);
}

std::optional<std::int64_t> count_of(std::optional<std::chrono::milliseconds> duration) {
  return duration ? std::optional<std::int64_t>(duration->count()) : std::nullopt;
}

// Most versions name no more than their number.
std::string server_name(std::string_view version) {
  const bool is_named = version.empty() || version.starts_with("InfluxDB");
  return (is_named ? "" : "InfluxDB ") + std::string(version);
}

}  // namespace

std::string_view to_string(DestinationState::Health health) {
  constexpr std::array<std::string_view, 3> words = {"unknown", "ok", "failing"};
  return words[static_cast<std::size_t>(health)];
}

std::string_view shown_name(const DestinationState& state) {
  return state.name.empty() ? "standard output" : std::string_view(state.name);
}

void write_destination(JsonWriter& json, const LiveState& live, std::size_t at) {
  const DestinationState& state = live.destinations[at];
  json.object([&] {
    json.member("name", shown_name(state));
    json.member("url", state.url);
    json.member("api", state.api);
    member_or_null(json, "server", server_name(state.server));
    json.member("state", to_string(state.health));
    write_answers(json, state);
    write_delivered(json, state, counts_at(live.ledger.deliveries, at));
    json.member("backlog_age_ms",
                count_of(state.oldest ? std::optional(live.now - *state.oldest) : std::nullopt));
    json.member("eta_ms", count_of(state.eta));
  });
}

std::string ledger_json(const LiveState& live, const Config& config, const About& about,
                        const WatchState& watch) {
  std::string out;
  JsonWriter json(out);
  json.object([&] {
    write_identity(json, live, about, watch);
    json.member("interval_ms", config.flush.interval.count());
    json.key("window").object([&] {
      json.member("start", live.window);
      json.member("series", live.series);
    });
    json.member("whole", live.is_whole);
    write_totals(json, live.ledger);
    write_parts(json, live);
    json.key("limits");
    write_limits(json, live, config, watch);
    json.key("memory").object([&] { json.member("resident", watch.memory_resident); });
    json.key("history");
    write_history(json, watch, config);
  });
  return out;
}

std::string refused_json(const LiveState& live, Instant now) {
  std::string out;
  JsonWriter json(out);
  json.object([&] {
    json.member("total", live.ledger.ingest.refused());
    json.key("refused").array([&] {
      for (const RefusedLine& line : live.refused) write_refused(json, line, live, now);
    });
  });
  return out;
}

std::string senders_json(const LiveState& live, std::size_t limit) {
  // The first milliseconds of a window would make a flood of a single line.
  const double seconds = std::max(seconds_of(live.now - live.window), 1.0);
  std::string out;
  JsonWriter json(out);
  json.object([&] {
    json.member("by", "sender");
    json.member("window", live.window);
    json.key("rows").array([&] {
      for (std::size_t i = 0; i < std::min(limit, live.senders.size()); ++i)
        write_sender(json, live.senders[i], seconds);
    });
  });
  return out;
}

}  // namespace tally
