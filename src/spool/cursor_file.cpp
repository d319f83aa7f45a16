#include "spool/cursor_file.hpp"

#include <fcntl.h>

#include <utility>

namespace tally {

void CursorFile::move_to(std::uint64_t segment, std::uint64_t random, std::uint64_t offset) {
  if (!file_) {
    Result<Descriptor> file = directory_.open_file("cursor", O_RDWR | O_CREAT);
    if (!file) return;
    file_ = std::move(file).value();
  }
  ++generation_;
  const auto slot = encode_cursor({.segment = segment,
                                   .offset = offset,
                                   .generation = generation_,
                                   .random = static_cast<std::uint32_t>(random)});
  write_all(file_->get(), {slot.data(), slot.size()}, generation_ % 2 * cursor_slot_bytes);
}

}  // namespace tally
