#pragma once
// Captures as tcpdump would write them, made by hand.

#include <cstdint>
#include <string>
#include <string_view>

namespace tally::testing {

enum class ByteOrder { little, big };

/// Numbers in network order, for packets.
std::string u16(std::uint64_t number);
std::string u32(std::uint64_t number);

/// A UDP datagram with its header.
std::string udp(std::uint16_t to_port, std::string_view payload);

struct Ipv4 {
  std::uint8_t protocol = 17;
  std::uint16_t fragment = 0x4000;  ///< flags and offset; this is "do not fragment"
  std::string options = {};         ///< a multiple of four bytes
};
std::string ipv4(std::string_view payload, const Ipv4& header = {});

/// `next` is the first header behind IPv6's own, which `payload` begins with.
std::string ipv6(std::string_view payload, std::uint8_t next = 17);

/// Behind twelve bytes of addresses; `ip` begins with its ether type, or with VLAN tags.
std::string ethernet(std::string_view type_and_ip);

/// A file that grows.
class PcapFile {
 public:
  struct Form {
    ByteOrder order = ByteOrder::little;
    bool is_nanoseconds = false;
    std::uint32_t link_type = 101;  // raw IP
  };
  PcapFile() : PcapFile(Form()) {}
  explicit PcapFile(const Form& form);

  /// `fraction` in the file's unit.
  void add(std::string_view packet, std::uint32_t seconds = 1'700'000'000,
           std::uint32_t fraction = 0);

  const std::string& bytes() const { return bytes_; }

 private:
  void put(std::uint32_t number);

  Form form_;
  std::string bytes_;
};

}  // namespace tally::testing
