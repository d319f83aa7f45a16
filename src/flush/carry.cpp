#include "tally/carry.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace tally {
namespace {

constexpr double largest = std::numeric_limits<double>::max();

// Sums are kept finite sample by sample; those of several workers, or a carried gauge and its
// deltas, can still leave the range together. The nearest double is then the least wrong that can
// be written.
double finite(double value) {
  return std::clamp(value, -largest, largest);
}

}  // namespace

Carry::Carry(CarryRules rules) : rules_(std::move(rules)) {}

Snapshot Carry::close(const Table& window, const Span& span) {
  Snapshot snapshot = close_slice(window, span, 0, window.places());
  close_idle(snapshot);
  return snapshot;
}

Snapshot Carry::close_slice(const Table& window, const Span& span, std::size_t begin,
                            std::size_t end) {
  Snapshot snapshot;
  snapshot.span = span;
  snapshot.percents = rules_.percents;
  const double seconds = std::chrono::duration<double>(span.interval).count();
  for (std::size_t i = begin; i < end; ++i) {
    const auto [key, aggregate, sender] = window.entry(i);
    if (const auto* counter = std::get_if<Counter>(&aggregate)) {
      const double count = finite(counter->sum);
      snapshot.counters.push_back({key, count, finite(count / seconds), sender});
    } else if (const auto* gauge = std::get_if<Gauge>(&aggregate)) {
      close_gauge(key, *gauge, snapshot);
      snapshot.gauges.back().sender = sender;
    } else if (const auto* values = std::get_if<const Distribution*>(&aggregate)) {
      close_timer(key, **values, snapshot);
      snapshot.timers.back().sender = sender;
    } else if (const auto* members = std::get_if<const MemberSet*>(&aggregate)) {
      snapshot.sets.push_back({key, (*members)->count(), sender});
      sets_estimated_ += !(*members)->is_exact();
    }
  }
  return snapshot;
}

void Carry::close_timer(std::string_view key, const Distribution& values, Snapshot& snapshot) {
  const std::size_t first = snapshot.percentiles.size();
  snapshot.percentiles.resize(first + rules_.percents.size());
  values.percentiles(rules_.percents, snapshot.percentiles.data() + first);
  snapshot.timers.push_back({.key = key,
                             .count = values.count(),
                             .mean = finite(values.mean()),
                             .min = values.min(),
                             .max = values.max(),
                             .sum = finite(values.sum()),
                             .stddev = values.stddev(),
                             .first_percentile = first});
  if (rules_.details) {
    snapshot.timers.back().median = values.median();
    snapshot.timers.back().sum_squares = values.sum_squares();
    snapshot.lowest.resize(snapshot.percentiles.size());
    values.lowest(rules_.percents, snapshot.lowest.data() + first);
  }
  timers_estimated_ += !values.is_exact();
}

void Carry::close_gauge(std::string_view key, const Gauge& gauge, Snapshot& snapshot) {
  auto held = gauges_.find(key);
  const double before = held == gauges_.end() ? 0 : held->second.value;
  const double value = finite(gauge.is_set ? gauge.value : before + gauge.value);
  snapshot.gauges.push_back({key, value});
  if (time_of_series_key(key) != 0) return;  // what it was in the past says nothing of now
  if (held == gauges_.end()) {
    if (gauges_.size() >= rules_.gauges_max) {
      ++gauges_not_carried_;
      return;
    }
    held = gauges_.emplace(key, Held{}).first;
  }
  held->second = {.value = value, .heard = true};
}

void Carry::each_gauge(const std::function<void(std::string_view key, double value)>& each) const {
  for (const auto& [key, held] : gauges_) each(key, held.value);
}

void Carry::forget_gauges(const std::function<bool(std::string_view key)>& is_meant) {
  std::erase_if(gauges_, [&](const auto& held) { return is_meant(held.first); });
}

void Carry::close_idle(Snapshot& snapshot) {
  const bool for_ever = rules_.gauge_ttl.count() == 0;
  for (auto it = gauges_.begin(); it != gauges_.end();) {
    Held& held = it->second;
    if (!std::exchange(held.heard, false)) {
      held.idle += snapshot.span.interval;
      if (!for_ever && held.idle > rules_.gauge_ttl) {
        it = gauges_.erase(it);
        ++gauges_expired_;
        continue;
      }
      snapshot.gauges.push_back({it->first, held.value, 0, held.idle});
    }
    ++it;
  }
}

}  // namespace tally
