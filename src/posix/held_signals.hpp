#pragma once
// Signals that are taken one by one, where the program is ready for them.

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <initializer_list>
#include <optional>

namespace tally {

/// Keeps signals waiting; gives back the old mask at the end. For the thread that makes it, and for
/// the process where that is its only one.
class HeldSignals {
 public:
  explicit HeldSignals(std::initializer_list<int> numbers) {
    sigemptyset(&held_);
    for (const int number : numbers) sigaddset(&held_, number);
    pthread_sigmask(SIG_BLOCK, &held_, &before_);
  }
  ~HeldSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

  /// The next one.
  siginfo_t wait() const {
    siginfo_t info{};
    while (sigwaitinfo(&held_, &info) < 0) {
    }
    return info;
  }

  /// The next one within `limit`; a limit of 0 or less looks, and does not wait.
  std::optional<siginfo_t> wait_for(std::chrono::nanoseconds limit) const {
    const auto whole = std::max(limit, std::chrono::nanoseconds(0));
    const auto seconds = std::chrono::floor<std::chrono::seconds>(whole);
    const timespec time{.tv_sec = seconds.count(), .tv_nsec = (whole - seconds).count()};
    siginfo_t info{};
    if (sigtimedwait(&held_, &info, &time) < 0) return std::nullopt;  // EINTR: a stop and a go
    return info;
  }

  const sigset_t& before() const { return before_; }

 private:
  sigset_t held_;
  sigset_t before_;
};

}  // namespace tally
