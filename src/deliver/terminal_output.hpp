#pragma once
// `influxdb.url = ""`: each window to standard output, as line protocol.

#include <cstddef>
#include <functional>

#include "last_answer.hpp"
#include "output.hpp"
#include "tally/outbox.hpp"
#include "uv/handles.hpp"

namespace tally {

/// Writes payloads in order. Never waits for its reader: what a pipe does not take now waits in
/// memory, bounded as an outbox is; what cannot be written at all (a closed pipe) is counted as
/// dropped.
///
/// One loop, its thread. While nothing waits, no timer runs.
class TerminalOutput : public Output {
 public:
  /// `fd` must stay open as long as the object lives.
  TerminalOutput(uv::Loop& loop, int fd, OutboxLimits limits);

  void push(Payload payload) override;
  DeliveryCounts counts() const override { return delivery_of(outbox_.counts()); }
  std::size_t bytes() const override { return outbox_.bytes(); }
  DestinationState state(WallTime wall) const override;
  void drain(std::chrono::milliseconds within, std::function<void()> done) override;

 private:
  enum class Wrote { all, nothing_more_now, failed };

  void pump();
  Wrote write_rest();
  void end_drain();

  int fd_;
  Outbox outbox_;
  const Payload* front_ = nullptr;  // in flight: a part of it may be written
  std::size_t written_ = 0;         // bytes of it
  LastAnswer heard_;                // from the kernel
  uv::Timer again_;
  uv::Timer deadline_;
  std::function<void()> drained_;
};

}  // namespace tally
