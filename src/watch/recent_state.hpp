#pragma once
// One question to the receive threads for all who ask at about the same time.

#include <chrono>
#include <functional>
#include <optional>
#include <vector>

#include "tally/time.hpp"
#include "watch/insight.hpp"

namespace tally {

/// Answers from Insight, or with its last answer where that is younger than 100 ms: however many
/// requests come in, those who receive are asked ten times a second.
class RecentState {
 public:
  using Done = std::function<void(const LiveState&)>;

  /// `insight` outlives this.
  RecentState(Insight& insight, std::function<Instant()> now);

  /// Calls `done` once: at once, or within a second.
  void get(Done done);

  /// When the last answer came.
  Instant at() const { return at_; }

 private:
  void on_state(const LiveState& live);

  Insight& insight_;
  std::function<Instant()> now_;
  std::optional<LiveState> state_;
  Instant at_{};
  std::vector<Done> waiting_;
};

}  // namespace tally
