#pragma once
// What the running daemon tells those who look: pages, tools, the admin port. Implemented by the
// daemon, and by a fake in tests. All on main's loop.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tally/config.hpp"
#include "tally/delivery.hpp"
#include "tally/ledger.hpp"
#include "tally/peer.hpp"
#include "tally/refused.hpp"
#include "tally/sample.hpp"
#include "tally/senders.hpp"
#include "tally/time.hpp"

namespace tally {

/// One listener beside its counts in `Ledger::by_listener`.
struct ListenerState {
  std::string name;                  ///< "udp 127.0.0.1:8125"
  double buffer_fill = 0;            ///< 0 .. 1; of datagram sockets
  std::uint64_t receive_buffer = 0;  ///< bytes granted; of UDP
  std::size_t connections = 0;       ///< open; of streams
};

/// One destination beside its counts in `Ledger::deliveries`.
struct DestinationState {
  enum class Health : std::uint8_t { unknown, ok, failing };  ///< unknown: nothing was sent yet

  std::string name;
  std::string url;     ///< without secrets; "" is standard output
  std::string api;     ///< "1", "2", "3", "0.8"; "auto" until it is found out
  std::string server;  ///< "InfluxDB 1.6.7", as it calls itself; "" until it did
  Health health = Health::unknown;
  std::string last_answer;  ///< "204", or what is wrong and what to do, in one line; "" before one
  std::optional<WallTime> last_answer_at;
  std::optional<WallTime> last_success_at;
  std::optional<WallTime> last_failure_at;
  std::chrono::milliseconds last_write_took{};  ///< the last one that was acknowledged
  std::size_t last_write_bytes = 0;             ///< of line protocol in it
  std::size_t queued_bytes = 0;
  std::uint64_t spool_bytes = 0;
  std::optional<WallTime> oldest;                ///< start of the oldest window that waits
  std::optional<std::chrono::milliseconds> eta;  ///< until the backlog is empty, at this pace
};

/// Everything at one moment, the open window included.
struct LiveState {
  WallTime now;
  WallTime window;       ///< start of the open one
  Ledger ledger;         ///< all three balances hold
  bool is_whole = true;  ///< false: a receive thread did not answer; its share is missing
  bool is_stopping = false;
  std::size_t series = 0;  ///< of the open window, over all workers
  std::size_t gauges_held = 0;
  std::vector<ListenerState> listeners;        ///< in the ledger's order
  std::vector<DestinationState> destinations;  ///< in the ledger's order
  std::vector<Sender> senders;          ///< of the open window, most lines first, at most 100
  std::vector<RefusedLine> refused;     ///< newest first, at most 100
  std::optional<WallTime> last_heard;   ///< when the last datagram or line came in
  std::optional<WallTime> last_closed;  ///< end of the last window that was flushed
};

/// Which series of the open window: a kind, and a glob (`*`, `?`) on the name; with a `;` in it on
/// the name and its tags, as `name_with_tags` (series.hpp) writes them.
struct LookFor {
  std::vector<Kind> kinds;  ///< empty: all
  std::string match = "*";
};

/// One series of the open window as it stands.
struct Looked {
  Kind kind;
  std::string key;             ///< series.hpp
  double number = 0;           ///< counter: sum; gauge: value or sum of deltas; set: members
  bool is_delta = false;       ///< a gauge that only moved
  std::vector<double> values;  ///< timers: all, of one with at most 1,024; else none
};

/// Bytes as they came in. Borrowed until the callback returns.
struct Tapped {
  WallTime at;
  std::uint32_t listener;  ///< index of `LiveState::listeners`
  Peer peer;
  bool is_truncated;       ///< a datagram that was larger than the buffer
  std::string_view bytes;  ///< a datagram; of a stream, whole lines
};

class Insight {
 public:
  static constexpr std::size_t looked_max = 10'000;  ///< series in one answer of `look`

  virtual ~Insight() = default;

  virtual const LoadedConfig& config() const = 0;

  /// Asks the receive threads, and calls `done` once, within a second.
  virtual void live(std::function<void(const LiveState&)> done) = 0;

  /// Finds series in the open window; the first `looked_max`. A receive thread searches some
  /// thousand series at a time between its batches. Calls `done` once.
  virtual void look(LookFor what, std::function<void(std::vector<Looked>)> done) = 0;

  /// Forgets what the open window heard of these series, and gauges altogether. `done` gets their
  /// keys, each once; if there are `looked_max` or more, others may be left: ask again.
  virtual void forget(LookFor what, std::function<void(std::vector<std::string>)> done) = 0;

  /// Values of the gauges that are carried from window to window, by key.
  virtual void gauges(
      const std::function<void(std::string_view key, double value)>& each) const = 0;

  /// Hears what comes in from now on until `untap`, a piece at a time; `skipped` are datagrams that
  /// there was no room for since the last call. Never slows receiving.
  using OnTapped = std::function<void(std::span<const Tapped> pieces, std::uint64_t skipped)>;
  using TapId = std::uint64_t;
  virtual TapId tap(OnTapped on_tapped) = 0;
  virtual void untap(TapId id) = 0;  ///< also from its callback

  /// As SIGTERM does.
  virtual void stop(std::string_view who) = 0;
};

}  // namespace tally
