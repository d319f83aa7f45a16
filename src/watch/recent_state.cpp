#include "watch/recent_state.hpp"

#include <utility>

namespace tally {
namespace {

constexpr std::chrono::milliseconds recent{100};

}  // namespace

RecentState::RecentState(Insight& insight, std::function<Instant()> now)
    : insight_(insight), now_(std::move(now)) {}

void RecentState::get(Done done) {
  if (state_ && now_() - at_ < recent) return done(*state_);
  waiting_.push_back(std::move(done));
  if (waiting_.size() > 1) return;
  insight_.live([this](const LiveState& live) { on_state(live); });
}

void RecentState::on_state(const LiveState& live) {
  state_ = live;
  at_ = now_();
  for (const Done& done : std::exchange(waiting_, {})) done(*state_);
}

}  // namespace tally
