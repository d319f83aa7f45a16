#pragma once

#include <cstdint>

namespace tally {

/// Bytes of this process that are in memory; 0 if the kernel does not say.
std::uint64_t resident_bytes();

}  // namespace tally
