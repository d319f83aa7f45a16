#pragma once
// Datagrams as a file that tcpdump and Wireshark read: classic pcap, in our own byte order
// (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html). Pure.
//
//     file:    magic a1b2c3d4  2.4  0  0  snap length  link type 101 (raw IP)
//     packet:  seconds  microseconds  bytes here  bytes in all  IP header  UDP header  payload
//
// The headers are made up: we saw the payload, not the packet.

#include <cstddef>
#include <string>
#include <string_view>

#include "tally/peer.hpp"
#include "tally/time.hpp"

namespace tally {

/// The most that one packet carries: an IPv4 datagram's.
inline constexpr std::size_t pcap_payload_bytes_max = 65'507;

/// What a file begins with.
std::string pcap_file_header();

struct PcapAddresses {
  Peer from;  ///< local: 127.0.0.1:0
  Peer to;    ///< of another family than `from`: its loopback address
};

/// Appends one packet, with its checksums. REQUIRES: no more than `pcap_payload_bytes_max`.
void append_pcap_packet(std::string& out, WallTime at, const PcapAddresses& addresses,
                        std::string_view payload);

/// Cuts the next packet's payload off `bytes`: all, or lines up to the limit, or a part of a line
/// that is longer.
std::string_view take_pcap_payload(std::string_view& bytes);

}  // namespace tally
