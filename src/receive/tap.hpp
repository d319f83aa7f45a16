#pragma once
// A copy of what comes in, for those who want to see it. Never in the way of receiving: what there
// is no room for is left out and counted.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tally/look.hpp"

namespace tally {

/// A number of pieces that came in one behind the other, and how many were left out.
class TapBatch {
 public:
  static constexpr std::size_t bytes_max = 1 << 20;
  static constexpr std::size_t pieces_max = 16'384;

  /// Copies a piece; one that there is no room for is counted instead.
  void add(const Tapped& piece);

  bool empty() const { return marks_.empty() && skipped_ == 0; }
  std::vector<Tapped> pieces() const;  ///< views this batch
  std::uint64_t skipped() const { return skipped_; }

 private:
  struct Mark {
    Tapped piece;  // its bytes stand in bytes_, from `at` on
    std::size_t at;
  };
  std::string bytes_;
  std::vector<Mark> marks_;
  std::uint64_t skipped_ = 0;
};

}  // namespace tally
