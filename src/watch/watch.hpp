#pragma once
// What tallyd shows over HTTP: the page, /health, /metrics and /api/v1.
//
//     request --> who may ask (http/access) --> route --> Insight or History --> text --> Reply
//
// Insight answers within a second, and meanwhile others are served. Nothing here is on the path of
// receiving: what is open and silent costs a descriptor.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/access.hpp"
#include "http/representation.hpp"
#include "http/server.hpp"
#include "tally/config.hpp"
#include "tally/result.hpp"
#include "tally/time.hpp"
#include "uv/handles.hpp"
#include "watch/assets.hpp"
#include "watch/event_streams.hpp"
#include "watch/history.hpp"
#include "watch/insight.hpp"
#include "watch/live_documents.hpp"
#include "watch/queries.hpp"
#include "watch/recent_state.hpp"
#include "watch/self_metrics.hpp"
#include "watch/tap_streams.hpp"

namespace tally {

/// The HTTP side of the daemon. Lives on main's loop.
///
/// Insight must not call back what was asked of it once this is destroyed: the daemon ends both
/// together.
class Watch {
 public:
  static constexpr std::size_t streams_max = 64;  ///< pages, taps and captures together
  /// Of those, taps and captures: each looks at all that comes in, in main's time.
  static constexpr std::size_t taps_max = 8;

  /// What it shows; all outlive it.
  struct Sources {
    Insight& insight;
    const History& history;
    std::span<const Asset> assets = {};                    ///< the page
    std::function<std::string(const LiveState&)> metrics;  ///< the text of /metrics
    std::function<bool()> is_said_down;                    ///< `health down` on the admin port
    std::function<Instant()> now;                          ///< the monotonic clock
  };

  struct Settings {
    Config::Http http;
    std::string token;  ///< of http.token_file; "" if there is none
    About about;
  };

  Watch(uv::Loop& loop, Sources sources, Settings settings);

  struct Opened {
    std::vector<std::string> names;     ///< "http 127.0.0.1:8127"; none if it is off
    std::vector<std::string> warnings;  ///< what was left out
  };
  /// Listens, once. A taken port is an error that says what to do, as is an address that others
  /// reach without a token.
  Result<Opened> open();

  /// A window was flushed, and History knows it.
  void on_window(const WindowSummary& window);

  WatchCounts counts() const;
  std::size_t streams() const { return server_.counts().streams; }

 private:
  /// One who asked, and in which form the answer is to come.
  struct Asker {
    http::Reply reply;
    http::Wishes wishes;

    void json(std::string text, unsigned status = 200) const;
    void text(std::string text, std::string content_type, unsigned status = 200) const;
    void refuse(unsigned status, std::string_view why) const;
  };
  using Handler = void (Watch::*)(const http::Request& request, const Asker& asker);
  struct Route {
    std::string_view path;
    Handler handler;
    http::Door door = {};
  };

  void on_request(const http::Request& request, http::Reply reply);
  const Asset* find_asset(std::string_view path) const;
  void serve_asset(const Asset& asset, const Asker& asker) const;
  static const Route& route_of(std::string_view path);

  void health(const http::Request& request, const Asker& asker);
  void metrics(const http::Request& request, const Asker& asker);
  void ledger(const http::Request& request, const Asker& asker);
  void series(const http::Request& request, const Asker& asker);
  void one_series(const http::Request& request, const Asker& asker);
  void refused(const http::Request& request, const Asker& asker);
  void top(const http::Request& request, const Asker& asker);
  void config(const http::Request& request, const Asker& asker);
  void stream(const http::Request& request, const Asker& asker);
  void tap(const http::Request& request, const Asker& asker);
  void capture(const http::Request& request, const Asker& asker);
  void quit(const http::Request& request, const Asker& asker);
  void unknown(const http::Request& request, const Asker& asker);

  bool has_room_for_stream(const Asker& asker);
  bool has_room_for_tap(const Asker& asker);
  void refuse_stream(const Asker& asker, std::string why);
  std::span<const History::Ranked> ranking(TopBy by);
  WatchState state() const;
  std::chrono::milliseconds since(Instant then) const;

  Sources sources_;
  Settings settings_;
  http::AccessRules access_;
  Instant started_;
  Instant last_window_;
  std::uint64_t streams_refused_ = 0;
  // Rankings look at every series, so one is made once a window.
  struct Ranking {
    std::optional<WallTime> window;
    std::vector<History::Ranked> rows;
  };
  std::array<Ranking, 5> rankings_;  // by TopBy
  RecentState recent_;
  http::Server server_;
  EventStreams events_;  // behind the server, whose streams they use
  TapStreams taps_;
};

}  // namespace tally
