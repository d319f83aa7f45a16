#pragma once
// How fast a backlog is written beside what is flushed now. Pure: `now` is an argument.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "tally/time.hpp"

namespace tally {

struct ReplayLimits {
  double bytes_a_second = 4 << 20;  ///< of line protocol
  double share_of_capacity = 0.25;  ///< of what the server was seen to take
};

/// A backlog is written at the larger of a fixed rate and a share of what the server was seen to
/// take. Not the smaller: 1 GiB of spool is some 7 GiB of lines, and a server that takes 100 MiB/s
/// would get them in half an hour instead of five minutes. What guards a slow server is not a
/// number of ours, but that one request of the backlog is out at a time, and this:
///
/// The rate is halved when a request of what is flushed now took twice as long, and 100 ms longer,
/// beside one of the backlog as such a request takes without: less than that nobody sees on a
/// dashboard. It is not halved twice for what one request of the backlog did, never below a 16th
/// (7 GiB in 8 h, for points do not wait for ever), and it doubles again after each 30 s without
/// such a sign.
class ReplayPace {
 public:
  explicit ReplayPace(ReplayLimits limits) : limits_(limits) {}

  /// A write of what is flushed now was taken.
  struct Live {
    std::size_t bytes = 0;  ///< of its body
    std::chrono::milliseconds took{0};
    bool was_beside_backlog = false;
  };
  void live_written(const Live& write, Instant now);

  /// A write of the backlog was taken. REQUIRES: begun <= now.
  void backlog_written(std::size_t bytes, Instant begun, Instant now);

  /// When the next one may begin, as far as its rate goes. Rates are of a whole request, from its
  /// beginning to that of the next.
  Instant due() const { return due_; }

  double bytes_a_second(Instant now) const;

  /// How long so many bytes will take.
  std::chrono::seconds time_for(double bytes, Instant now) const;

 private:
  /// How long a request takes while none of the backlog is out, by the power of two of its size:
  /// a large one takes longer in any case. 0: not known yet.
  using Usual = std::array<double, 32>;

  double& usual_of(std::size_t bytes);
  void learn_capacity(std::size_t bytes, std::chrono::milliseconds took);
  double share(Instant now) const;

  ReplayLimits limits_;
  Instant due_{};
  double capacity_ = 0;  ///< bytes/s; 0: not known yet
  Usual usual_ms_{};
  double share_ = 1;    ///< of the rate, when it last changed
  Instant changed_{};   ///< and when that was
  bool is_new_ = true;  ///< a request of the backlog was written since
};

}  // namespace tally
