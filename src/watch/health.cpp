#include "watch/health.hpp"

#include <fmt/format.h>

#include "tally/text.hpp"
#include "watch/json_writer.hpp"

namespace tally {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds window_grace{5'000};
constexpr milliseconds destination_grace{60'000};

double seconds_of(milliseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

void judge_process(const LiveState& live, const HealthFacts& facts,
                   std::vector<std::string>& reasons) {
  if (live.is_stopping) reasons.push_back("tallyd is stopping");
  if (facts.is_said_down)
    reasons.push_back("it was said to be down; \"health up\" on the admin port ends that");
  if (!live.is_whole)
    reasons.push_back(
        "a receive thread does not answer: it hangs, or has no CPU; what it hears is not written");
  if (facts.since_window > 3 * facts.interval + window_grace)
    reasons.push_back(
        fmt::format("no window was flushed for {:.0f} s: the machine is overloaded, or tallyd "
                    "hangs; nothing new is written",
                    seconds_of(facts.since_window)));
}

/// How long a destination has acknowledged nothing.
milliseconds silence_of(const DestinationState& destination, WallTime now, milliseconds uptime) {
  return destination.last_success_at ? now - *destination.last_success_at : uptime;
}

void judge_destination(const DestinationState& destination, std::uint64_t waiting,
                       milliseconds silence, std::vector<std::string>& reasons) {
  reasons.push_back(fmt::format(
      "{} points wait for {}, which has acknowledged none for {:.0f} s{}", with_commas(waiting),
      destination.name, seconds_of(silence),
      destination.last_answer.empty() ? "" : "; its last answer: " + destination.last_answer));
}

void judge_destinations(const LiveState& live, const HealthFacts& facts,
                        std::vector<std::string>& reasons) {
  for (std::size_t i = 0; i < live.destinations.size(); ++i) {
    const DestinationState& destination = live.destinations[i];
    const milliseconds silence = silence_of(destination, live.now, facts.uptime);
    if (i >= live.ledger.deliveries.size() || silence <= 3 * facts.interval + destination_grace)
      continue;
    const DeliveryCounts& counts = live.ledger.deliveries[i];
    if (const std::uint64_t waiting = counts.queued + counts.spooled; waiting > 0)
      judge_destination(destination, waiting, silence, reasons);
  }
}

}  // namespace

std::vector<std::string> health_reasons(const LiveState& live, const HealthFacts& facts) {
  std::vector<std::string> reasons;
  judge_process(live, facts, reasons);
  if (facts.is_deep) judge_destinations(live, facts, reasons);
  return reasons;
}

std::string health_json(const LiveState& live, const HealthFacts& facts,
                        const std::string& version) {
  const std::vector<std::string> reasons = health_reasons(live, facts);
  std::string out;
  JsonWriter json(out);
  json.object([&] {
    json.member("status", reasons.empty() ? "ok" : "failing");
    json.key("reasons").array([&] {
      for (const std::string& reason : reasons) json.value(reason);
    });
    json.member("version", version);
    json.member("uptime_s", seconds_of(facts.uptime));
    json.member("windows", live.ledger.windows);
    json.member("last_window", live.last_closed);
  });
  return out;
}

}  // namespace tally
