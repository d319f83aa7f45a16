// Any bytes as a capture: the reader and the search for datagrams end, hold what they promise, and
// make the same of it in whatever pieces it comes.
//
//     bytes of a piece - 1    the file

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "fuzz_target.hpp"
#include "tools/packet.hpp"
#include "tools/pcap.hpp"

using namespace tally;

namespace {

void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

/// All that was told of a packet, as text.
std::string told(std::uint16_t link_type, const CapturedPacket& packet) {
  std::string text = std::to_string(packet.at.count()) + " " + std::to_string(packet.bytes.size());
  if (link_type_name(link_type).empty()) return text + "\n";
  const FoundDatagram found = find_datagram(link_type, packet.bytes);
  const bool is_inside =
      packet.bytes.data() <= found.payload.data() &&
      found.payload.data() + found.payload.size() <= packet.bytes.data() + packet.bytes.size();
  must(found.kind != PacketKind::udp || is_inside, "a payload is a part of its packet");
  must(found.kind == PacketKind::udp || found.payload.empty(), "only UDP has a payload");
  return text + " " + std::string(in_words(found.kind)) + " " + std::string(found.payload) + "\n";
}

std::string read(std::string_view file, std::size_t piece_bytes) {
  std::string out;
  PcapReader reader;
  Status error;
  const std::size_t bytes = file.size();
  while (!file.empty() && !error) {
    error = reader.take(file.substr(0, piece_bytes), [&](const CapturedPacket& packet) {
      out += told(reader.header()->link_type, packet);
      return true;
    });
    file.remove_prefix(std::min(piece_bytes, file.size()));
  }
  must(reader.whole_bytes() <= bytes, "what is whole is in the file");
  must(error || reader.is_cut_short() == (reader.whole_bytes() != bytes || bytes == 0),
       "a file is cut short unless all of it is whole");
  return out + (error ? error->message : "") + std::to_string(reader.whole_bytes());
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view file(reinterpret_cast<const char*>(data) + 1, size - 1);
  must(read(file, std::size_t{data[0]} + 1) == read(file, std::string_view::npos),
       "pieces make no difference");
  return 0;
}
