#include "tools/pcap.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "pcap_file.hpp"

using namespace tally;
using namespace std::chrono_literals;
using testing::ByteOrder;
using testing::PcapFile;

namespace {

struct Read {
  std::vector<std::string> packets;
  std::vector<std::chrono::nanoseconds> times;
  Status error;
};

Read read_in_pieces(PcapReader& reader, std::string_view file, std::size_t piece_bytes) {
  Read read;
  while (!file.empty() && !read.error) {
    read.error = reader.take(file.substr(0, piece_bytes), [&](const CapturedPacket& packet) {
      read.packets.emplace_back(packet.bytes);
      read.times.push_back(packet.at);
      return true;
    });
    file.remove_prefix(std::min(piece_bytes, file.size()));
  }
  return read;
}

}  // namespace

TEST_CASE("pcap: all four magics are read, in whatever pieces the file comes") {
  for (const ByteOrder order : {ByteOrder::little, ByteOrder::big}) {
    for (const bool is_nanoseconds : {false, true}) {
      PcapFile file({.order = order, .is_nanoseconds = is_nanoseconds, .link_type = 0x10000001});
      file.add("first", 1'700'000'000, 123'456);
      file.add("", 1'700'000'001, 0);
      file.add(std::string(300, 'x'), 4'294'967'295, 999'999);
      for (std::size_t bytes = 1; bytes <= file.bytes().size(); ++bytes) {
        CAPTURE(bytes);
        PcapReader reader;
        const Read read = read_in_pieces(reader, file.bytes(), bytes);
        REQUIRE_FALSE(read.error);
        CHECK(read.packets == std::vector<std::string>{"first", "", std::string(300, 'x')});
        CHECK(read.times[0] == 1'700'000'000s + (is_nanoseconds ? 123'456ns : 123'456us));
        CHECK(read.times[2] == 4'294'967'295s + (is_nanoseconds ? 999'999ns : 999'999us));
        CHECK(reader.header()->link_type == 1);  // what is above tells of checksums
        CHECK(reader.whole_bytes() == file.bytes().size());
        CHECK_FALSE(reader.is_cut_short());
      }
    }
  }
}

TEST_CASE("pcap: a file that was cut is read up to its last whole packet") {
  PcapFile file;
  file.add("one");
  const std::size_t whole = file.bytes().size();
  file.add("two");
  for (std::size_t bytes = 0; bytes < file.bytes().size(); ++bytes) {
    CAPTURE(bytes);
    PcapReader reader;
    const Read read = read_in_pieces(reader, file.bytes().substr(0, bytes), 7);
    CHECK_FALSE(read.error);
    CHECK(read.packets.size() == (bytes >= whole ? 1 : 0));
    CHECK(reader.whole_bytes() == (bytes >= whole ? whole : bytes >= 24 ? 24 : 0));
    CHECK(reader.is_cut_short() == (bytes != 24 && bytes != whole));
  }
}

TEST_CASE("pcap: what is no such file is told with its first bytes, pcapng with its cure") {
  PcapReader pcapng;
  CHECK(read_in_pieces(pcapng, "\x0A\x0D\x0D\x0A", 1).error->message ==
        "it is a pcapng file; convert it with: editcap -F pcap OLD NEW");
  PcapReader text;
  CHECK(read_in_pieces(text, "#!/bin/sh", 4).error->message == "it is no pcap file");
}

TEST_CASE("pcap: a packet larger than any is damage, and its place is told") {
  PcapFile file;
  file.add("one");
  const std::string damaged =
      file.bytes() + std::string(8, '\0') + "\xFF\xFF\xFF\x7F" + std::string(100, '\0');
  PcapReader reader;
  const Read read = read_in_pieces(reader, damaged, 1000);
  CHECK(read.packets.size() == 1);
  CHECK(read.error->message == "it is damaged at byte 43: a packet of 2147483647 bytes");

  PcapFile largest;
  largest.add(std::string(PcapReader::packet_bytes_max, 'x'));
  PcapReader fine;
  CHECK(read_in_pieces(fine, largest.bytes(), 65536).packets.size() == 1);
}

TEST_CASE("pcap: no packets come once no more are wanted") {
  PcapFile file;
  for (int i = 0; i < 3; ++i) file.add("packet");
  PcapReader reader;
  int packets = 0;
  CHECK_FALSE(reader.take(file.bytes(), [&](const CapturedPacket&) { return ++packets < 2; }));
  CHECK(packets == 2);
}
