#include "tally/peer.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "tally/text.hpp"

namespace tally {
namespace {

using Address = std::array<std::uint8_t, 16>;

constexpr Address v4_in_v6 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};  // ::ffff:0:0/96
constexpr std::uint8_t v4_in_v6_bits = 96;

std::uint8_t bits_of(Peer::Family family) {
  return family == Peer::Family::v4 ? 32 : 128;
}

std::string ip_text(Peer::Family family, const Address& ip) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(family == Peer::Family::v4 ? AF_INET : AF_INET6, ip.data(), text.data(), text.size());
  return text.data();
}

/// `ip` with all bits behind the first `bits` set to 0.
Address masked(Address ip, std::uint8_t bits) {
  for (std::size_t byte = 0; byte < ip.size(); ++byte) {
    const int kept = std::clamp(bits - static_cast<int>(byte) * 8, 0, 8);
    ip[byte] = static_cast<std::uint8_t>(ip[byte] & (0xff00 >> kept));
  }
  return ip;
}

/// A single address as a network; nothing if `text` is no IP literal.
std::optional<Network> parse_ip(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return std::nullopt;  // inet_pton would stop there
  const std::string literal(text);
  Network network;
  for (const auto family : {Peer::Family::v4, Peer::Family::v6}) {
    network.family = family;
    network.prefix_bits = bits_of(family);
    const int af = family == Peer::Family::v4 ? AF_INET : AF_INET6;
    if (inet_pton(af, literal.c_str(), network.ip.data()) == 1) return network;
  }
  return std::nullopt;
}

std::optional<std::uint8_t> parse_bits(std::string_view text, std::uint8_t most) {
  std::uint8_t bits = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, bits);
  if (error != std::errc() || stop != end || bits > most) return std::nullopt;
  return bits;
}

/// A network of IPv4 addresses that was written as IPv6 means IPv4: so do peers.
Network unmapped(const Network& network) {
  if (network.family != Peer::Family::v6 || network.prefix_bits < v4_in_v6_bits ||
      masked(network.ip, v4_in_v6_bits) != v4_in_v6) {
    return network;
  }
  Network v4{.prefix_bits = static_cast<std::uint8_t>(network.prefix_bits - v4_in_v6_bits)};
  std::copy_n(network.ip.begin() + 12, 4, v4.ip.begin());
  return v4;
}

}  // namespace

std::string to_string(const Peer& peer) {
  switch (peer.family) {
    case Peer::Family::v4:
      return ip_text(peer.family, peer.ip) + ":" + std::to_string(peer.port);
    case Peer::Family::v6:
      return "[" + ip_text(peer.family, peer.ip) + "]:" + std::to_string(peer.port);
    case Peer::Family::local:
      break;
  }
  return peer.pid == 0 ? "local" : "pid " + std::to_string(peer.pid);
}

bool Network::contains(const Peer& peer) const {
  return peer.family == family && masked(peer.ip, prefix_bits) == ip;
}

Result<Network> parse_network(std::string_view text) {
  const std::size_t slash = text.find('/');
  std::optional<Network> network = parse_ip(text.substr(0, slash));
  if (!network) {
    return Error{quote(text) + " is no network: write 10.0.0.0/8, fd00::/8 or an IP address"};
  }
  if (slash != std::string_view::npos) {
    const auto bits = parse_bits(text.substr(slash + 1), network->prefix_bits);
    if (!bits) {
      return Error{quote(text) + ": behind the '/' stands a number of bits, 0 .. " +
                   std::to_string(network->prefix_bits)};
    }
    network->prefix_bits = *bits;
  }
  const Address given = std::exchange(network->ip, masked(network->ip, network->prefix_bits));
  if (given != network->ip) {
    return Error{quote(text) + ": the address has bits behind the prefix; did you mean " +
                 to_string(*network) + "?"};
  }
  return unmapped(*network);
}

std::string to_string(const Network& network) {
  return ip_text(network.family, network.ip) + "/" + std::to_string(network.prefix_bits);
}

bool is_allowed(const std::vector<Network>& allowed, const Peer& peer) {
  if (allowed.empty() || peer.family == Peer::Family::local) return true;
  return std::ranges::any_of(allowed,
                             [&](const Network& network) { return network.contains(peer); });
}

}  // namespace tally
