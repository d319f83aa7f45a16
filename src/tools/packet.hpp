#pragma once
// The UDP datagram in a captured packet. Pure; takes any bytes.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tally {

/// What a packet turned out to be.
enum class PacketKind : std::uint8_t {
  udp,
  not_ip,     ///< ARP and the like
  not_udp,    ///< TCP and the like
  fragment,   ///< a part of a UDP datagram; they are not put together
  cut,        ///< shorter than its headers say: captured with a snap length
  malformed,  ///< its headers contradict themselves
};
inline constexpr std::size_t packet_kind_count = 6;

/// What is counted: "fragments", "cut short by the capture" and so on.
std::string_view in_words(PacketKind kind);

struct FoundDatagram {
  PacketKind kind = PacketKind::malformed;
  std::uint16_t to_port = 0;  ///< of UDP
  std::string_view payload;   ///< of UDP; a part of the packet
};

/// Finds it: behind Ethernet with any VLAN tags, Linux's "cooked" headers of both versions, BSD's
/// loopback header or none, in IPv4 with options or IPv6 with extension headers. `link_type` is the
/// file's; REQUIRES: one that is known.
FoundDatagram find_datagram(std::uint16_t link_type, std::string_view packet);

/// "Ethernet" and so on; "" if it is not known.
std::string_view link_type_name(std::uint16_t link_type);

}  // namespace tally
