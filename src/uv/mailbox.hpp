#pragma once
// The only thing two threads share: a mutex, a vector and a wake-up.

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "handles.hpp"

namespace tally::uv {

/// Letters of type `T` from any thread to the loop that owns the box. Locked for the time of a
/// swap.
template <class T>
class Mailbox {
 public:
  /// `on_letter` runs on `loop`'s thread, once a letter, in the order of sending.
  Mailbox(Loop& loop, std::function<void(T)> on_letter)
      : on_letter_(std::move(on_letter)), async_(loop, [this] { deliver(); }) {}

  /// Any thread, while the box lives.
  void send(T letter) {
    {
      const std::lock_guard lock(mutex_);
      letters_.push_back(std::move(letter));
    }
    async_.poke();
  }

 private:
  void deliver() {
    std::vector<T> letters;
    {
      const std::lock_guard lock(mutex_);
      letters.swap(letters_);
    }
    for (T& letter : letters) on_letter_(std::move(letter));
  }

  std::mutex mutex_;
  std::vector<T> letters_;
  std::function<void(T)> on_letter_;
  Async async_;
};

}  // namespace tally::uv
