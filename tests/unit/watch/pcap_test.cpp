#include "watch/pcap.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstring>
#include <string>

using namespace std::chrono_literals;
using namespace tally;

namespace {

const Peer v4{.family = Peer::Family::v4, .ip = {10, 1, 2, 3}, .port = 4711};
const Peer v4_here{.family = Peer::Family::v4, .ip = {127, 0, 0, 1}, .port = 8125};
const Peer v6{.family = Peer::Family::v6, .ip = {0xfd, 0x01}, .port = 4711};
const Peer v6_here{.family = Peer::Family::v6,
                   .ip = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1},
                   .port = 8125};
const WallTime noon{1'700'000'000'123ms};

template <class Number>
Number native(const std::string& text, std::size_t at) {
  Number number{};
  REQUIRE(text.size() >= at + sizeof number);
  std::memcpy(&number, text.data() + at, sizeof number);
  return number;
}

std::string hex(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out += digits[static_cast<unsigned char>(c) >> 4];
    out += digits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

constexpr std::size_t record_bytes = 16;

/// RFC 1071 over a whole, slowly: 0 if its checksum is right.
unsigned checksum_left(std::string_view bytes) {
  unsigned sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    sum += static_cast<unsigned char>(bytes[i]) * 256U;
    if (i + 1 < bytes.size()) sum += static_cast<unsigned char>(bytes[i + 1]);
    sum = (sum & 0xffffU) + (sum >> 16U);
  }
  return ~sum & 0xffffU;
}

/// What UDP sums over: addresses, protocol, length, and itself.
std::string pseudo(std::string_view addresses, std::string_view udp) {
  std::string text(addresses);
  text += std::string{0, 17};
  text += static_cast<char>(udp.size() >> 8);
  text += static_cast<char>(udp.size() & 0xff);
  return text + std::string(udp);
}

}  // namespace

TEST_CASE("pcap: the file's header names stamps in microseconds and raw IP") {
  const std::string header = pcap_file_header();
  CHECK(header.size() == 24);
  CHECK(native<std::uint32_t>(header, 0) == 0xa1b2c3d4);
  CHECK(native<std::uint16_t>(header, 4) == 2);
  CHECK(native<std::uint16_t>(header, 6) == 4);
  CHECK(native<std::uint32_t>(header, 16) >= 65'575);
  CHECK(native<std::uint32_t>(header, 20) == 101);
}

TEST_CASE("pcap: an IPv4 packet, byte by byte") {
  std::string out;
  append_pcap_packet(out, noon, {v4, v4_here}, "a:1|c");
  CHECK(native<std::uint32_t>(out, 0) == 1'700'000'000);
  CHECK(native<std::uint32_t>(out, 4) == 123'000);
  CHECK(native<std::uint32_t>(out, 8) == 33);
  CHECK(native<std::uint32_t>(out, 12) == 33);
  const std::string packet = out.substr(record_bytes);
  REQUIRE(packet.size() == 33);
  CHECK(hex(packet.substr(0, 10)) == "45000021000040004011");
  CHECK(hex(packet.substr(12, 8)) == "0a0102037f000001");
  CHECK(hex(packet.substr(20, 6)) == "12671fbd000d");
  CHECK(packet.substr(28) == "a:1|c");
  CHECK(checksum_left(packet.substr(0, 20)) == 0);
  CHECK(checksum_left(pseudo(packet.substr(12, 8), packet.substr(20))) == 0);
}

TEST_CASE("pcap: an IPv6 packet") {
  std::string out;
  append_pcap_packet(out, noon, {v6, v6_here}, "ab:1|c");
  const std::string packet = out.substr(record_bytes);
  REQUIRE(packet.size() == 54);
  CHECK(hex(packet.substr(0, 8)) == "60000000000e1140");
  CHECK(hex(packet.substr(8, 32)) ==
        "fd01000000000000000000000000000000000000000000000000000000000001");
  CHECK(checksum_left(pseudo(packet.substr(8, 32), packet.substr(40))) == 0);
}

TEST_CASE("pcap: checksums are right for any payload, and never 0, which would mean none") {
  bool saw_zero = false;
  for (int i = 0; i < 70'000; ++i) {
    const std::string payload{static_cast<char>(i >> 8), static_cast<char>(i), 'x'};
    std::string out;
    append_pcap_packet(out, noon, {v4, v4_here}, payload);
    const std::string packet = out.substr(record_bytes);
    REQUIRE(checksum_left(pseudo(packet.substr(12, 8), packet.substr(20))) == 0);
    const std::string sum = packet.substr(26, 2);
    REQUIRE(sum != std::string(2, '\0'));
    saw_zero = saw_zero || sum == "\xff\xff";
  }
  CHECK(saw_zero);
}

TEST_CASE("pcap: a Unix sender is port 0 of this host, and ends of two families become one") {
  std::string local, mixed, mixed_v6;
  append_pcap_packet(local, noon, {Peer{.pid = 5}, v4_here}, "x");
  CHECK(hex(local.substr(record_bytes + 12, 12)) == "7f0000017f00000100001fbd");
  append_pcap_packet(mixed, noon, {v4, v6_here}, "x");
  CHECK(hex(mixed.substr(record_bytes + 12, 8)) == "0a0102037f000001");
  append_pcap_packet(mixed_v6, noon, {v6, v4_here}, "x");
  CHECK(hex(mixed_v6.substr(record_bytes + 24, 16)) == "00000000000000000000000000000001");
}

TEST_CASE("pcap: what is longer than a datagram is cut between lines") {
  const std::string line(1000, 'x');
  std::string bytes;
  for (int i = 0; i < 100; ++i) bytes += line + "\n";
  std::string_view rest = bytes;
  const std::string_view first = take_pcap_payload(rest);
  CHECK(first.size() == 65 * 1001);
  CHECK(first.ends_with('\n'));
  CHECK(take_pcap_payload(rest).size() == 35 * 1001);
  CHECK(rest.empty());
  const std::string long_line(pcap_payload_bytes_max + 10, 'y');
  rest = long_line;
  CHECK(take_pcap_payload(rest).size() == pcap_payload_bytes_max);
  CHECK(take_pcap_payload(rest).size() == 10);
  rest = "";
  CHECK(take_pcap_payload(rest).empty());
}

TEST_CASE("pcap: the largest payload still has a length that fits") {
  std::string out;
  append_pcap_packet(out, noon, {v4, v4_here}, std::string(pcap_payload_bytes_max, 'x'));
  CHECK(hex(out.substr(record_bytes + 2, 2)) == "ffff");
  CHECK(hex(out.substr(record_bytes + 24, 2)) == "ffeb");
}
