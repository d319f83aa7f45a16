#include "pcap_file.hpp"

#include <algorithm>

namespace tally::testing {
namespace {

std::string big_endian(std::uint64_t number, std::size_t bytes) {
  std::string out;
  for (std::size_t i = bytes; i-- > 0;) out += static_cast<char>(number >> (8 * i) & 0xFF);
  return out;
}

}  // namespace

std::string u16(std::uint64_t number) {
  return big_endian(number, 2);
}

std::string u32(std::uint64_t number) {
  return big_endian(number, 4);
}

std::string udp(std::uint16_t to_port, std::string_view payload) {
  return u16(4711) + u16(to_port) + u16(payload.size() + 8) + u16(0) + std::string(payload);
}

std::string ipv4(std::string_view payload, const Ipv4& header) {
  const std::size_t header_bytes = 20 + header.options.size();
  std::string out;
  out += static_cast<char>(0x40 | header_bytes / 4);
  out += '\0';
  out += u16(header_bytes + payload.size()) + u16(1) + u16(header.fragment);
  out += '\x40';
  out += static_cast<char>(header.protocol);
  return out + u16(0) + u32(0x7F000001) + u32(0x7F000001) + header.options + std::string(payload);
}

std::string ipv6(std::string_view payload, std::uint8_t next) {
  std::string out = u32(0x60000000) + u16(payload.size());
  out += static_cast<char>(next);
  return out + '\x40' + std::string(32, '\0') + std::string(payload);
}

std::string ethernet(std::string_view type_and_ip) {
  return std::string(12, '\x02') + std::string(type_and_ip);
}

PcapFile::PcapFile(const Form& form) : form_(form) {
  put(form.is_nanoseconds ? 0xA1B23C4D : 0xA1B2C3D4);
  put(form.order == ByteOrder::big ? 0x00020004 : 0x00040002);
  put(0);
  put(0);
  put(262'144);
  put(form.link_type);
}

void PcapFile::put(std::uint32_t number) {
  std::string bytes = u32(number);
  if (form_.order == ByteOrder::little) std::ranges::reverse(bytes);
  bytes_ += bytes;
}

void PcapFile::add(std::string_view packet, std::uint32_t seconds, std::uint32_t fraction) {
  put(seconds);
  put(fraction);
  put(static_cast<std::uint32_t>(packet.size()));
  put(static_cast<std::uint32_t>(packet.size()));
  bytes_ += packet;
}

}  // namespace tally::testing
