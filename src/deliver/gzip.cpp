#include "deliver/gzip.hpp"

#include <zlib.h>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <limits>

namespace tally {

std::optional<std::string> gzip(std::string_view plain) {
  constexpr int level = 1;
  constexpr int window_bits = 15 + 16;  // + 16 asks for gzip in place of zlib's own frame
  constexpr int memory_level = 8;       // zlib's default
  assert(plain.size() <= std::numeric_limits<uInt>::max());

  z_stream stream{};
  if (deflateInit2(&stream, level, Z_DEFLATED, window_bits, memory_level, Z_DEFAULT_STRATEGY) !=
      Z_OK) {
    return std::nullopt;
  }
  std::string packed(deflateBound(&stream, static_cast<uLong>(plain.size())), '\0');
  // zlib's interface knows no const; it does not write to its input.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  const int status = deflate(&stream, Z_FINISH);
  packed.resize(packed.size() - stream.avail_out);
  deflateEnd(&stream);
  if (status != Z_STREAM_END) return std::nullopt;
  return packed;
}

std::optional<std::string> gunzip(std::string_view packed, std::size_t bytes_max) {
  constexpr int window_bits = 15 + 16;
  constexpr std::size_t chunk_bytes = 64 << 10;
  assert(packed.size() <= std::numeric_limits<uInt>::max());

  z_stream stream{};
  if (inflateInit2(&stream, window_bits) != Z_OK) return std::nullopt;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string plain;
  int status = Z_OK;
  // One byte past the limit tells that there is more than that.
  while (status == Z_OK && plain.size() <= bytes_max) {
    const std::size_t done = plain.size();
    plain.resize(std::min(done + chunk_bytes, bytes_max + 1));
    stream.next_out = reinterpret_cast<Bytef*>(plain.data() + done);
    stream.avail_out = static_cast<uInt>(plain.size() - done);
    status = inflate(&stream, Z_NO_FLUSH);
    plain.resize(plain.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  if (status != Z_STREAM_END || stream.avail_in != 0 || plain.size() > bytes_max)
    return std::nullopt;
  return plain;
}

}  // namespace tally
