#include "memory.hpp"

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "descriptor.hpp"

namespace tally {

std::uint64_t resident_bytes() {
  // "size resident shared ..", in pages.
  const Descriptor file(open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
  std::array<char, 128> text{};
  if (!file || read(file.get(), text.data(), text.size() - 1) <= 0) return 0;
  char* rest = nullptr;
  std::strtoull(text.data(), &rest, 10);
  return std::strtoull(rest, nullptr, 10) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

void keep_freed_memory() {
  // Set, neither of them moves any more. Larger blocks are the kernel's own: calloc need not clear
  // what it gives.
  mallopt(M_MMAP_THRESHOLD, 4 << 20);
  mallopt(M_TRIM_THRESHOLD, 32 << 20);
}

void give_back_freed_memory() {
  malloc_trim(0);
}

}  // namespace tally
