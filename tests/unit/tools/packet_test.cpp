#include "tools/packet.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "guarded_buffer.hpp"
#include "pcap_file.hpp"

using namespace tally;
using namespace tally::testing;

namespace {

const std::string type_v4 = u16(0x0800), type_v6 = u16(0x86DD);

std::string statsd() {
  return udp(8125, "a:1|c");
}

/// An extension header of `words` * 8 bytes that `next` follows.
std::string extension(std::uint8_t next, std::size_t words = 1) {
  std::string out(words * 8, '\0');
  out[0] = static_cast<char>(next);
  out[1] = static_cast<char>(words - 1);
  return out;
}

std::string fragment_header(std::uint8_t next, std::uint16_t offset_and_more) {
  return std::string(1, static_cast<char>(next)) + std::string(1, '\0') + u16(offset_and_more) +
         u32(7);
}

std::string cooked(std::string_view type_and_ip) {
  return std::string(14, '\0') + std::string(type_and_ip);
}

std::string cooked_v2(std::string_view type, std::string_view ip) {
  return std::string(type) + std::string(18, '\0') + std::string(ip);
}

std::string without_end(std::string text, std::size_t bytes) {
  text.resize(text.size() - bytes);
  return text;
}

}  // namespace

TEST_CASE("packet: the datagram is found behind every header") {
  struct Row {
    std::string_view name;
    std::uint16_t link_type;
    std::string packet;
  };
  const std::string v4 = ipv4(statsd()), v6 = ipv6(statsd());
  const std::string vlan = u16(0x8100) + u16(7);
  const std::vector<Row> rows = {
      {"Ethernet, v4", 1, ethernet(type_v4 + v4)},
      {"Ethernet, v6", 1, ethernet(type_v6 + v6)},
      {"Ethernet, padded", 1, ethernet(type_v4 + v4 + std::string(20, '\0'))},
      {"VLAN", 1, ethernet(vlan + type_v4 + v4)},
      {"VLAN in VLAN", 1, ethernet(u16(0x88A8) + u16(1) + vlan + type_v6 + v6)},
      {"VLAN in an old VLAN", 1, ethernet(u16(0x9100) + u16(1) + vlan + type_v4 + v4)},
      {"raw, v4", 101, v4},
      {"raw, v6", 101, v6},
      {"raw of most systems", 12, v4},
      {"raw of OpenBSD", 14, v6},
      {"raw IPv4", 228, v4},
      {"raw IPv6", 229, v6},
      {"BSD loopback", 0, std::string("\x02\0\0\0", 4) + v4},
      {"BSD loopback, big-endian", 0, std::string("\0\0\0\x1E", 4) + v6},
      {"OpenBSD loopback", 108, std::string("\0\0\0\x02", 4) + v4},
      {"cooked", 113, cooked(type_v4 + v4)},
      {"cooked with a VLAN", 113, cooked(vlan + type_v6 + v6)},
      {"cooked v2, v4", 276, cooked_v2(type_v4, v4)},
      {"cooked v2, v6", 276, cooked_v2(type_v6, v6)},
      {"v4 with options", 101, ipv4(statsd(), {.options = std::string(8, '\x01')})},
      {"v6, hop by hop", 101, ipv6(extension(17) + statsd(), 0)},
      {"v6, several extensions", 101,
       ipv6(extension(43, 3) + extension(60) + extension(17, 2) + statsd(), 0)},
      {"v6, authentication", 101,
       ipv6(std::string("\x11\x04", 2) + std::string(22, '\0') + statsd(), 51)},
      {"v6, a fragment that is all", 101, ipv6(fragment_header(17, 0) + statsd(), 44)},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(link_type_name(row.link_type) != "");
    const GuardedBuffer guarded(row.packet);
    const FoundDatagram found = find_datagram(row.link_type, guarded.view());
    CHECK(found.kind == PacketKind::udp);
    CHECK(found.to_port == 8125);
    CHECK(found.payload == "a:1|c");
  }
}

TEST_CASE("packet: lengths that the network card was to fill in are the packet's own") {
  std::string v4 = ipv4(statsd());
  v4.replace(2, 2, u16(0));
  CHECK(find_datagram(101, v4).payload == "a:1|c");
  std::string v6 = ipv6(statsd());
  v6.replace(4, 2, u16(0)).replace(44, 2, u16(0));
  CHECK(find_datagram(101, v6).payload == "a:1|c");
}

