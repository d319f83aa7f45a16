#include "handles.hpp"

#include <cassert>
#include <cstdio>
#include <cstdlib>

namespace tally::uv {
namespace {

// Libuv calls that fail only when we call them wrongly, or when the process is out of file
// descriptors or memory before it has done anything: there is nothing to go on with, and no one to
// hand an error to.
void must(int status) {
  if (status == 0) return;
  std::fprintf(stderr,
               "cannot set up the event loop: %s; raise the limit of open files (ulimit -n)\n",
               uv_strerror(status));
  std::_Exit(1);
}

}  // namespace

namespace detail {

template <class Handle>
struct Block {
  Handle handle{};
  Callback callback;

  explicit Block(Callback on_event) : callback(std::move(on_event)) { handle.data = this; }

  static Block* of(Handle* handle) { return static_cast<Block*>(handle->data); }

  static void fire(Handle* handle) noexcept {
    // A copy: the callback may destroy its owner, and with it itself.
    const Callback callback = of(handle)->callback;
    if (callback) callback();
  }

  void close() {
    callback = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(&handle),
             [](uv_handle_t* closed) noexcept { delete of(reinterpret_cast<Handle*>(closed)); });
  }
};

}  // namespace detail

Loop::Loop() {
  must(uv_loop_init(&loop_));
}

Loop::~Loop() {
  // One turn: close callbacks of what was destroyed before us are still to run. A loop that is not
  // empty then is a handle that outlives its loop: a bug of ours.
  uv_run(&loop_, UV_RUN_NOWAIT);
  // And what runs in the thread pool points to this loop: it must end first.
  while (loop_.active_reqs.count > 0) uv_run(&loop_, UV_RUN_ONCE);
  const int status = uv_loop_close(&loop_);
  assert(status == 0);
  (void)status;
}

void Loop::run() {
  uv_run(&loop_, UV_RUN_DEFAULT);
}
void Loop::stop() {
  uv_stop(&loop_);
}
bool Loop::turn() {
  return uv_run(&loop_, UV_RUN_NOWAIT) != 0;
}

bool Loop::finish_work(std::chrono::milliseconds at_most) {
  bool is_late = false;
  Timer limit(*this, [&] { is_late = true; });
  limit.start(at_most);
  while (loop_.active_reqs.count > 0 && !is_late) uv_run(&loop_, UV_RUN_ONCE);
  return loop_.active_reqs.count == 0;
}

Timer::Timer(Loop& loop, Callback on_time)
    : block_(new detail::Block<uv_timer_t>(std::move(on_time))) {
  must(uv_timer_init(loop.raw(), &block_->handle));
}
Timer::~Timer() {
  block_->close();
}
void Timer::start(std::chrono::milliseconds delay, std::chrono::milliseconds repeat) {
  // libuv counts from the time at which the turn began; after a long callback that is the past.
  uv_update_time(block_->handle.loop);
  must(uv_timer_start(&block_->handle, detail::Block<uv_timer_t>::fire,
                      static_cast<std::uint64_t>(delay.count()),
                      static_cast<std::uint64_t>(repeat.count())));
}
void Timer::stop() {
  uv_timer_stop(&block_->handle);
}
bool Timer::active() const {
  return uv_is_active(reinterpret_cast<const uv_handle_t*>(&block_->handle)) != 0;
}

Async::Async(Loop& loop, Callback on_poke)
    : block_(new detail::Block<uv_async_t>(std::move(on_poke))) {
  must(uv_async_init(loop.raw(), &block_->handle, detail::Block<uv_async_t>::fire));
}
Async::~Async() {
  block_->close();
}
void Async::poke() {
  must(uv_async_send(&block_->handle));
}

struct Poll::Block {
  uv_poll_t handle{};
  std::function<void(int)> callback;

  static void fire(uv_poll_t* handle, int status, int events) noexcept {
    auto* block = static_cast<Block*>(handle->data);
    const auto callback = block->callback;
    if (callback) callback(status < 0 ? UV_READABLE | UV_WRITABLE : events);
  }
};

Poll::Poll(Loop& loop, int fd, std::function<void(int)> on_ready) : block_(new Block) {
  block_->callback = std::move(on_ready);
  block_->handle.data = block_;
  must(uv_poll_init(loop.raw(), &block_->handle, fd));
}
Poll::~Poll() {
  block_->callback = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&block_->handle),
           [](uv_handle_t* closed) noexcept { delete static_cast<Block*>(closed->data); });
}
void Poll::watch(int events) {
  if (events == 0) {
    uv_poll_stop(&block_->handle);
  } else {
    must(uv_poll_start(&block_->handle, events, Block::fire));
  }
}

Signal::Signal(Loop& loop, int number, Callback on_signal)
    : block_(new detail::Block<uv_signal_t>(std::move(on_signal))) {
  must(uv_signal_init(loop.raw(), &block_->handle));
  must(uv_signal_start(
      &block_->handle,
      [](uv_signal_t* handle, int) noexcept { detail::Block<uv_signal_t>::fire(handle); }, number));
}
Signal::~Signal() {
  block_->close();
}

}  // namespace tally::uv
