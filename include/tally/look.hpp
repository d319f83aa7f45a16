#pragma once
// What is seen of the open window from outside the thread that fills it.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tally/peer.hpp"
#include "tally/sample.hpp"
#include "tally/time.hpp"

namespace tally {

/// Which series are meant, by key (series.hpp). Runs on a receive thread: reads nothing that
/// changes.
using IsMeant = std::function<bool(std::string_view key)>;

/// One series of the open window as it stands.
struct Looked {
  Kind kind;
  std::string key;             ///< series.hpp
  double number = 0;           ///< counter: sum; gauge: value or sum of deltas; set: members
  bool is_delta = false;       ///< a gauge that only moved
  std::vector<double> values;  ///< timers: all, of one with at most 1,024; else none
};

/// Bytes as they came in. Borrowed until the callback that got them returns.
struct Tapped {
  WallTime at;
  std::uint32_t listener;  ///< in the daemon's order
  Peer peer;
  bool is_truncated;       ///< a datagram that was larger than the buffer
  std::string_view bytes;  ///< a datagram; of a stream whole lines
};

}  // namespace tally
