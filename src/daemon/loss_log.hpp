#pragma once
// One log line when something was lost: what, how many, why, and the cure.

#include <optional>
#include <string>
#include <vector>

#include "tally/ledger.hpp"
#include "tally/time.hpp"

namespace tally {

/// Compares states of the ledger and puts losses into words, at most one line of a kind in 10 s:
/// what is lost meanwhile is in the next line. Pure: the caller logs.
class LossLog {
 public:
  /// `receive_buffer` in bytes as granted, for the cure.
  explicit LossLog(std::uint64_t receive_buffer) : receive_buffer_(receive_buffer) {}

  /// The lines to log now. `example` is one refused line in words, safe to show. `is_last` says all
  /// that is still unsaid.
  std::vector<std::string> lines(const Ledger& now, const std::optional<std::string>& example,
                                 Instant time, bool is_last);

 private:
  struct Kind {
    std::optional<Instant> said;
    Ledger before;  // as it was then
  };
  bool may_speak(const Kind& kind, Instant time, bool is_last) const;

  std::uint64_t receive_buffer_;
  Kind kernel_, refused_, denied_, unread_, not_statsd_, connections_, points_;
};

}  // namespace tally
