#include "deliver/gzip.hpp"

#include <libdeflate.h>

#include <memory>

namespace tally {
namespace {

struct FreeCompressor {
  void operator()(libdeflate_compressor* compressor) const {
    libdeflate_free_compressor(compressor);
  }
};

}  // namespace

std::optional<std::string> gzip(std::string_view plain) {
  constexpr int level = 1;
  // Some hundred KiB, and made anew for each payload: held, they would be most of an idle daemon.
  const std::unique_ptr<libdeflate_compressor, FreeCompressor> compressor(
      libdeflate_alloc_compressor(level));
  if (compressor == nullptr) return std::nullopt;
  std::string packed(libdeflate_gzip_compress_bound(compressor.get(), plain.size()), '\0');
  const std::size_t size = libdeflate_gzip_compress(compressor.get(), plain.data(), plain.size(),
                                                    packed.data(), packed.size());
  if (size == 0) return std::nullopt;
  packed.resize(size);
  return packed;
}

}  // namespace tally
