#pragma once
// Whether tallyd does its work: for load balancers, Kubernetes and people in a hurry. Pure.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "watch/insight.hpp"

namespace tally {

/// What Insight does not know.
struct HealthFacts {
  std::chrono::milliseconds interval{};
  std::chrono::milliseconds uptime{};
  std::chrono::milliseconds since_window{};  ///< a window was last flushed; before one: the uptime
  bool is_said_down = false;                 ///< `health down` on the admin port
  bool is_deep = false;                      ///< destinations too: ?deep
};

/// Why it does not; empty if it does.
///
///   - it stops, or was said to be down
///   - a receive thread does not answer
///   - no window was flushed for 3 intervals and 5 s
///   - deep: points wait for a destination that has acknowledged none for 3 intervals and 60 s
std::vector<std::string> health_reasons(const LiveState& live, const HealthFacts& facts);

/// GET /health
std::string health_json(const LiveState& live, const HealthFacts& facts,
                        const std::string& version);

}  // namespace tally
