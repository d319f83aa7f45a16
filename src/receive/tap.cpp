#include "tap.hpp"

namespace tally {

void TapBatch::add(const Tapped& piece) {
  if (marks_.size() >= pieces_max || bytes_.size() + piece.bytes.size() > bytes_max) {
    ++skipped_;
    return;
  }
  marks_.push_back({piece, bytes_.size()});
  bytes_ += piece.bytes;
}

std::vector<Tapped> TapBatch::pieces() const {
  std::vector<Tapped> pieces;
  pieces.reserve(marks_.size());
  for (const Mark& mark : marks_) {
    pieces.push_back(mark.piece);
    pieces.back().bytes = std::string_view(bytes_).substr(mark.at, mark.piece.bytes.size());
  }
  return pieces;
}

}  // namespace tally
