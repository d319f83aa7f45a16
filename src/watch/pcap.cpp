#include "watch/pcap.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>

namespace tally {
namespace {

constexpr std::uint8_t protocol_udp = 17;
constexpr std::size_t udp_header_bytes = 8;
constexpr std::size_t v4_header_bytes = 20;
constexpr std::size_t v6_header_bytes = 40;

template <class Number>
void append_native(std::string& out, Number number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

void append_16(std::string& out, std::size_t number) {
  out += static_cast<char>(number >> 8 & 0xff);
  out += static_cast<char>(number & 0xff);
}

/// An end of a packet as it can be written.
Peer as_ip(const Peer& peer, Peer::Family family) {
  if (peer.family == family) return peer;
  Peer loopback{.family = family, .port = peer.port};
  if (family == Peer::Family::v4)
    loopback.ip = {127, 0, 0, 1};
  else
    loopback.ip[15] = 1;
  return loopback;
}

std::string_view ip_bytes(const Peer& peer) {
  return {reinterpret_cast<const char*>(peer.ip.data()),
          std::size_t{peer.family == Peer::Family::v4 ? 4U : 16U}};
}

/// The sum of 16-bit words (RFC 1071), to be folded. REQUIRES: all parts but the last are even.
std::uint64_t sum_of(std::string_view bytes) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    sum += i % 2 == 0 ? std::uint64_t{byte} << 8 : byte;
  }
  return sum;
}

std::size_t checksum(std::uint64_t sum) {
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::size_t>(~sum & 0xffff);
}

std::string v4_header(const Peer& from, const Peer& to, std::size_t udp_bytes) {
  std::string header{0x45, 0};
  append_16(header, v4_header_bytes + udp_bytes);
  header += {0, 0, 0x40, 0, 64, static_cast<char>(protocol_udp)};  // not to be fragmented; 64 hops
  append_16(header, 0);
  header += ip_bytes(from);
  header += ip_bytes(to);
  std::string sum;
  append_16(sum, checksum(sum_of(header)));
  return header.replace(10, 2, sum);
}

std::string v6_header(const Peer& from, const Peer& to, std::size_t udp_bytes) {
  std::string header{0x60, 0, 0, 0};
  append_16(header, udp_bytes);
  header += {static_cast<char>(protocol_udp), 64};
  header += ip_bytes(from);
  header += ip_bytes(to);
  return header;
}

std::string udp_header(const Peer& from, const Peer& to, std::string_view payload) {
  const std::size_t bytes = udp_header_bytes + payload.size();
  std::string header;
  append_16(header, from.port);
  append_16(header, to.port);
  append_16(header, bytes);
  const std::uint64_t sum = sum_of(ip_bytes(from)) + sum_of(ip_bytes(to)) + protocol_udp + bytes +
                            sum_of(header) + sum_of(payload);
  const std::size_t folded = checksum(sum);
  append_16(header, folded == 0 ? 0xffff : folded);  // 0 would mean that there is none
  return header;
}

}  // namespace

std::string pcap_file_header() {
  constexpr std::uint32_t magic = 0xa1b2c3d4;  // stamps in microseconds
  constexpr std::uint32_t snap_length = 65'535 + v6_header_bytes;
  constexpr std::uint32_t link_type_raw = 101;
  std::string out;
  append_native(out, magic);
  append_native(out, std::uint16_t{2});
  append_native(out, std::uint16_t{4});
  append_native(out, std::uint64_t{0});
  append_native(out, snap_length);
  append_native(out, link_type_raw);
  return out;
}

void append_pcap_packet(std::string& out, WallTime at, const PcapAddresses& addresses,
                        std::string_view payload) {
  const bool is_v6 = addresses.from.family == Peer::Family::v6;
  const Peer::Family family = is_v6 ? Peer::Family::v6 : Peer::Family::v4;
  const Peer from = as_ip(addresses.from, family);
  const Peer to = as_ip(addresses.to, family);
  const std::size_t udp_bytes = udp_header_bytes + payload.size();
  const std::string ip = is_v6 ? v6_header(from, to, udp_bytes) : v4_header(from, to, udp_bytes);

  const auto ms = static_cast<std::uint64_t>(at.time_since_epoch().count());
  const auto size = static_cast<std::uint32_t>(ip.size() + udp_bytes);
  append_native(out, static_cast<std::uint32_t>(ms / 1000));
  append_native(out, static_cast<std::uint32_t>(ms % 1000 * 1000));
  append_native(out, size);
  append_native(out, size);
  out += ip;
  out += udp_header(from, to, payload);
  out += payload;
}

std::string_view take_pcap_payload(std::string_view& bytes) {
  std::size_t size = bytes.size();
  if (size > pcap_payload_bytes_max) {
    const std::size_t line_end = bytes.substr(0, pcap_payload_bytes_max).rfind('\n');
    size = line_end == std::string_view::npos ? pcap_payload_bytes_max : line_end + 1;
  }
  const std::string_view payload = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return payload;
}

}  // namespace tally
