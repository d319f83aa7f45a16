// The table, and what is made from it.
//
// The core counters are written at zero too: an alert on a series that is not there never fires.
// Counters by reason, and those of listeners, are written when they moved.

#include "watch/self_metrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

#include "tally/encode.hpp"
#include "tally/text.hpp"
#include "watch/prometheus.hpp"

namespace tally {
namespace {

// ------------------------------------------------------------------------------ what a row says

/// What there is one number of: the process, or each listener or destination.
enum class Per : std::uint8_t { process, listener, destination };
enum class Written : std::uint8_t { always, when_moved };

using Take = double (*)(const SelfState& state, std::size_t at);  // `at`: of what it is per

/// One number, told from the others of its metric by the value of the metric's tag.
struct Value {
  std::string_view tag_value;  // "" where the metric has no tag
  Take take;
  Per per = Per::process;
  Written written = Written::always;
};

struct Metric {
  std::string_view name;
  Kind kind;
  std::string_view unit;
  std::string_view tag;  // its key; "" is none
  std::vector<Value> values;
  std::string_view meaning;  // plain text, in one line
};

// ------------------------------------------------------------------------------ where numbers are

constexpr double number(std::uint64_t count) {
  return static_cast<double>(count);
}

// What is not there yet, before the first window, is zero.
template <class Row>
Row row(const std::vector<Row>& rows, std::size_t at) {
  return at < rows.size() ? rows[at] : Row{};
}

template <auto count>
double total(const SelfState& state, std::size_t /*at*/) {
  return number(state.ledger.*count);
}

template <auto count>
double ingest(const SelfState& state, std::size_t /*at*/) {
  return number(state.ledger.ingest.*count);
}

template <auto count>
double listener(const SelfState& state, std::size_t at) {
  return number(row(state.ledger.by_listener, at).*count);
}

template <auto count>
double connections(const SelfState& state, std::size_t at) {
  return number(row(state.ledger.by_listener, at).connections.*count);
}

template <auto count>
double delivery(const SelfState& state, std::size_t at) {
  return number(row(state.ledger.deliveries, at).*count);
}

template <auto gauge>
double now(const SelfState& state, std::size_t /*at*/) {
  return static_cast<double>(state.gauges.*gauge);
}

template <auto gauges>
double now_at(const SelfState& state, std::size_t at) {
  return number(row(state.gauges.*gauges, at));
}

// ------------------------------------------------------------------------------ values with a tag

std::vector<Value> alone(Take take, Per per = Per::process, Written written = Written::always) {
  return {{"", take, per, written}};
}

std::vector<Value> alone_when_moved(Take take, Per per = Per::process) {
  return alone(take, per, Written::when_moved);
}

template <std::size_t... reasons>
std::vector<Value> refused(std::index_sequence<reasons...> /*all*/) {
  return {{to_string(static_cast<Reason>(reasons)),
           [](const SelfState& state, std::size_t) {
             return number(state.ledger.ingest.lines_refused[reasons]);
           },
           Per::process, Written::when_moved}...};
}

template <std::size_t... reasons>
std::vector<Value> refused_at_listener(std::index_sequence<reasons...> /*all*/) {
  return {{to_string(static_cast<Reason>(reasons)),
           [](const SelfState& state, std::size_t at) {
             return number(row(state.ledger.by_listener, at).lines_refused[reasons]);
           },
           Per::listener, Written::when_moved}...};
}

constexpr std::make_index_sequence<reason_count> every_reason;

std::vector<Value> of_connections() {
  constexpr auto value = [](std::string_view state, Take take) {
    return Value{state, take, Per::listener, Written::when_moved};
  };
  return {value("accepted", connections<&ConnectionCounts::accepted>),
          value("denied", connections<&ConnectionCounts::denied>),
          value("refused", connections<&ConnectionCounts::refused>),
          value("idle", connections<&ConnectionCounts::idle>),
          value("not_statsd", connections<&ConnectionCounts::not_statsd>),
          value("broken", connections<&ConnectionCounts::broken>)};
}

std::vector<Value> of_points() {
  constexpr auto dropped = [](const SelfState& state, std::size_t at) {
    return number(row(state.ledger.deliveries, at).dropped());
  };
  constexpr Per per = Per::destination;
  return {{"flushed", total<&Ledger::points_flushed>},
          {"written", delivery<&DeliveryCounts::written>, per},
          {"dropped", dropped, per},
          {"recovered", delivery<&DeliveryCounts::recovered>, per, Written::when_moved},
          {"dead_lettered", delivery<&DeliveryCounts::dead>, per, Written::when_moved}};
}

std::vector<Value> of_points_dropped() {
  constexpr auto value = [](std::string_view reason, Take take) {
    return Value{reason, take, Per::destination, Written::when_moved};
  };
  return {value("outbox_full", delivery<&DeliveryCounts::dropped_full>),
          value("refused", delivery<&DeliveryCounts::dropped_refused>),
          value("type_conflict", delivery<&DeliveryCounts::dropped_conflict>),
          value("beyond_retention", delivery<&DeliveryCounts::dropped_expired>),
          value("series_limit", delivery<&DeliveryCounts::dropped_series>),
          value("spool_full", delivery<&DeliveryCounts::dropped_spool>),
          value("spool_age", delivery<&DeliveryCounts::dropped_age>),
          value("spool_damaged", delivery<&DeliveryCounts::dropped_damaged>),
          value("shutdown", delivery<&DeliveryCounts::dropped_shutdown>)};
}

template <std::size_t hundreds>
Value answered(std::string_view status) {
  const Take take = [](const SelfState& state, std::size_t) {
    return number(state.watched.http_requests[hundreds - 2]);
  };
  return {status, take, Per::process, Written::when_moved};
}

// ------------------------------------------------------------------------------ the table

constexpr Kind counter = Kind::counter;
constexpr Kind gauge = Kind::gauge;

std::vector<Metric> about_receiving() {
  return {
      {"tallyd.datagrams",
       counter,
       "datagrams",
       "state",
       {{"received", ingest<&IngestCounts::datagrams>},
        {"dropped_by_kernel", ingest<&IngestCounts::kernel_drops>},
        {"truncated", ingest<&IngestCounts::datagrams_truncated>},
        {"empty", ingest<&IngestCounts::datagrams_empty>},
        {"denied", ingest<&IngestCounts::datagrams_denied>}},
       "what came, and what the kernel had no room for (by SO_MEMINFO, exact); the truncated, "
       "empty and denied ones are among those received"},
      {"tallyd.datagrams_unread", counter, "datagrams", "",
       alone_when_moved(ingest<&IngestCounts::datagrams_unread>),
       "of those received: they still waited when a stop's time to read was up"},
      {"tallyd.received_bytes", counter, "bytes", "", alone(ingest<&IngestCounts::bytes>),
       "of datagrams"},
      {"tallyd.receive_errors", counter, "errors", "", alone(ingest<&IngestCounts::receive_errors>),
       "of calls that receive datagrams"},
      {"tallyd.lines",
       counter,
       "lines",
       "state",
       {{"accepted", ingest<&IngestCounts::lines_accepted>},
        {"refused", [](const SelfState& state,
                       std::size_t) { return number(state.ledger.ingest.refused()); }}},
       "accepted and refused together are all that were not empty"},
      {"tallyd.lines_refused", counter, "lines", "reason", refused(every_reason), "by reason"},
      {"tallyd.samples", counter, "values", "", alone(ingest<&IngestCounts::samples>),
       "that were added up"},
      {"tallyd.samples_late", counter, "values", "",
       alone_when_moved(ingest<&IngestCounts::samples_late>),
       "of the samples: those of a window that is over, by their own time |T"},
      {"tallyd.times_ignored", counter, "values", "",
       alone_when_moved(ingest<&IngestCounts::times_ignored>),
       "of the samples: those with a time |T that is not believed"},
      {"tallyd.fields_skipped", counter, "fields", "", alone(ingest<&IngestCounts::fields_skipped>),
       "unknown |x fields that were read over"},
  };
}

std::vector<Metric> about_listeners() {
  return {
      {"tallyd.listener.datagrams", counter, "datagrams", "",
       alone_when_moved(listener<&IngestCounts::datagrams>, Per::listener), "received"},
      {"tallyd.listener.bytes", counter, "bytes", "",
       alone_when_moved(
           [](const SelfState& state, std::size_t at) {
             const IngestCounts counts = row(state.ledger.by_listener, at);
             return number(counts.bytes + counts.connections.bytes);
           },
           Per::listener),
       "of datagrams and streams"},
      {"tallyd.listener.kernel_drops", counter, "datagrams", "",
       alone_when_moved(listener<&IngestCounts::kernel_drops>, Per::listener),
       "dropped by the kernel"},
      {"tallyd.listener.denied", counter, "datagrams, connections", "",
       alone_when_moved(
           [](const SelfState& state, std::size_t at) {
             const IngestCounts counts = row(state.ledger.by_listener, at);
             return number(counts.datagrams_denied + counts.connections.denied);
           },
           Per::listener),
       "of peers that listen.allow does not name"},
      {"tallyd.listener.lines", counter, "lines", "",
       alone_when_moved(listener<&IngestCounts::lines>, Per::listener), "read, but for empty ones"},
      {"tallyd.listener.refused", counter, "lines", "reason", refused_at_listener(every_reason),
       "by reason"},
      {"tallyd.listener.connections", counter, "connections", "state", of_connections(),
       "refused: over limits.connections; broken: a frame that is too long"},
  };
}

std::vector<Metric> about_delivery() {
  return {
      {"tallyd.points", counter, "points", "state", of_points(),
       "flushed + recovered (found on disk at the start) = written + dead-lettered + dropped + "
       "those queued and spooled; flushed is not told by destination"},
      {"tallyd.points_dropped", counter, "points", "reason", of_points_dropped(), "by reason"},
      {"tallyd.requests",
       counter,
       "requests",
       "state",
       {{"sent", delivery<&DeliveryCounts::attempts>, Per::destination},
        {"retried", delivery<&DeliveryCounts::retries>, Per::destination}},
       "writes that were answered or failed; of them to be sent again"},
      {"tallyd.lost", counter, "datagrams, lines, points", "",
       alone([](const SelfState& state, std::size_t) { return number(state.ledger.lost()); }),
       "datagrams dropped by the kernel, denied or unread + lines refused + points dropped. The "
       "one to "
       "alert on"},
  };
}

std::vector<Metric> about_windows() {
  return {
      {"tallyd.windows_late", counter, "windows", "", alone(total<&Ledger::windows_late>),
       "a receive thread handed over too late; its samples count in the next window"},
      {"tallyd.windows_joined", counter, "windows", "",
       alone_when_moved(total<&Ledger::windows_joined>),
       "kept open past their end, for two older ones still waited to be written"},
      {"tallyd.estimated",
       counter,
       "points",
       "kind",
       {{"set", total<&Ledger::sets_estimated>}, {"timer", total<&Ledger::timers_estimated>}},
       "with an estimated count (1.6 %) or percentiles (1.1 %)"},
      {"tallyd.gauges_expired", counter, "gauges", "", alone(total<&Ledger::gauges_expired>),
       "idle for gauges.ttl"},
      {"tallyd.gauges_not_carried", counter, "gauges", "",
       alone(total<&Ledger::gauges_not_carried>), "beyond limits.series held ones"},
      {"tallyd.points_queued", gauge, "points", "",
       alone(delivery<&DeliveryCounts::queued>, Per::destination),
       "that wait for the database in memory"},
      {"tallyd.outbox_bytes", gauge, "bytes", "",
       alone(now_at<&SelfGauges::outbox_bytes>, Per::destination),
       "of the points that wait in memory"},
      {"tallyd.points_spooled", gauge, "points", "",
       alone(delivery<&DeliveryCounts::spooled>, Per::destination),
       "that wait for the database on disk"},
      {"tallyd.spool_bytes", gauge, "bytes", "",
       alone(now_at<&SelfGauges::spool_bytes>, Per::destination), "of the spool on disk"},
      {"tallyd.series", gauge, "series", "", alone(now<&SelfGauges::series>), "in the window"},
      {"tallyd.gauges_held", gauge, "gauges", "", alone(now<&SelfGauges::gauges_held>),
       "carried from window to window"},
      {"tallyd.connections", gauge, "connections", "", alone(now<&SelfGauges::connections>),
       "of streams, open at the end of the window"},
      {"tallyd.receive_buffer_fill", gauge, "0 to 1", "",
       alone(now<&SelfGauges::receive_buffer_fill>),
       "the fullest socket's buffer at the end of the window"},
  };
}

std::vector<Metric> about_the_process() {
  return {
      {"tallyd.flush_seconds", gauge, "seconds", "", alone(now<&SelfGauges::flush_seconds>),
       "from the last window's end until all its points were in the outboxes"},
      {"tallyd.memory_resident", gauge, "bytes", "", alone(now<&SelfGauges::memory_resident>),
       "of the whole process"},
      {"tallyd.history_series", gauge, "series", "", alone(now<&SelfGauges::history_series>),
       "whose last 60 windows are remembered for the page"},
      {"tallyd.history_bytes", gauge, "bytes", "", alone(now<&SelfGauges::history_bytes>),
       "of memory for that, at most http.history"},
      {"tallyd.history_left_out", gauge, "series", "", alone(now<&SelfGauges::history_left_out>),
       "of the last window, that http.history had no room for"},
      {"tallyd.http_requests",
       counter,
       "requests",
       "status",
       {answered<2>("2xx"), answered<3>("3xx"), answered<4>("4xx"), answered<5>("5xx")},
       "answered at http.listen"},
      {"tallyd.streams", gauge, "connections", "", alone(now<&SelfGauges::streams>),
       "answers at http.listen that go on: pages, taps, captures"},
      {"tallyd.tap_skipped", counter, "datagrams", "",
       alone_when_moved(
           [](const SelfState& state, std::size_t) { return number(state.watched.tap_skipped); }),
       "that a tap or a capture was not shown, so that receiving goes on"},
  };
}

const std::vector<Metric>& table() {
  static const std::vector<Metric> all = [] {
    std::vector<Metric> rows;
    for (const auto& part : {about_receiving(), about_listeners(), about_delivery(),
                             about_windows(), about_the_process()})
      rows.insert(rows.end(), part.begin(), part.end());
    return rows;
  }();
  return all;
}

// ------------------------------------------------------------------------------ all numbers

std::size_t count_of(Per per, const SelfNaming& naming) {
  switch (per) {
    case Per::process:
      return 1;
    case Per::listener:
      return naming.listeners.size();
    case Per::destination:
      return naming.destinations.size();
  }
  return 0;
}

// With one destination the series are what they always were; with several each has its name.
std::vector<TagView> tags_of(const Metric& metric, const Value& value, std::size_t at,
                             const SelfNaming& naming) {
  std::vector<TagView> tags;
  if (value.per == Per::destination && naming.destinations.size() > 1)
    tags.push_back({"destination", naming.destinations[at]});
  if (value.per == Per::listener) tags.push_back({"listener", naming.listeners[at]});
  if (!metric.tag.empty()) tags.push_back({metric.tag, value.tag_value});
  return tags;
}

/// Calls `each(value, at, tags)` for every number of a metric.
template <class Each>
void for_each_number(const Metric& metric, const SelfNaming& naming, Each each) {
  for (const Value& value : metric.values)
    for (std::size_t at = 0; at < count_of(value.per, naming); ++at)
      each(value, at, tags_of(metric, value, at, naming));
}

std::string prometheus_name(const Metric& metric) {
  std::string name;
  append_prometheus_name(name, metric.name);
  return metric.kind == Kind::counter ? name + "_total" : name;
}

// ------------------------------------------------------------------------------ README

std::string code(std::string_view word) {
  return "`" + std::string(word) + "`";
}

bool is_quiet(const Value& value) {
  return value.written == Written::when_moved;
}

// The reasons to refuse a line are listed elsewhere.
bool lists_values(const Metric& metric) {
  return !metric.tag.empty() && metric.values.size() != reason_count;
}

std::string values_list(const Metric& metric) {
  const bool all_quiet = std::ranges::all_of(metric.values, is_quiet);
  std::string list = " = ";
  const char* before = "";
  for (const Value& value : metric.values) {
    list += before + code(value.tag_value) + (is_quiet(value) && !all_quiet ? "\\*" : "");
    before = ", ";
  }
  return list;
}

std::string tags_cell(const Metric& metric) {
  const Per per = metric.values.back().per;
  std::string cell = per == Per::listener ? "`listener`" : "";
  if (!metric.tag.empty()) cell += (cell.empty() ? "" : ", ") + code(metric.tag);
  if (lists_values(metric)) cell += values_list(metric);
  if (per == Per::destination) cell += cell.empty() ? "`destination`" : "; `destination`";
  return cell.empty() ? " " : " " + cell + " ";
}

std::string kind_cell(const Metric& metric) {
  const bool all_quiet = std::ranges::all_of(metric.values, is_quiet);
  return std::string(to_string(metric.kind)) + (all_quiet ? "\\*" : "");
}

std::string escaped_for_table(std::string_view text) {
  std::string escaped;
  for (const char c : text) (escaped += c == '|' ? "\\" : "") += c;
  return escaped;
}

// ------------------------------------------------------------------------------ JSON

void append_json_member(std::string& out, std::string_view name, std::string_view text) {
  append_json_string(out, name);
  out += ':';
  append_json_string(out, text);
}

void append_json_value(std::string& out, std::span<const TagView> tags, double value) {
  out += R"({"tags":{)";
  for (const TagView& tag : tags) {
    if (&tag != tags.data()) out += ',';
    append_json_member(out, tag.key, tag.value);
  }
  out += R"(},"value":)";
  append_number(out, value);
  out += '}';
}

void append_json_metric(std::string& out, const Metric& metric, const SelfState& now,
                        const SelfNaming& naming) {
  out += '{';
  append_json_member(out, "name", metric.name);
  append_json_member(out += ',', "prometheus", prometheus_name(metric));
  append_json_member(out += ',', "kind", to_string(metric.kind));
  append_json_member(out += ',', "unit", metric.unit);
  append_json_member(out += ',', "meaning", metric.meaning);
  out += R"(,"values":[)";
  const char* before = "";
  for_each_number(metric, naming, [&](const Value& value, std::size_t at, const auto& tags) {
    append_json_value(out += std::exchange(before, ","), tags, value.take(now, at));
  });
  out += "]}";
}

}  // namespace

// ------------------------------------------------------------------------------ what is made of it

void add_self_metrics(const SelfState& before, const SelfState& now, const SelfNaming& naming,
                      Snapshot& snapshot) {
  const double seconds = std::chrono::duration<double>(snapshot.span.interval).count();
  SeriesKeyBuilder keys(naming.static_tags);
  for (const Metric& metric : table()) {
    for_each_number(metric, naming, [&](const Value& value, std::size_t at, const auto& tags) {
      const double is = value.take(now, at);
      const double moved = is - value.take(before, at);
      if (value.written == Written::when_moved && moved == 0) return;
      std::vector<Tag> own;
      for (const TagView& tag : tags) own.push_back({.key = tag.key, .value = tag.value});
      const std::string_view key =
          snapshot.owned_keys.emplace_back(keys.build(metric.kind, metric.name, own));
      if (metric.kind == Kind::counter) {
        snapshot.counters.push_back({key, moved, moved / seconds});
      } else {
        snapshot.gauges.push_back({key, is});
      }
    });
  }
}

std::string self_metrics_text(const SelfState& now, const SelfNaming& naming) {
  std::string text;
  for (const Metric& metric : table()) {
    const std::string name = prometheus_name(metric);
    append_prometheus_head(text, name, to_string(metric.kind),
                           fmt::format("{}: {}", metric.unit, metric.meaning));
    for_each_number(metric, naming, [&](const Value& value, std::size_t at, const auto& tags) {
      append_prometheus_sample(text, name, tags, value.take(now, at));
    });
  }
  return text;
}

std::string self_metrics_table() {
  std::string table_text = "| series | tags | kind | unit | what |\n|---|---|---|---|---|\n";
  for (const Metric& metric : table())
    table_text += fmt::format("| {} |{}| {} | {} | {} |\n", code(metric.name), tags_cell(metric),
                              kind_cell(metric), metric.unit, escaped_for_table(metric.meaning));
  return table_text;
}

std::string self_metrics_json(const SelfState& now, const SelfNaming& naming) {
  std::string json = "[";
  for (const Metric& metric : table()) {
    if (json.size() > 1) json += ',';
    append_json_metric(json, metric, now, naming);
  }
  return json += ']';
}

}  // namespace tally
