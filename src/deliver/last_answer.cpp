#include "last_answer.hpp"

#include <utility>

namespace tally {

void LastAnswer::note(bool is_failed, std::string said, Instant now) {
  is_failure = is_failed;
  words = std::move(said);
  at = now;
  (is_failure ? failure_at : success_at) = now;
}

void LastAnswer::tell(DestinationState& state, Instant now, WallTime wall) const {
  const auto on_wall = [&](std::optional<Instant> then) {
    return then ? std::optional(wall_of(*then, now, wall)) : std::nullopt;
  };
  using Health = DestinationState::Health;
  if (at) state.health = is_failure ? Health::failing : Health::ok;
  state.last_answer = words;
  state.last_answer_at = on_wall(at);
  state.last_success_at = on_wall(success_at);
  state.last_failure_at = on_wall(failure_at);
  state.last_write_took = took;
  state.last_write_bytes = bytes;
}

}  // namespace tally
