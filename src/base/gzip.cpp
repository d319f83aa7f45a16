#include "base/gzip.hpp"

#include <isa-l/igzip_lib.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <new>

namespace tally {
namespace {

// ISA-L counts in 32 bits, and takes what it only reads as what it may write.
constexpr std::size_t bytes_at_once_max = std::numeric_limits<std::uint32_t>::max() / 2;

std::uint8_t* bytes_of(std::string_view text) {
  return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
}

// Some hundred KiB, and made anew for each payload: held, it would be most of an idle daemon.
struct Compressor {
  isal_zstream stream;
  alignas(64) std::uint8_t tables[ISAL_DEF_LVL1_DEFAULT];
};

// What does not shrink is stored (RFC 1951, 3.2.4), in blocks of up to 65,535 bytes, each behind a
// header of five; that of gzip and what is behind it take 18 (RFC 1952, 2.3). Twice that is ample.
constexpr std::size_t packed_bytes_max(std::size_t plain) {
  constexpr std::size_t frame = 18, header = 5, block = 65'535;
  return plain + 2 * (frame + (plain / block + 1) * header);
}

// The length that the last four bytes tell; nothing if there are none.
std::optional<std::size_t> told_size(std::string_view packed) {
  constexpr std::size_t field_bytes = 4;
  if (packed.size() < field_bytes) return std::nullopt;
  std::uint32_t size = 0;
  for (std::size_t i = 0; i < field_bytes; ++i) {
    const auto byte = static_cast<unsigned char>(packed[packed.size() - field_bytes + i]);
    size |= static_cast<std::uint32_t>(byte) << (8 * i);
  }
  return size;
}

}  // namespace

std::optional<std::string> gzip(std::string_view plain) {
  if (plain.size() > bytes_at_once_max) return std::nullopt;
  const auto room = static_cast<std::uint32_t>(packed_bytes_max(plain.size()));
  const std::unique_ptr<Compressor> compressor(new (std::nothrow) Compressor);
  const std::unique_ptr<char[]> packed(new (std::nothrow) char[room]);
  if (compressor == nullptr || packed == nullptr) return std::nullopt;
  isal_zstream& stream = compressor->stream;
  isal_deflate_init(&stream);
  stream.level = 1;
  stream.level_buf = compressor->tables;
  stream.level_buf_size = sizeof compressor->tables;
  stream.gzip_flag = IGZIP_GZIP;
  stream.end_of_stream = 1;
  stream.next_in = bytes_of(plain);
  stream.avail_in = static_cast<std::uint32_t>(plain.size());
  stream.next_out = reinterpret_cast<std::uint8_t*>(packed.get());
  stream.avail_out = room;
  if (isal_deflate(&stream) != COMP_OK || stream.internal_state.state != ZSTATE_END)
    return std::nullopt;
  return std::string(packed.get(), room - stream.avail_out);
}

std::optional<std::string> gunzip(std::string_view packed, std::size_t bytes_max) {
  const std::optional<std::size_t> told = told_size(packed);
  if (!told || *told > bytes_max || *told > bytes_at_once_max || packed.size() > bytes_at_once_max)
    return std::nullopt;
  const std::unique_ptr<inflate_state> state(new (std::nothrow) inflate_state);
  if (state == nullptr) return std::nullopt;
  std::string plain(*told, '\0');
  isal_inflate_init(state.get());
  state->crc_flag = ISAL_GZIP;
  state->next_in = bytes_of(packed);
  state->avail_in = static_cast<std::uint32_t>(packed.size());
  state->next_out = reinterpret_cast<std::uint8_t*>(plain.data());
  state->avail_out = static_cast<std::uint32_t>(plain.size());
  const bool is_whole =
      isal_inflate(state.get()) == ISAL_DECOMP_OK && state->block_state == ISAL_BLOCK_FINISH;
  if (!is_whole || state->avail_in != 0 || state->avail_out != 0) return std::nullopt;
  return plain;
}

}  // namespace tally
