#include "base/gzip.hpp"

#include <libdeflate.h>

#include <cstdint>
#include <memory>

namespace tally {
namespace {

struct Free {
  void operator()(libdeflate_compressor* compressor) const {
    libdeflate_free_compressor(compressor);
  }
  void operator()(libdeflate_decompressor* decompressor) const {
    libdeflate_free_decompressor(decompressor);
  }
};

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
  constexpr int level = 1;
  // Some hundred KiB, and made anew for each payload: held, they would be most of an idle daemon.
  const std::unique_ptr<libdeflate_compressor, Free> compressor(libdeflate_alloc_compressor(level));
  if (compressor == nullptr) return std::nullopt;
  std::string packed(libdeflate_gzip_compress_bound(compressor.get(), plain.size()), '\0');
  const std::size_t size = libdeflate_gzip_compress(compressor.get(), plain.data(), plain.size(),
                                                    packed.data(), packed.size());
  if (size == 0) return std::nullopt;
  packed.resize(size);
  return packed;
}

std::optional<std::string> gunzip(std::string_view packed, std::size_t bytes_max) {
  const std::optional<std::size_t> told = told_size(packed);
  const std::unique_ptr<libdeflate_decompressor, Free> decompressor(
      libdeflate_alloc_decompressor());
  if (!told || *told > bytes_max || decompressor == nullptr) return std::nullopt;
  std::string plain(*told, '\0');
  std::size_t used = 0, made = 0;
  const libdeflate_result result = libdeflate_gzip_decompress_ex(
      decompressor.get(), packed.data(), packed.size(), plain.data(), plain.size(), &used, &made);
  if (result != LIBDEFLATE_SUCCESS || used != packed.size() || made != plain.size())
    return std::nullopt;
  return plain;
}

}  // namespace tally
