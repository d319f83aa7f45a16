#pragma once
// JSON of what is at this moment: the ledger, refused lines, senders. Pure.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "tally/config.hpp"
#include "tally/time.hpp"
#include "watch/insight.hpp"
#include "watch/json_writer.hpp"

namespace tally {

/// What never changes while the process runs.
struct About {
  std::string version;  ///< "0.1.0"
  std::string host;
  WallTime started;
};

/// What Insight does not know.
struct WatchState {
  std::chrono::milliseconds uptime{};
  std::size_t history_series = 0;
  std::size_t history_bytes = 0;
  std::uint64_t history_left_out = 0;
  std::size_t http_connections = 0;
  std::size_t http_connections_max = 0;
  std::uint64_t http_refused = 0;  ///< connections
  std::uint64_t http_overdue = 0;  ///< connections hung up on: too slow
  std::size_t streams = 0;
  std::size_t streams_max = 0;
  std::uint64_t streams_refused = 0;
  std::uint64_t readers_slow = 0;  ///< streams hung up on
  std::uint64_t tap_skipped = 0;   ///< datagrams
  std::uint64_t memory_resident = 0;
};

/// GET /api/v1/ledger: all counters, listeners, destinations and limits.
std::string ledger_json(const LiveState& live, const Config& config, const About& about,
                        const WatchState& watch);

/// GET /api/v1/refused. `now` is the moment of `live.now` by the monotonic clock.
std::string refused_json(const LiveState& live, Instant now);

/// GET /api/v1/top?by=sender, at most `limit` of them.
std::string senders_json(const LiveState& live, std::size_t limit);

/// One of `live.destinations` with its counts, as the ledger has it.
void write_destination(JsonWriter& json, const LiveState& live, std::size_t at);

/// Its name; "standard output", where there is no database and so no name.
std::string_view shown_name(const DestinationState& state);

std::string_view to_string(DestinationState::Health health);

}  // namespace tally
