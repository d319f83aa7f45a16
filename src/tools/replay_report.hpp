#pragma once
// What became of a capture's packets, counted and told. Pure.

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "tools/packet.hpp"
#include "tools/pcap.hpp"

namespace tally {

struct ReplayReport {
  std::string file;
  PcapHeader header;
  std::uint64_t packets = 0;
  std::uint64_t sent = 0;        ///< datagrams
  std::uint64_t bytes_sent = 0;  ///< of payload
  std::uint64_t other_ports = 0;
  std::array<std::uint64_t, packet_kind_count> kinds{};  ///< by PacketKind
  std::map<std::uint16_t, std::uint64_t> ports;          ///< datagrams by where they went to
  std::chrono::nanoseconds first{}, last{};              ///< since 1970
  bool is_cut_short = false;                             ///< the file ends inside a packet
};

/// What was sent, what the file holds, what was left out and why: a line each. `to` is where it
/// went, `took` how long that was.
std::string in_words(const ReplayReport& report, const std::string& to,
                     std::chrono::nanoseconds took);

}  // namespace tally
