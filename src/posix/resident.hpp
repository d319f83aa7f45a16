#pragma once
// How much memory this process has.

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>

#include "descriptor.hpp"

namespace tally {

/// Resident bytes, libraries included (the second number of /proc/self/statm, in pages); 0 where
/// /proc is not there. Some microseconds.
inline std::uint64_t resident_bytes() {
  const Descriptor file(open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
  std::array<char, 128> text{};
  const ssize_t size = file ? read(file.get(), text.data(), text.size()) : 0;
  const char* const end = text.data() + (size > 0 ? size : 0);
  std::uint64_t all = 0, resident = 0;
  const char* const second = std::from_chars(text.data(), end, all).ptr + 1;
  if (second < end) std::from_chars(second, end, resident);
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace tally
