#pragma once
// /api/v1/stream: a pulse a second and a word a window, for all who listen.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>

#include "http/server.hpp"
#include "tally/time.hpp"
#include "uv/handles.hpp"
#include "watch/history.hpp"
#include "watch/insight.hpp"
#include "watch/pulse.hpp"
#include "watch/window_event.hpp"

namespace tally {

/// While nobody listens it does nothing and wakes for nothing. All listeners hear the same words:
/// the daemon is asked once. One that does not keep up is hung up on.
class EventStreams {
 public:
  /// What it asks; all outlive it.
  struct Sources {
    Insight& insight;
    const History& history;
    std::function<Instant()> now;
  };

  EventStreams(uv::Loop& loop, Sources sources);

  /// Answers with the stream.
  void open(const http::Reply& reply);

  /// A window was flushed, and History knows it.
  void on_window(const WindowSummary& window);

 private:
  void on_tick();
  void on_state(const LiveState& live);
  void say(std::string_view event, std::string_view data);
  void close(std::uint64_t id);

  Sources sources_;
  uv::Timer timer_;
  std::optional<PulseMeter> meter_;                       // while someone listens
  std::unordered_map<std::uint64_t, http::Stream> open_;  // by id
};

/// What a text/event-stream is served with.
http::StreamResponse event_stream(std::size_t buffer_bytes_max);

}  // namespace tally
