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
#include "tally/destination_state.hpp"
#include "tally/ledger.hpp"
#include "tally/look.hpp"
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

  /// Forgets what the open window heard of these series, what the history has of them, and gauges
  /// altogether. `done` gets the keys of what was forgotten, each once; if there are `looked_max`
  /// or more, others may be left: ask again.
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
