#include "watch/pulse.hpp"

#include <algorithm>

#include "watch/json_writer.hpp"

namespace tally {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds shortest{1'000};
constexpr milliseconds longest{60'000};

double a_second(std::uint64_t before, std::uint64_t now, Instant::duration time) {
  const double more = now > before ? static_cast<double>(now - before) : 0;
  return more / std::chrono::duration<double>(time).count();
}

}  // namespace

PulseMeter::PulseMeter(milliseconds interval) : span_(std::clamp(interval, shortest, longest)) {}

std::optional<Rates> PulseMeter::feed(const Ledger& ledger, Instant now) {
  if (!seen_.empty() && now <= seen_.back().at) return std::nullopt;
  const Seen seen{now, ledger.ingest.datagrams, ledger.ingest.lines, ledger.ingest.samples,
                  ledger.delivered().written};
  std::optional<Rates> rates;
  if (!seen_.empty()) {
    // The oldest is the first that is no younger than a window.
    while (seen_.size() > 1 && now - seen_[1].at >= span_) seen_.pop_front();
    const Seen& last = seen_.back();
    const Seen& first = seen_.front();
    rates = {.datagrams = a_second(last.datagrams, seen.datagrams, now - last.at),
             .lines = a_second(last.lines, seen.lines, now - last.at),
             .samples = a_second(last.samples, seen.samples, now - last.at),
             .points = a_second(first.written, seen.written, now - first.at)};
  }
  seen_.push_back(seen);
  return rates;
}

std::string pulse_json(const LiveState& live, const Rates& rates) {
  std::string out;
  JsonWriter json(out);
  json.object([&] {
    json.member("now", live.now);
    json.member("datagrams_s", rates.datagrams);
    json.member("lines_s", rates.lines);
    json.member("samples_s", rates.samples);
    json.member("points_s", rates.points);
    json.member("kernel_drops", live.ledger.ingest.kernel_drops);
    json.member("lost", live.ledger.lost());
    json.member("balances", live.ledger.balances());
    json.member("series", live.series);
  });
  return out;
}

}  // namespace tally
