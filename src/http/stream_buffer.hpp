#pragma once
// What waits to be read by a slow client. Pure.

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace tally::http {

/// Bytes, first in, first out, never more than `bytes_max` of them.
class StreamBuffer {
 public:
  explicit StreamBuffer(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  std::size_t size() const { return bytes_.size() - taken_; }
  std::size_t room() const { return bytes_max_ - size(); }

  /// Takes `piece` whole or not at all; false if there is no room for it.
  bool append(std::string_view piece) {
    if (piece.size() > room()) return false;
    // What was taken is thrown away seldom, so that a byte is moved about once.
    if (taken_ > bytes_.size() / 2) bytes_.erase(0, std::exchange(taken_, 0));
    bytes_ += piece;
    return true;
  }

  /// Copies the oldest bytes, at most `size`, to `out`, and forgets them.
  std::size_t take(char* out, std::size_t size) {
    size = std::min(size, this->size());
    std::copy_n(bytes_.data() + taken_, size, out);
    taken_ += size;
    if (taken_ == bytes_.size()) bytes_.clear(), taken_ = 0;
    return size;
  }

 private:
  std::size_t bytes_max_;
  std::string bytes_;
  std::size_t taken_ = 0;  // of `bytes_`, from its front
};

}  // namespace tally::http
