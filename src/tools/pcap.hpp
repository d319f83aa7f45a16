#pragma once
// Classic pcap files, as tcpdump -w writes them (draft-ietf-opsawg-pcap). Pure.
//
//     magic  version  -  -  snap length  link type      24 bytes, in the writer's byte order
//     seconds  fraction  bytes here  bytes on the wire  packet      16 bytes, and the packet
//
// A reader of our own: libpcap would load the libraries of D-Bus and systemd into a sidecar, for
// these few lines.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "tally/result.hpp"

namespace tally {

struct PcapHeader {
  std::uint16_t link_type = 0;  ///< what packets begin with (packet.hpp)
  bool is_nanoseconds = false;  ///< else fractions are microseconds
  bool is_swapped = false;      ///< written on a machine of the other byte order
};

struct CapturedPacket {
  std::chrono::nanoseconds at{};  ///< since 1970
  std::string_view bytes;         ///< until the callback returns; less than was sent if it was cut
};

/// Reads a file that comes in pieces; holds no more of it than one packet.
class PcapReader {
 public:
  static constexpr std::size_t packet_bytes_max = 262'144;  ///< libpcap's own limit

  /// False: no more packets are wanted of this piece.
  using OnPacket = std::function<bool(const CapturedPacket& packet)>;

  /// Takes the next bytes and calls `on_packet` for each packet that they complete. An error: this
  /// is no such file (of pcapng it says how to convert it), or it is damaged from here on.
  Status take(std::string_view piece, const OnPacket& on_packet);

  /// Of the file, once its first 24 bytes are there.
  const std::optional<PcapHeader>& header() const { return header_; }
  /// How far the file is whole: to the end of its last whole packet.
  std::uint64_t whole_bytes() const { return whole_bytes_; }
  /// Whether more would have to come.
  bool is_cut_short() const { return !header_ || !pending_.empty(); }

 private:
  Status take_header(std::string_view& bytes);
  bool take_packet(std::string_view& bytes, const OnPacket& on_packet, Status& error);
  std::uint32_t number_at(std::string_view bytes, std::size_t at) const;

  std::optional<PcapHeader> header_;
  std::string pending_;  // the beginning of a packet
  std::uint64_t whole_bytes_ = 0;
};

}  // namespace tally
