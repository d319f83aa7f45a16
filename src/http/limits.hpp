#pragma once
// How much one server bears, and whom it lets in. Pure.

#include <chrono>
#include <cstddef>

#include "tally/peer.hpp"

namespace tally::http {

struct Limits {
  std::size_t connections_max = 128;        ///< one more is hung up on
  std::size_t connections_a_peer_max = 16;  ///< of one address, if it is not loopback
  std::size_t head_bytes_max = 16 << 10;    ///< request line and headers; beyond it 431 or 414
  std::size_t body_bytes_max = 1 << 10;     ///< read and thrown away; beyond it 413
  /// From the start of a connection until its first head is whole; and for a body.
  std::chrono::milliseconds head_within{5'000};
  /// Until the next head is whole; and until an answer is ready and fetched. Streams may be silent.
  std::chrono::milliseconds idle_max{60'000};
  std::chrono::milliseconds heartbeat_every{15'000};  ///< of streams
};

/// Connections that are open already.
struct Load {
  std::size_t all = 0;
  std::size_t of_peer = 0;  ///< from the newcomer's address
};

bool has_room(const Limits& limits, const Load& load, const Peer& newcomer);

/// Whether a peer is a program of this host, for all it can tell.
bool is_loopback(const Peer& peer);

}  // namespace tally::http
