#pragma once

#include <cstdint>

namespace tally {

/// Bytes of this process that are in memory; 0 if the kernel does not say.
std::uint64_t resident_bytes();

/// Has malloc keep what was freed for the next who asks, blocks of up to 4 MiB and as much as
/// 32 MiB at its end: page faults were two fifths of a flush. At the start of a program.
void keep_freed_memory();

/// Gives freed pages back to the kernel all the same. A few milliseconds for 100 MB, in which
/// threads that allocate may wait. Any thread.
void give_back_freed_memory();

}  // namespace tally
