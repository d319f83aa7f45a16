#pragma once
// Watches a receiver's socket from outside while it works: how full its queue is, and for how long
// nobody read from it.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tally::bench {

/// While one datagram stays the first of a queue, nobody reads: that is a gap in receiving. The
/// queue's length would not tell: the kernel gives the bytes of read datagrams back when the reader
/// has emptied what it took over in one piece, which is all of a backlog. Pure: the caller reads
/// clock and queue.
class QueueWatch {
 public:
  using Clock = std::chrono::steady_clock;

  explicit QueueWatch(Clock::time_point start) : start_(start), last_read_(start) {}

  /// `first` tells the first datagram from others; 0: there is none.
  void see(std::uint32_t bytes, std::uint64_t first, Clock::time_point now) {
    bytes_max_ = std::max(bytes_max_, bytes);
    if (first_ != 0) note_gap(now);
    if (first == 0 || first != first_) last_read_ = now;
    first_ = first;
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
  std::uint64_t first_ = 0;
  std::uint32_t bytes_max_ = 0;
  std::vector<double> gap_ms_by_second_;
};

}  // namespace tally::bench
