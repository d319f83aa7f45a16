#include "daemon/watching.hpp"

#include <algorithm>
#include <utility>

#include "daemon/seed.hpp"
#include "daemon/sources.hpp"
#include "daemon/wall_clock.hpp"
#include "posix/memory.hpp"
#include "watch/admin_known.hpp"
#include "watch/application_metrics.hpp"
#include "watch/assets.hpp"

namespace tally {
namespace {

using std::chrono::milliseconds;

History::Settings history_settings(const Config& config, const Naming& naming) {
  return {.bytes_max = config.http.history,
          .naming = naming,
          .percents = config.flush.percentiles,
          .gauge_ttl = config.gauges.ttl,
          .hash_seed = random_seed()};
}

}  // namespace

Watching::Watching(uv::Loop& loop, LiveView::Parts parts, spdlog::logger& log)
    : loop_(loop),
      parts_(std::move(parts)),
      log_(log),
      history_(history_settings(parts_.loaded.config, parts_.flush.naming())),
      view_(loop, parts_, history_) {}

Status Watching::open() {
  if (Status error = open_admin_port()) return error;
  return open_http();
}

Status Watching::open_admin_port() {
  Result<AdminListeners> opened = open_admin(parts_.loaded);
  if (!opened) return opened.error();
  for (const std::string& warning : opened.value().warnings) log_.warn("{}", warning);
  if (opened.value().sockets.empty()) return std::nullopt;
  admin_ = std::make_unique<AdminPort>(
      loop_, std::move(opened.value().sockets),
      AdminPort::Settings{.allow = parts_.loaded.config.admin.allow},
      AdminPort::Around{.insight = view_, .known = known_in(history_), .log = log_});
  return std::nullopt;
}

Status Watching::open_http() {
  const Config::Http& http = parts_.loaded.config.http;
  if (!http.listen) return std::nullopt;
  std::string token;
  if (!http.token_file.empty()) {
    Result<std::string> secret = read_secret(http.token_file, "http.token_file");
    if (!secret) return secret.error();
    token = std::move(secret).value();
  }
  auto watch = std::make_unique<Watch>(
      loop_,
      Watch::Sources{.insight = view_,
                     .history = history_,
                     .assets = page_assets(),
                     .metrics = [this](const LiveState& live) { return metrics(live); },
                     .is_said_down = [this] { return admin_ && !admin_->is_up(); },
                     .now = [] { return std::chrono::steady_clock::now(); }},
      Watch::Settings{
          .http = http,
          .token = std::move(token),
          .about = {.version = TALLYD_VERSION, .host = host_name(), .started = wall_now()}});
  const Result<Watch::Opened> opened = watch->open();
  if (!opened) {
    if (parts_.loaded.origins.contains("http.listen")) return opened.error();
    log_.warn("{}; going on without the page", opened.error().message);
    return std::nullopt;
  }
  for (const std::string& warning : opened.value().warnings)
    log_.warn("{}; going on without it", warning);
  for (const std::string& name : opened.value().names)
    log_.info("{}: listening; open http://{} in a browser", name, name.substr(name.find(' ') + 1));
  http_ = std::move(watch);
  return std::nullopt;
}

void Watching::begin(const ClosedWindow& window) {
  flushing_ = &window;
  flushed_before_ = parts_.ledger.points_flushed;
  history_.begin(window.span, window.gathered.senders.all());
}

void Watching::add_own_points(Snapshot& snapshot) {
  SelfState state{.ledger = parts_.ledger, .watched = counts(), .gauges = gauges()};
  state.gauges.series = flushing_->gathered.table.size();
  state.gauges.receive_buffer_fill = flushing_->buffer_fill;
  state.gauges.connections = flushing_->connections;
  add_self_metrics(reported_, state, naming(), snapshot);
  reported_ = std::move(state);
}

void Watching::end(const ClosedWindow& window, std::chrono::nanoseconds took) {
  flushing_ = nullptr;
  flush_took_ = took;
  history_.end();
  view_.on_flushed(window.span.start + window.span.interval);
  const std::uint64_t lost = parts_.ledger.lost();
  if (http_)
    http_->on_window({.span = window.span,
                      .series = window.gathered.table.size(),
                      .points = parts_.ledger.points_flushed - flushed_before_,
                      .flush = std::chrono::duration_cast<milliseconds>(took),
                      .lost = lost,
                      .lost_in_window = lost - std::exchange(lost_before_, lost)});
}

WatchCounts Watching::counts() const {
  WatchCounts counts = http_ ? http_->counts() : WatchCounts{};
  counts.tap_skipped += view_.tap_skipped();
  return counts;
}

// Of what is the same whether a window ends or someone asks in the middle of one.
SelfGauges Watching::gauges() const {
  return {.outbox_bytes = parts_.outputs.memory_bytes(),
          .spool_bytes = parts_.outputs.disk_bytes(),
          .gauges_held = parts_.flush.carry().gauges(),
          .history_series = history_.series(),
          .history_bytes = history_.bytes(),
          .history_left_out = history_.left_out(),
          .streams = http_ ? http_->streams() : 0,
          .flush_seconds = std::chrono::duration<double>(flush_took_).count(),
          .memory_resident = resident_bytes()};
}

SelfNaming Watching::naming() const {
  return {parts_.windows.listeners(), parts_.outputs.names(), parts_.windows.static_tags()};
}

std::string Watching::metrics(const LiveState& live) const {
  SelfState state{.ledger = live.ledger, .watched = counts(), .gauges = gauges()};
  state.gauges.series = live.series;
  for (const ListenerState& listener : live.listeners) {
    state.gauges.receive_buffer_fill =
        std::max(state.gauges.receive_buffer_fill, listener.buffer_fill);
    state.gauges.connections += listener.connections;
  }
  std::string text = self_metrics_text(state, naming());
  if (parts_.loaded.config.http.application_metrics) text += application_metrics_text(history_);
  return text;
}

}  // namespace tally
