#pragma once
// Watches a receiver's socket from outside while it works: how full its queue is, and for how long
// nobody read from it.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tally::bench {

/// A reader is at work when the queue is empty or has become shorter. The time from one such moment
/// to the next, while something waited, is a gap in receiving. Pure: the caller reads clock and
/// queue.
///
/// The kernel gives the bytes of read datagrams back when the reader has emptied what it took over
/// in one piece, so a gap is seen too long by the time one such piece takes: microseconds for a
/// reader that keeps up.
class QueueWatch {
 public:
  using Clock = std::chrono::steady_clock;

  explicit QueueWatch(Clock::time_point start) : start_(start), last_read_(start) {}

  void see(std::uint32_t bytes, Clock::time_point now) {
    bytes_max_ = std::max(bytes_max_, bytes);
    if (last_bytes_ > 0) note_gap(now);
    if (bytes == 0 || bytes < last_bytes_) last_read_ = now;
    last_bytes_ = bytes;
  }

  std::uint32_t bytes_max() const { return bytes_max_; }
  /// The longest gap that ended (or was still open) in each second since the start, in
  /// milliseconds.
  const std::vector<double>& gap_ms_by_second() const { return gap_ms_by_second_; }

 private:
  void note_gap(Clock::time_point now) {
    const auto second = static_cast<std::size_t>(
        std::chrono::duration_cast<std::chrono::seconds>(now - start_).count());
    if (gap_ms_by_second_.size() <= second) gap_ms_by_second_.resize(second + 1);
    const double gap_ms = std::chrono::duration<double, std::milli>(now - last_read_).count();
    gap_ms_by_second_[second] = std::max(gap_ms_by_second_[second], gap_ms);
  }

  Clock::time_point start_;
  Clock::time_point last_read_;
  std::uint32_t last_bytes_ = 0;
  std::uint32_t bytes_max_ = 0;
  std::vector<double> gap_ms_by_second_;
};

}  // namespace tally::bench
