#pragma once
// How long the kernel lets a thread wait for its turn.

#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>

namespace tally {

/// Asks for short turns on the processor, for the calling thread: one that wakes is then let in at
/// once instead of at the end of another's turn (3 ms and more), and has no larger share for it.
/// Linux 6.12 and later (EEVDF, sched(7)); others refuse or ignore it, and nothing is lost. Needs
/// no privilege. 0.1 ms is the least that the kernel takes.
inline void ask_for_short_turns(std::chrono::nanoseconds turn = std::chrono::microseconds(100)) {
  // As sched_setattr(2) has it; the kernel's header for it clashes with the C library's.
  struct {
    std::uint32_t size = 48, policy = 0;
    std::uint64_t flags = 0;
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t runtime = 0, deadline = 0, period = 0;
  } wish;
  static_assert(sizeof wish == 48);
  if (syscall(SYS_sched_getattr, 0, &wish, sizeof wish, 0U) != 0) return;  // keeps the nice value
  wish.runtime = static_cast<std::uint64_t>(turn.count());
  syscall(SYS_sched_setattr, 0, &wish, 0U);
}

}  // namespace tally
