#include "http/limits.hpp"

#include <array>
#include <cstdint>

namespace tally::http {

bool is_loopback(const Peer& peer) {
  constexpr std::array<std::uint8_t, 16> v6_loopback{0, 0, 0, 0, 0, 0, 0, 0,
                                                     0, 0, 0, 0, 0, 0, 0, 1};
  if (peer.family == Peer::Family::v4) return peer.ip[0] == 127;
  return peer.family == Peer::Family::local || peer.ip == v6_loopback;
}

bool has_room(const Limits& limits, const Load& load, const Peer& newcomer) {
  if (load.all >= limits.connections_max) return false;
  return is_loopback(newcomer) || load.of_peer < limits.connections_a_peer_max;
}

}  // namespace tally::http
