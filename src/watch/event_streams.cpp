#include "watch/event_streams.hpp"

#include <utility>

namespace tally {
namespace {

constexpr std::chrono::milliseconds pulse_every{1'000};
constexpr std::size_t busiest_shown = 20;
constexpr std::size_t buffer_bytes_max = 256 << 10;

}  // namespace

http::StreamResponse event_stream(std::size_t bytes_max) {
  return {.headers = {{"Content-Type", "text/event-stream"},
                      {"X-Accel-Buffering", "no"}},  // nginx would keep events back
          .buffer_bytes_max = bytes_max,
          .heartbeat = ":\n\n"};
}

EventStreams::EventStreams(uv::Loop& loop, Sources sources)
    : sources_(std::move(sources)), timer_(loop, [this] { on_tick(); }) {}

void EventStreams::open(const http::Reply& reply) {
  http::StreamResponse response = event_stream(buffer_bytes_max);
  response.on_closed = [this, id = reply.id()] { close(id); };
  const std::optional<http::Stream> stream = reply.start(std::move(response));
  if (!stream) return;
  stream->push(":\n\n");  // so that the reader knows at once that it is heard
  open_.emplace(stream->id(), *stream);
  if (meter_) return;
  meter_.emplace(sources_.insight.config().config.flush.interval);
  timer_.start(pulse_every, pulse_every);
  on_tick();  // what the first pulse is compared with
}

void EventStreams::close(std::uint64_t id) {
  open_.erase(id);
  if (!open_.empty()) return;
  timer_.stop();
  meter_.reset();
}

void EventStreams::on_tick() {
  sources_.insight.live([this](const LiveState& live) { on_state(live); });
}

void EventStreams::on_state(const LiveState& live) {
  if (!meter_) return;  // all have gone meanwhile
  if (const auto rates = meter_->feed(live.ledger, sources_.now()))
    say("pulse", pulse_json(live, *rates));
}

void EventStreams::on_window(const WindowSummary& window) {
  if (open_.empty()) return;
  sources_.insight.live([this, window](const LiveState& live) {
    if (open_.empty()) return;
    const HistoryQuery busiest{
        .match = "", .kind = {}, .limit = busiest_shown, .without_own = true};
    say("window", window_json(window, live, sources_.history.find(busiest)));
  });
}

void EventStreams::say(std::string_view event, std::string_view data) {
  const std::string text = event_text(event, data);
  for (const auto& [id, stream] : open_) stream.push(text);
}

}  // namespace tally