TEST_CASE("packet: an empty datagram is one") {
  const FoundDatagram found = find_datagram(101, ipv4(udp(8125, "")));
  CHECK(found.kind == PacketKind::udp);
  CHECK(found.payload == "");
}

TEST_CASE("packet: what is no whole UDP datagram is told apart") {
  struct Row {
    std::string_view name;
    std::uint16_t link_type;
    std::string packet;
    PacketKind kind;
  };
  const std::string v4 = ipv4(statsd()), v6 = ipv6(statsd());
  std::string short_header = v4, short_total = v4, short_udp = v4;
  short_header[0] = '\x44';
  short_total.replace(2, 2, u16(10));
  short_udp.replace(24, 2, u16(7));
  const std::vector<Row> rows = {
      {"ARP", 1, ethernet(u16(0x0806) + std::string(28, '\0')), PacketKind::not_ip},
      {"802.3", 1, ethernet(u16(64) + std::string(64, '\0')), PacketKind::not_ip},
      {"no version", 101, "\x10" + v4, PacketKind::not_ip},
      {"TCP", 101, ipv4(statsd(), {.protocol = 6}), PacketKind::not_udp},
      {"a fragment of TCP", 101, ipv4(statsd(), {.protocol = 6, .fragment = 0x2000}),
       PacketKind::not_udp},
      {"TCP over v6", 101, ipv6(statsd(), 6), PacketKind::not_udp},
      {"TCP behind an extension", 101, ipv6(extension(6) + statsd(), 60), PacketKind::not_udp},
      {"no next header", 101, ipv6("", 59), PacketKind::not_udp},
      {"first fragment", 101, ipv4(statsd(), {.fragment = 0x2000}), PacketKind::fragment},
      {"last fragment", 101, ipv4(statsd(), {.fragment = 100}), PacketKind::fragment},
      {"first fragment of v6", 101, ipv6(fragment_header(17, 1) + statsd(), 44),
       PacketKind::fragment},
      {"later fragment of v6", 101, ipv6(fragment_header(17, 8) + statsd(), 44),
       PacketKind::fragment},
      {"a fragment of TCP over v6", 101, ipv6(fragment_header(6, 8) + statsd(), 44),
       PacketKind::not_udp},
      {"header of 16 bytes", 101, short_header, PacketKind::malformed},
      {"total below the header", 101, short_total, PacketKind::malformed},
      {"UDP of 7 bytes", 101, short_udp, PacketKind::malformed},
      {"cut in the payload", 101, without_end(v4, 1), PacketKind::cut},
      {"cut in the payload of v6", 101, without_end(v6, 1), PacketKind::cut},
      {"nothing", 101, "", PacketKind::cut},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const GuardedBuffer guarded(row.packet);
    CHECK(find_datagram(row.link_type, guarded.view()).kind == row.kind);
  }
}

TEST_CASE("packet: no cut of any packet is read past its end, or taken for the whole") {
  const std::vector<std::pair<std::uint16_t, std::string>> packets = {
      {1, ethernet(u16(0x8100) + u16(7) + type_v4 + ipv4(statsd(), {.options = "\1\1\1\1"}))},
      {113, cooked(type_v6 + ipv6(extension(44) + fragment_header(17, 0) + statsd(), 0))},
      {276, cooked_v2(type_v6, ipv6(extension(51) + std::string("\x11\x01", 2) +
                                        std::string(10, '\0') + statsd(),
                                    0))},
      {0, std::string(4, '\0') + ipv4(statsd())}};
  for (const auto& each : packets) {  // no bindings: clang 14 cannot capture them
    const std::uint16_t link_type = each.first;
    const std::string& packet = each.second;
    CHECK(find_datagram(link_type, packet).kind == PacketKind::udp);
    for (std::size_t bytes = 0; bytes < packet.size(); ++bytes) {
      CAPTURE(link_type);
      CAPTURE(bytes);
      const GuardedBuffer guarded(packet.substr(0, bytes));
      CHECK(find_datagram(link_type, guarded.view()).kind == PacketKind::cut);
    }
  }
}

TEST_CASE("packet: every kind has words, and other link types are unknown") {
  for (std::size_t i = 0; i < packet_kind_count; ++i)
    CHECK_FALSE(in_words(static_cast<PacketKind>(i)).empty());
  CHECK(link_type_name(105) == "");
}
