// Numbers of link types: draft-ietf-opsawg-pcaplinktype; IPv4: RFC 791; IPv6: RFC 8200.

#include "tools/packet.hpp"

#include <algorithm>

namespace tally {
namespace {

constexpr std::uint16_t ether_ipv4 = 0x0800, ether_ipv6 = 0x86DD;
constexpr std::array<std::uint16_t, 3> ether_vlans = {0x8100, 0x88A8, 0x9100};
constexpr std::uint8_t protocol_udp = 17;

struct LinkType {
  enum class Form : std::uint8_t { ether_type, version };

  std::uint16_t number;
  std::string_view name;
  std::size_t header_bytes;
  Form form;            ///< what tells IPv4 from IPv6
  std::size_t type_at;  ///< where the ether type stands in the header
};

using Form = LinkType::Form;
constexpr std::array<LinkType, 10> link_types = {{
    {0, "BSD loopback", 4, Form::version, 0},
    {1, "Ethernet", 14, Form::ether_type, 12},
    {12, "raw IP", 0, Form::version, 0},  // DLT_RAW of most systems
    {14, "raw IP", 0, Form::version, 0},  // and of OpenBSD
    {101, "raw IP", 0, Form::version, 0},
    {108, "OpenBSD loopback", 4, Form::version, 0},
    {113, "Linux cooked", 16, Form::ether_type, 14},
    {228, "raw IPv4", 0, Form::version, 0},
    {229, "raw IPv6", 0, Form::version, 0},
    {276, "Linux cooked v2", 20, Form::ether_type, 0},
}};

std::uint8_t byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint8_t>(bytes[at]);
}

std::uint16_t number_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(byte_at(bytes, at) << 8 | byte_at(bytes, at + 1));
}

FoundDatagram nothing(PacketKind kind) {
  return {.kind = kind};
}

/// What is behind the `bytes` that a header says are left: Ethernet pads short packets. 0 is none
/// said: the network card was to cut it up (TSO), or it is a jumbogram.
std::string_view without_padding(std::string_view packet, std::size_t bytes) {
  return bytes == 0 ? packet : packet.substr(0, bytes);
}

FoundDatagram find_in_udp(std::string_view packet) {
  if (packet.size() < 8) return nothing(PacketKind::cut);
  const std::size_t length = number_at(packet, 4);
  const std::size_t bytes = length == 0 ? packet.size() : length;
  if (bytes < 8) return nothing(PacketKind::malformed);
  if (bytes > packet.size()) return nothing(PacketKind::cut);
  return {.kind = PacketKind::udp,
          .to_port = number_at(packet, 2),
          .payload = packet.substr(8, bytes - 8)};
}

FoundDatagram find_in_ipv4(std::string_view packet) {
  if (packet.size() < 20) return nothing(PacketKind::cut);
  const std::size_t header = std::size_t{4} * (byte_at(packet, 0) & 0x0F);
  const std::size_t total = number_at(packet, 2);
  if (header < 20 || (total != 0 && total < header)) return nothing(PacketKind::malformed);
  if (byte_at(packet, 9) != protocol_udp) return nothing(PacketKind::not_udp);
  constexpr unsigned more_or_offset = 0x3FFF;
  if ((number_at(packet, 6) & more_or_offset) != 0) return nothing(PacketKind::fragment);
  packet = without_padding(packet, total);
  return find_in_udp(packet.substr(std::min(header, packet.size())));
}

/// Length of an extension header of IPv6; 0 if `next` is none.
std::size_t extension_bytes(std::uint8_t next, std::uint8_t length) {
  constexpr std::uint8_t authentication = 51, fragment = 44;
  constexpr std::array<std::uint8_t, 4> ordinary = {0, 43, 60, 135};
  if (next == fragment) return 8;
  if (next == authentication) return (std::size_t{length} + 2) * 4;
  return std::ranges::count(ordinary, next) > 0 ? (std::size_t{length} + 1) * 8 : 0;
}

FoundDatagram find_in_ipv6(std::string_view packet) {
  constexpr std::uint8_t fragment = 44;
  constexpr unsigned more_or_offset = 0xFFF9;
  if (packet.size() < 40) return nothing(PacketKind::cut);
  std::uint8_t next = byte_at(packet, 6);
  const std::size_t length = number_at(packet, 4);
  packet = without_padding(packet.substr(40), length);
  while (next != protocol_udp) {
    // An unknown header is another protocol; the smallest extension has 8 bytes.
    if (extension_bytes(next, 0) == 0) return nothing(PacketKind::not_udp);
    if (packet.size() < 8) return nothing(PacketKind::cut);
    const bool is_part = next == fragment && (number_at(packet, 2) & more_or_offset) != 0;
    const std::size_t bytes = extension_bytes(next, byte_at(packet, 1));
    next = byte_at(packet, 0);
    if (is_part) return nothing(next == protocol_udp ? PacketKind::fragment : PacketKind::not_udp);
    if (bytes > packet.size()) return nothing(PacketKind::cut);
    packet.remove_prefix(bytes);
  }
  return find_in_udp(packet);
}

FoundDatagram find_by_version(std::string_view packet) {
  if (packet.empty()) return nothing(PacketKind::cut);
  const int version = byte_at(packet, 0) >> 4;
  if (version == 4) return find_in_ipv4(packet);
  return version == 6 ? find_in_ipv6(packet) : nothing(PacketKind::not_ip);
}

FoundDatagram find_by_ether_type(std::uint16_t type, std::string_view packet) {
  while (std::ranges::count(ether_vlans, type) > 0) {
    if (packet.size() < 4) return nothing(PacketKind::cut);
    type = number_at(packet, 2);
    packet.remove_prefix(4);
  }
  if (type == ether_ipv4) return find_in_ipv4(packet);
  return type == ether_ipv6 ? find_in_ipv6(packet) : nothing(PacketKind::not_ip);
}

}  // namespace

std::string_view in_words(PacketKind kind) {
  switch (kind) {
    case PacketKind::udp:
      return "UDP";
    case PacketKind::not_ip:
      return "no IP";
    case PacketKind::not_udp:
      return "no UDP";
    case PacketKind::fragment:
      return "fragments";
    case PacketKind::cut:
      return "cut short by the capture (tcpdump -s 0 keeps all)";
    case PacketKind::malformed:
      return "malformed";
  }
  return {};  // not reached: the switch is complete
}

FoundDatagram find_datagram(std::uint16_t link_type, std::string_view packet) {
  const LinkType& link = *std::ranges::find(link_types, link_type, &LinkType::number);
  if (packet.size() < link.header_bytes) return nothing(PacketKind::cut);
  const std::string_view behind = packet.substr(link.header_bytes);
  if (link.form == Form::version) return find_by_version(behind);
  return find_by_ether_type(number_at(packet, link.type_at), behind);
}

std::string_view link_type_name(std::uint16_t link_type) {
  const auto known = std::ranges::find(link_types, link_type, &LinkType::number);
  return known == link_types.end() ? std::string_view() : known->name;
}

}  // namespace tally
