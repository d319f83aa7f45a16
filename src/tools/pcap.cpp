#include "tools/pcap.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace tally {
namespace {

constexpr std::size_t header_bytes = 24;
constexpr std::size_t record_bytes = 16;
constexpr std::uint32_t pcapng_magic = 0x0A0D0D0A;  // the same in both byte orders

struct Magic {
  std::uint32_t number;  // as a little-endian machine reads it
  bool is_nanoseconds;
  bool is_swapped;
};
constexpr std::array<Magic, 4> magics = {{{0xA1B2C3D4, false, false},
                                          {0xA1B23C4D, true, false},
                                          {0xD4C3B2A1, false, true},
                                          {0x4D3CB2A1, true, true}}};

std::uint32_t little_endian(std::string_view bytes) {
  std::uint32_t number = 0;
  for (std::size_t i = 4; i-- > 0;) number = number << 8 | static_cast<unsigned char>(bytes[i]);
  return number;
}

std::uint32_t swapped(std::uint32_t number) {
  return number >> 24 | (number >> 8 & 0xFF00) | (number << 8 & 0xFF0000) | number << 24;
}

}  // namespace

std::uint32_t PcapReader::number_at(std::string_view bytes, std::size_t at) const {
  const std::uint32_t number = little_endian(bytes.substr(at, 4));
  return header_->is_swapped ? swapped(number) : number;
}

Status PcapReader::take(std::string_view piece, const OnPacket& on_packet) {
  std::string joined;
  if (!pending_.empty()) piece = joined = std::move(pending_).append(piece);
  pending_.clear();
  Status error = header_ ? Status() : take_header(piece);
  while (!error && header_ && take_packet(piece, on_packet, error)) {
  }
  pending_ = piece;
  return error;
}

/// Waits for the whole header, but tells at once what is no such file.
Status PcapReader::take_header(std::string_view& bytes) {
  if (bytes.size() < 4) return {};
  const std::uint32_t number = little_endian(bytes);
  const auto magic = std::ranges::find(magics, number, &Magic::number);
  if (number == pcapng_magic)
    return Error{"it is a pcapng file; convert it with: editcap -F pcap OLD NEW"};
  if (magic == magics.end()) return Error{"it is no pcap file"};
  if (bytes.size() < header_bytes) return {};
  header_ = {.is_nanoseconds = magic->is_nanoseconds, .is_swapped = magic->is_swapped};
  // What stands above the 16 bits tells of checksums behind the packets.
  header_->link_type = static_cast<std::uint16_t>(number_at(bytes, 20));
  bytes.remove_prefix(header_bytes);
  whole_bytes_ = header_bytes;
  return {};
}

/// Whether there may be another.
bool PcapReader::take_packet(std::string_view& bytes, const OnPacket& on_packet, Status& error) {
  if (bytes.size() < record_bytes) return false;
  const std::size_t size = number_at(bytes, 8);
  if (size > packet_bytes_max) {
    error =
        Error{fmt::format("it is damaged at byte {}: a packet of {} bytes", whole_bytes_, size)};
    return false;
  }
  if (bytes.size() < record_bytes + size) return false;
  const std::chrono::nanoseconds fraction(std::uint64_t{number_at(bytes, 4)} *
                                          (header_->is_nanoseconds ? 1 : 1000));
  const CapturedPacket packet{.at = std::chrono::seconds(number_at(bytes, 0)) + fraction,
                              .bytes = bytes.substr(record_bytes, size)};
  bytes.remove_prefix(record_bytes + size);
  whole_bytes_ += record_bytes + size;
  return on_packet(packet);
}

}  // namespace tally
