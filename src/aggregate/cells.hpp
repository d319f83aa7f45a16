#pragma once
// The memory of a table: cells that never move, and the bytes of long keys. All of it is forgotten
// at once, and some is kept for the next window.

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstring>
#include <memory>
#include <vector>

namespace tally {

/// Memory for keys that are all forgotten at once, and the memory kept.
class KeyStore {
 public:
  char* take(std::size_t bytes) {
    assert(bytes <= chunk_bytes);
    if (used_ == 0 || chunk_bytes - filled_ < bytes) next_chunk();
    char* const at = chunks_[used_ - 1].get() + filled_;
    filled_ += bytes;
    return at;
  }
  void clear() {
    if (chunks_.size() > chunks_kept) chunks_.resize(chunks_kept);
    used_ = 0;
  }

 private:
  // Holds the longest key many times over: a key is series_bytes_max and a few renamed tags.
  static constexpr std::size_t chunk_bytes = 64 << 10;
  static constexpr std::size_t chunks_kept = 16;

  void next_chunk() {
    if (used_ == chunks_.size())
      chunks_.push_back(std::make_unique_for_overwrite<char[]>(chunk_bytes));
    ++used_;
    filled_ = 0;
  }

  std::vector<std::unique_ptr<char[]>> chunks_;
  std::size_t used_ = 0;    // chunks
  std::size_t filled_ = 0;  // bytes of the last used one
};

/// Bytes that stand in the cell if they are few, else in the KeyStore, and here their address.
template <std::size_t inline_bytes>
class Bytes {
 public:
  const char* data(std::size_t size) const {
    if (size <= inline_bytes) [[likely]]
      return bytes_;
    const char* at;
    std::memcpy(&at, bytes_, sizeof at);
    return at;
  }
  char* make(std::size_t size, KeyStore& store) {
    if (size <= inline_bytes) return bytes_;
    char* const at = store.take(size);
    std::memcpy(bytes_, &at, sizeof at);
    return at;
  }

 private:
  char bytes_[inline_bytes];
};

/// Cells in chunks that never move.
template <class Any, std::size_t cells_a_chunk = 4096>  // 256 KiB of series
class Cells {
 public:
  static constexpr std::size_t chunk_cells = cells_a_chunk;

  // Without the library's checks, which are a tenth of what a sample costs. REQUIRES: at < size().
  Any& operator[](std::size_t at) {
    return chunks_.data()[at / chunk_cells].get()[at % chunk_cells];
  }
  const Any& operator[](std::size_t at) const {
    return chunks_.data()[at / chunk_cells].get()[at % chunk_cells];
  }
  Any& add() {
    if (size_ == chunks_.size() * chunk_cells)
      chunks_.push_back(std::make_unique_for_overwrite<Any[]>(chunk_cells));
    return (*this)[size_++];
  }
  std::size_t size() const { return size_; }
  void release(std::size_t chunk) { chunks_[chunk].reset(); }
  std::size_t chunks() const { return chunks_.size(); }
  /// Forgets those behind the first `size`. REQUIRES: size <= size().
  void shrink(std::size_t size) {
    chunks_.resize((size + chunk_cells - 1) / chunk_cells);
    size_ = size;
  }
  void clear() {
    chunks_.resize(std::min<std::size_t>(chunks_.size(), 1));
    if (!chunks_.empty() && chunks_[0] == nullptr) chunks_.clear();
    size_ = 0;
  }

 private:
  std::vector<std::unique_ptr<Any[]>> chunks_;
  std::size_t size_ = 0;
};

}  // namespace tally
