// Any bytes as a stream, in any pieces: the framing makes the same of it as its naive twin, which
// reads it whole.
//
//     lengths  repeats  cuts  cuts numbers of 2 bytes  stream
//
// A number is a piece's length. So that a small input reaches the limits, the stream's last 64
// bytes are repeated until they have made 2 KiB for each step of `repeats` above 128.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz_target.hpp"
#include "naive_framing.hpp"

using namespace tally;
using namespace tally::testing;

namespace {

/// The first byte of `bytes`, cut off; 0 if there is none.
std::size_t next(std::string_view& bytes) {
  if (bytes.empty()) return 0;
  const auto byte = static_cast<unsigned char>(bytes[0]);
  bytes.remove_prefix(1);
  return byte;
}

std::vector<std::size_t> read_cuts(std::string_view& bytes) {
  std::vector<std::size_t> cuts(next(bytes) % 32);
  for (std::size_t& cut : cuts) {
    const std::size_t low = next(bytes);
    cut = low + (next(bytes) << 8);
  }
  return cuts;
}

std::string read_stream(std::string_view bytes, std::size_t repeats) {
  std::string stream(bytes);
  const std::string tail = stream.substr(stream.size() - std::min<std::size_t>(64, stream.size()));
  for (std::size_t i = 0; i < repeats * 2048 / 64; ++i) stream += tail;
  return stream;
}

std::vector<std::string_view> cut_up(std::string_view stream,
                                     const std::vector<std::size_t>& cuts) {
  std::vector<std::string_view> pieces;
  for (const std::size_t cut : cuts) {
    pieces.push_back(stream.substr(0, cut));
    stream.remove_prefix(pieces.back().size());
  }
  pieces.push_back(stream);
  return pieces;
}

void check_same(const FramingOutcome& is, const FramingOutcome& should_be, const char* what) {
  if (is == should_be) return;
  std::fprintf(stderr, "%s, verdict %d instead of %d:\n%.1000s\ninstead of\n%.1000s\n", what,
               static_cast<int>(is.verdict), static_cast<int>(should_be.verdict), is.told.c_str(),
               should_be.told.c_str());
  std::abort();
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto lengths = next(bytes) % 2 == 0 ? Framing::Lengths::none : Framing::Lengths::detected;
  const std::size_t repeats = std::max<std::size_t>(next(bytes), 128) - 128;
  const std::vector<std::size_t> cuts = read_cuts(bytes);
  const std::string stream = read_stream(bytes, repeats);
  const FramingOutcome expected = naive_framing(stream, lengths);
  check_same(framing_of({stream}, lengths), expected, "in one piece");
  check_same(framing_of(cut_up(stream, cuts), lengths), expected, "in pieces");
  return 0;
}
