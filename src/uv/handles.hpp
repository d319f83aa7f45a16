#pragma once
// libuv's loop and the handles we use, each with one owner.
//
// A handle's memory must outlive the object that owns it: libuv frees it only when the loop has run
// the close callback. So each class here owns a small heap block; its destructor takes the
// callback away, calls uv_close and leaves the block to the loop. After destruction the callback is
// never called again, also when the owner dies inside its own callback.

#include <uv.h>

#include <chrono>
#include <functional>
#include <memory>

namespace tally::uv {

/// One event loop. Everything made on it must be destroyed before it, on its thread.
class Loop {
 public:
  Loop();
  ~Loop();  ///< runs pending close callbacks; asserts that no handle is left open
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void run();   ///< until `stop`, or until no handle is active
  void stop();  ///< from a callback on this loop
  /// One turn without waiting. True if handles are still active.
  bool turn();
  /// Waits for what runs in the thread pool, which the destructor does without a limit. False if it
  /// took longer: then nothing but the end of the process is left.
  bool finish_work(std::chrono::milliseconds at_most);

  uv_loop_t* raw() { return &loop_; }

 private:
  uv_loop_t loop_;
};

using Callback = std::function<void()>;

namespace detail {
template <class Handle>
struct Block;
}

/// Calls back on the loop's thread after a delay, once or repeatedly.
class Timer {
 public:
  Timer(Loop& loop, Callback on_time);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void start(std::chrono::milliseconds delay, std::chrono::milliseconds repeat = {});
  void stop();
  bool active() const;

 private:
  detail::Block<uv_timer_t>* block_;
};

/// Wakes the loop from any thread; several pokes may end in one call.
class Async {
 public:
  Async(Loop& loop, Callback on_poke);
  ~Async();
  Async(const Async&) = delete;
  Async& operator=(const Async&) = delete;

  void poke();  ///< any thread, while the object lives

 private:
  detail::Block<uv_async_t>* block_;
};

/// Watches a file descriptor that someone else owns and closes after this object is gone.
class Poll {
 public:
  /// `on_ready` gets UV_READABLE and UV_WRITABLE bits; an error shows as readable and writable.
  Poll(Loop& loop, int fd, std::function<void(int events)> on_ready);
  ~Poll();
  Poll(const Poll&) = delete;
  Poll& operator=(const Poll&) = delete;

  void watch(int events);  ///< UV_READABLE | UV_WRITABLE; 0 stops

 private:
  struct Block;
  Block* block_;
};

/// Calls back for a signal of the process.
class Signal {
 public:
  Signal(Loop& loop, int number, Callback on_signal);
  ~Signal();
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

 private:
  detail::Block<uv_signal_t>* block_;
};

}  // namespace tally::uv
