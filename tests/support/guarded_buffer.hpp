#pragma once
// Bytes that end where an unreadable page begins: reading one byte too far ends the process, under
// any compiler and without a sanitizer.

#include <sys/mman.h>
#include <unistd.h>

#include <cassert>
#include <cstring>
#include <string_view>

namespace tally::testing {

/// A copy of some bytes against an unreadable page. Owns its pages.
class GuardedBuffer {
 public:
  explicit GuardedBuffer(std::string_view bytes) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t readable = (bytes.size() / page + 1) * page;
    mapped_bytes_ = readable + page;
    base_ =
        mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert(base_ != MAP_FAILED);
    char* const wall = static_cast<char*>(base_) + readable;
    mprotect(wall, page, PROT_NONE);
    char* const copy = wall - bytes.size();
    if (!bytes.empty()) std::memcpy(copy, bytes.data(), bytes.size());
    view_ = {copy, bytes.size()};
  }
  ~GuardedBuffer() { munmap(base_, mapped_bytes_); }
  GuardedBuffer(const GuardedBuffer&) = delete;
  GuardedBuffer& operator=(const GuardedBuffer&) = delete;

  std::string_view view() const { return view_; }

 private:
  void* base_ = nullptr;
  std::size_t mapped_bytes_ = 0;
  std::string_view view_;
};

}  // namespace tally::testing
