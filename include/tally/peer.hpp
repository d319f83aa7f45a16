#pragma once
// Who sent something, and who may.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tally/result.hpp"

namespace tally {

/// The other end of a socket. An IPv4 address that came through an IPv6 socket
/// (`::ffff:10.0.0.1`) is an IPv4 address.
struct Peer {
  enum class Family : std::uint8_t { local, v4, v6 };  ///< local: a Unix socket

  Family family = Family::local;
  std::array<std::uint8_t, 16> ip{};  ///< network order; of v4 the first four bytes
  std::uint16_t port = 0;
  std::int32_t pid = 0;  ///< of a local peer, as the kernel says; 0 if it does not

  friend bool operator==(const Peer&, const Peer&) = default;
};

/// "10.1.2.3:4711", "[::1]:4711", "pid 4711", or "local" where the kernel does not say who.
std::string to_string(const Peer& peer);

/// A block of addresses, as `10.0.0.0/8` or `fd00::/8` writes it.
struct Network {
  Peer::Family family = Peer::Family::v4;
  std::array<std::uint8_t, 16> ip{};  ///< bits behind the prefix are 0
  std::uint8_t prefix_bits = 0;       ///< 0 .. 32 or 0 .. 128

  bool contains(const Peer& peer) const;
  friend bool operator==(const Network&, const Network&) = default;
};

/// Reads "10.0.0.0/8", "fd00::/8", or a single address. Bits behind the prefix must be 0: a typing
/// error would else let in other hosts than were meant.
Result<Network> parse_network(std::string_view text);
std::string to_string(const Network& network);

/// Whether a peer may send. An empty list lets all in. A local peer is always let in: the mode of
/// the socket's file has decided already.
bool is_allowed(const std::vector<Network>& allowed, const Peer& peer);

}  // namespace tally
