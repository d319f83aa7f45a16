#include "watch/watch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "posix/memory.hpp"
#include "receive/listeners.hpp"
#include "watch/health.hpp"
#include "watch/history_documents.hpp"

namespace tally {
namespace {

using http::Request;
using std::chrono::milliseconds;

constexpr std::string_view series_path = "/api/v1/series/";
constexpr std::size_t ranking_rows_max = 1000;
constexpr http::Limits limits{};

std::vector<http::Header> headers_of_all() {
  std::vector<http::Header> headers = http::security_headers();
  // All changes, and a cache may not show it without asking: then an ETag saves the bytes.
  headers.push_back({"Cache-Control", "no-cache"});
  return headers;
}

std::vector<std::string> names_of(const LiveState& live) {
  std::vector<std::string> names;
  for (const ListenerState& listener : live.listeners) names.push_back(listener.name);
  return names;
}

std::string config_json(const LoadedConfig& loaded) {
  std::string out;
  JsonWriter json(out);
  json.object([&] {
    json.member("config", config_to_toml(loaded));
    json.key("values").object([&] {
      for (const auto& [key, value] : config_values(loaded.config)) json.key(key).raw(value);
    });
  });
  return out;
}

}  // namespace

// ------------------------------------------------------------------------------ answers

void Watch::Asker::text(std::string text, std::string content_type, unsigned status) const {
  http::Response response{.status = status,
                          .body = std::move(text),
                          .headers = {{"Content-Type", std::move(content_type)}}};
  reply.send(status == 200 ? http::represented(std::move(response), wishes) : std::move(response));
}

void Watch::Asker::json(std::string text, unsigned status) const {
  this->text(std::move(text) + "\n", "application/json", status);
}

void Watch::Asker::refuse(unsigned status, std::string_view why) const {
  reply.send(http::error(status, why));
}

Watch::Watch(uv::Loop& loop, Sources sources, Settings settings)
    : sources_(std::move(sources)),
      settings_(std::move(settings)),
      access_{.hosts = settings_.http.hosts, .token = settings_.token},
      started_(sources_.now()),
      last_window_(started_),
      recent_(sources_.insight, sources_.now),
      server_(loop, {.limits = limits, .headers = headers_of_all()},
              [this](const Request& request, http::Reply reply) { on_request(request, reply); }),
      events_(loop, {sources_.insight, sources_.history, sources_.now}),
      taps_(loop, sources_.insight) {}

Result<Watch::Opened> Watch::open() {
  Opened opened;
  if (!settings_.http.listen) return opened;
  const ListenAddress& address = *settings_.http.listen;
  if (!is_loopback(address) && settings_.token.empty())
    return Error{
        fmt::format("http {}: other hosts can reach it, and there is no token: set "
                    "http.token_file, or listen on loopback",
                    to_string(address))};
  auto listeners = open_tcp({address}, "http.listen", opened.warnings);
  if (!listeners) return listeners.error();
  for (const StreamSocket& listener : listeners.value())
    opened.names.push_back("http " + to_string(listener.address()));
  if (Status error = server_.serve(std::move(listeners).value())) return *error;
  return opened;
}

void Watch::on_window(const WindowSummary& window) {
  last_window_ = sources_.now();
  events_.on_window(window);
}

WatchCounts Watch::counts() const {
  return {.tap_skipped = taps_.skipped(), .http_requests = server_.counts().answers};
}

// ------------------------------------------------------------------------------ routes

const Watch::Route& Watch::route_of(std::string_view path) {
  constexpr http::Door open{.needs_token = false};
  constexpr http::Door acts{.takes_post = true};
  static constexpr Route routes[] = {
      {"/health", &Watch::health, open},    {"/metrics", &Watch::metrics},
      {"/api/v1/ledger", &Watch::ledger},   {"/api/v1/series", &Watch::series},
      {"/api/v1/refused", &Watch::refused}, {"/api/v1/top", &Watch::top},
      {"/api/v1/config", &Watch::config},   {"/api/v1/stream", &Watch::stream},
      {"/api/v1/tap", &Watch::tap},         {"/api/v1/capture", &Watch::capture},
      {"/api/v1/quit", &Watch::quit, acts}};
  static constexpr Route one{series_path, &Watch::one_series};
  static constexpr Route none{"", &Watch::unknown};
  const auto* const found = std::ranges::find(routes, path, &Route::path);
  if (found != std::end(routes)) return *found;
  return path.starts_with(series_path) ? one : none;
}

void Watch::on_request(const Request& request, http::Reply reply) {
  const Asker asker{reply, http::wishes_of(request)};
  const Asset* const asset = find_asset(request.path);
  // The page asks for the token itself: a browser cannot send one with the first request.
  const Route& route = route_of(request.path);
  const http::Door door = asset != nullptr ? http::Door{.needs_token = false} : route.door;
  if (auto refusal = http::refusal_of(request, access_, door)) {
    reply.send(std::move(*refusal));
  } else if (asset != nullptr) {
    serve_asset(*asset, asker);
  } else {
    (this->*route.handler)(request, asker);
  }
}

const Asset* Watch::find_asset(std::string_view path) const {
  const auto found = std::ranges::find(sources_.assets, path, &Asset::path);
  return found == sources_.assets.end() ? nullptr : &*found;
}

void Watch::serve_asset(const Asset& asset, const Asker& asker) const {
  http::Response response{.body = std::string(asset.gzipped),
                          .headers = {{"Content-Type", std::string(asset.content_type)}}};
  asker.reply.send(http::represented_packed(std::move(response), asker.wishes));
}

void Watch::unknown(const Request&, const Asker& asker) {
  asker.refuse(404, "there is no such thing; try /, /health, /metrics or /api/v1/ledger");
}

// ------------------------------------------------------------------------------ what is now

milliseconds Watch::since(Instant then) const {
  return std::chrono::duration_cast<milliseconds>(sources_.now() - then);
}

void Watch::health(const Request& request, const Asker& asker) {
  recent_.get([this, asker, is_deep = has_flag(request, "deep")](const LiveState& live) {
    const HealthFacts facts{.interval = sources_.insight.config().config.flush.interval,
                            .uptime = since(started_),
                            .since_window = since(last_window_),
                            .is_said_down = sources_.is_said_down(),
                            .is_deep = is_deep};
    const bool is_well = health_reasons(live, facts).empty();
    asker.json(health_json(live, facts, settings_.about.version), is_well ? 200 : 503);
  });
}

void Watch::metrics(const Request&, const Asker& asker) {
  recent_.get([this, asker](const LiveState& live) {
    asker.text(sources_.metrics(live), "text/plain; version=0.0.4; charset=utf-8");
  });
}

WatchState Watch::state() const {
  const http::Counts& counts = server_.counts();
  return {.uptime = since(started_),
          .history_series = sources_.history.series(),
          .history_bytes = sources_.history.bytes(),
          .history_left_out = sources_.history.left_out(),
          .http_connections = counts.connections,
          .http_connections_max = limits.connections_max,
          .http_refused = counts.refused,
          .http_overdue = counts.overdue,
          .streams = counts.streams,
          .streams_max = streams_max,
          .streams_refused = streams_refused_,
          .readers_slow = counts.readers_slow,
          .tap_skipped = taps_.skipped(),
          .memory_resident = resident_bytes()};
}

void Watch::ledger(const Request&, const Asker& asker) {
  recent_.get([this, asker](const LiveState& live) {
    asker.json(ledger_json(live, sources_.insight.config().config, settings_.about, state()));
  });
}

void Watch::refused(const Request&, const Asker& asker) {
  recent_.get(
      [this, asker](const LiveState& live) { asker.json(refused_json(live, recent_.at())); });
}

void Watch::config(const Request&, const Asker& asker) {
  asker.json(config_json(sources_.insight.config()));
}

void Watch::quit(const Request& request, const Asker& asker) {
  if (!settings_.http.quit)
    return asker.refuse(403, "http.quit is false: this tallyd cannot be stopped over HTTP");
  asker.json("{\"stopping\":true}", 202);
  sources_.insight.stop("POST /api/v1/quit from " + to_string(request.peer));
}

// ------------------------------------------------------------------------------ what was

void Watch::series(const Request& request, const Asker& asker) {
  const Result<HistoryQuery> query = parse_series_query(request);
  if (!query) return asker.refuse(400, query.error().message);
  asker.json(series_json(sources_.history.find(query.value())));
}

void Watch::one_series(const Request& request, const Asker& asker) {
  const auto id = parse_id(request.path.substr(series_path.size()));
  const auto detail = id ? sources_.history.view(*id) : std::nullopt;
  if (!detail)
    return asker.refuse(404,
                        "no series of this id was heard in the last 60 windows; "
                        "/api/v1/series lists them");
  asker.json(detail_json(*detail));
}

void Watch::top(const Request& request, const Asker& asker) {
  const Result<TopQuery> query = parse_top_query(request);
  if (!query) return asker.refuse(400, query.error().message);
  const auto [by, limit] = query.value();
  const History& history = sources_.history;
  const std::optional<Span> span = history.last_window();
  const auto window = span ? std::optional(span->start) : std::nullopt;
  if (by == TopBy::sender) {
    recent_.get(
        [asker, limit = limit](const LiveState& live) { asker.json(senders_json(live, limit)); });
  } else if (by == TopBy::rate) {
    asker.json(busiest_json(history.find({.leaves_out_own = true, .limit = limit}), window));
  } else {
    const auto rows = ranking(by);
    asker.json(ranking_json(parameter(request, "by").value_or(""),
                            rows.first(std::min(limit, rows.size())), window));
  }
}

std::span<const History::Ranked> Watch::ranking(TopBy by) {
  const History& history = sources_.history;
  const std::optional<Span> span = history.last_window();
  Ranking& ranking = rankings_[static_cast<std::size_t>(by)];
  if (!span) return {};
  if (ranking.window != span->start) {
    ranking.window = span->start;
    ranking.rows = by == TopBy::series  ? history.top_prefixes(ranking_rows_max)
                   : by == TopBy::bytes ? history.top_bytes(ranking_rows_max)
                                        : history.top_tags(ranking_rows_max);
  }
  return ranking.rows;
}

// ------------------------------------------------------------------------------ what goes on

void Watch::refuse_stream(const Asker& asker, std::string why) {
  ++streams_refused_;
  http::Response response = http::error(503, std::move(why));
  response.headers.push_back({"Retry-After", "5"});
  asker.reply.send(std::move(response));
}

bool Watch::has_room_for_stream(const Asker& asker) {
  if (streams() < streams_max) return true;
  refuse_stream(asker, fmt::format("{} streams are open, and no more are served: close a page or "
                                   "a tap",
                                   streams_max));
  return false;
}

bool Watch::has_room_for_tap(const Asker& asker) {
  if (!has_room_for_stream(asker)) return false;
  if (taps_.readers() < taps_max) return true;
  refuse_stream(asker, fmt::format("{} taps and captures are open, and no more are served: close "
                                   "one",
                                   taps_max));
  return false;
}

void Watch::stream(const Request&, const Asker& asker) {
  if (has_room_for_stream(asker)) events_.open(asker.reply);
}

void Watch::tap(const Request& request, const Asker& asker) {
  const Result<TapQuery> query = parse_tap_query(request);
  if (!query) return asker.refuse(400, query.error().message);
  recent_.get([this, asker, query = query.value()](const LiveState& live) {
    if (has_room_for_tap(asker)) taps_.open_tap(asker.reply, query, names_of(live));
  });
}

void Watch::capture(const Request& request, const Asker& asker) {
  const Result<CaptureQuery> query = parse_capture_query(request);
  if (!query) return asker.refuse(400, query.error().message);
  recent_.get([this, asker, query = query.value()](const LiveState& live) {
    if (has_room_for_tap(asker)) taps_.open_capture(asker.reply, query, names_of(live));
  });
}

}  // namespace tally
