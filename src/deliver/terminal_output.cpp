#include "terminal_output.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <iterator>
#include <utility>

namespace tally {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds pause{50};  // until a full pipe is asked again

// Not O_NONBLOCK: it would hold for everyone who has this terminal open, the shell too. A pipe that
// poll calls writable takes PIPE_BUF bytes without waiting.
bool is_writable(int fd) {
  pollfd one{.fd = fd, .events = POLLOUT, .revents = 0};
  return poll(&one, 1, 0) > 0;
}

}  // namespace

TerminalOutput::TerminalOutput(uv::Loop& loop, int fd, OutboxLimits limits)
    : fd_(fd),
      limits_(limits),
      again_(loop, [this] { pump(); }),
      deadline_(loop, [this] { end_drain(); }) {}

void TerminalOutput::push(Payload payload) {
  counts_.pushed += payload.points;
  counts_.queued += payload.points;
  bytes_ += payload.body.size();
  queue_.push_back(std::move(payload));
  drop_oldest_windows();
  pump();
}

// Never the front, of which a part may be written.
void TerminalOutput::drop_oldest_windows() {
  const WallTime newest = queue_.back().window;
  auto oldest = std::next(queue_.begin());
  while (bytes_ > limits_.bytes_max && oldest != queue_.end() && oldest->window != newest) {
    counts_.queued -= oldest->points;
    counts_.dropped_full += oldest->points;
    bytes_ -= oldest->body.size();
    oldest = queue_.erase(oldest);
  }
}

void TerminalOutput::pump() {
  while (!queue_.empty()) {
    const Wrote wrote = write_front();
    if (wrote == Wrote::nothing_more_now) return again_.start(pause);
    settle_front(wrote == Wrote::all ? &OutboxCounts::written : &OutboxCounts::dropped_refused);
  }
  if (drained_) end_drain();
}

TerminalOutput::Wrote TerminalOutput::write_front() {
  const std::string& body = queue_.front().body;
  while (written_ < body.size()) {
    if (!is_writable(fd_)) return Wrote::nothing_more_now;
    const ssize_t count =
        write(fd_, body.data() + written_, std::min<std::size_t>(PIPE_BUF, body.size() - written_));
    if (count < 0 && errno == EAGAIN) return Wrote::nothing_more_now;
    if (count < 0 && errno != EINTR) return Wrote::failed;
    written_ += static_cast<std::size_t>(std::max<ssize_t>(count, 0));
  }
  return Wrote::all;
}

void TerminalOutput::settle_front(std::uint64_t OutboxCounts::*counter) {
  const Payload& front = queue_.front();
  ++counts_.attempts;
  counts_.*counter += front.points;
  counts_.queued -= front.points;
  bytes_ -= front.body.size();
  written_ = 0;
  queue_.pop_front();
}

void TerminalOutput::drain(milliseconds within, std::function<void()> done) {
  drained_ = std::move(done);
  deadline_.start(within);
  pump();
}

void TerminalOutput::end_drain() {
  again_.stop();
  deadline_.stop();
  while (!queue_.empty()) settle_front(&OutboxCounts::dropped_shutdown);
  std::exchange(drained_, nullptr)();  // may destroy us
}

}  // namespace tally
