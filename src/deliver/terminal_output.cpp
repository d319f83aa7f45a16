#include "terminal_output.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstring>
#include <string>
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

Instant now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

TerminalOutput::TerminalOutput(uv::Loop& loop, int fd, OutboxLimits limits)
    : fd_(fd),
      outbox_(limits, 0),  // nothing backs off here, so there is no jitter to seed
      again_(loop, [this] { pump(); }),
      deadline_(loop, [this] { end_drain(); }) {}

void TerminalOutput::push(Payload payload) {
  outbox_.push(std::move(payload));
  pump();
}

void TerminalOutput::pump() {
  while (front_ != nullptr || (front_ = outbox_.start(Instant{})) != nullptr) {
    const Wrote wrote = write_rest();
    if (wrote == Wrote::nothing_more_now) return again_.start(pause);
    const Action action = wrote == Wrote::all ? Action::written : Action::drop;
    outbox_.settle(front_->id, {.action = action, .loss = PointLoss::refused}, Instant{});
    front_ = nullptr;
    written_ = 0;
  }
  if (drained_) end_drain();
}

TerminalOutput::Wrote TerminalOutput::write_rest() {
  const std::string& body = front_->body;
  while (written_ < body.size()) {
    if (!is_writable(fd_)) return Wrote::nothing_more_now;
    const ssize_t count =
        write(fd_, body.data() + written_, std::min<std::size_t>(PIPE_BUF, body.size() - written_));
    if (count < 0 && errno == EAGAIN) return Wrote::nothing_more_now;
    if (count < 0 && errno != EINTR) {
      heard_.note(true, std::string("cannot write to standard output: ") + std::strerror(errno),
                  now());
      return Wrote::failed;
    }
    written_ += static_cast<std::size_t>(std::max<ssize_t>(count, 0));
  }
  heard_.note(false, "written", now());
  heard_.bytes = body.size();
  return Wrote::all;
}

DestinationState TerminalOutput::state(WallTime wall) const {
  DestinationState state{.queued_bytes = bytes(), .oldest = outbox_.oldest_window()};
  heard_.tell(state, now(), wall);
  return state;
}

void TerminalOutput::drain(milliseconds within, std::function<void()> done) {
  drained_ = std::move(done);
  deadline_.start(within);
  pump();
}

void TerminalOutput::end_drain() {
  again_.stop();
  deadline_.stop();
  front_ = nullptr;
  outbox_.abandon();
  std::exchange(drained_, nullptr)();  // may destroy us
}

}  // namespace tally
