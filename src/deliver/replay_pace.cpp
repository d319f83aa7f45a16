#include "deliver/replay_pace.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

namespace tally {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr double share_min = 1.0 / 16;
constexpr seconds recovery{30};
constexpr double noticeable_ms = 100;
// A small request tells how far the server is, not how much it takes.
constexpr std::size_t telling_bytes = 64 << 10;

/// A quarter of the way: the last few decide.
void approach(double& average, double value) {
  average = average == 0 ? value : average + (value - average) / 4;
}

double ms_of(milliseconds time) {
  return std::max(1.0, static_cast<double>(time.count()));
}

}  // namespace

double& ReplayPace::usual_of(std::size_t bytes) {
  const auto power = static_cast<std::size_t>(std::bit_width(bytes));
  return usual_ms_[std::min(power, usual_ms_.size() - 1)];
}

void ReplayPace::live_written(const Live& write, Instant now) {
  learn_capacity(write.bytes, write.took);
  double& usual = usual_of(write.bytes);
  const double took = ms_of(write.took);
  if (!write.was_beside_backlog) return approach(usual, took);
  if (usual == 0 || took < usual) usual = took;
  const bool is_slow = took > 2 * usual && took - usual > noticeable_ms;
  if (!is_slow || !std::exchange(is_new_, false)) return;
  share_ = std::max(share_min, share(now) / 2);
  changed_ = now;
}

void ReplayPace::backlog_written(std::size_t bytes, Instant begun, Instant now) {
  learn_capacity(bytes, std::chrono::duration_cast<milliseconds>(now - begun));
  is_new_ = true;
  const std::chrono::duration<double> room(static_cast<double>(bytes) / bytes_a_second(now));
  due_ = std::max(now, begun + std::chrono::duration_cast<milliseconds>(room));
}

void ReplayPace::learn_capacity(std::size_t bytes, milliseconds took) {
  if (bytes < telling_bytes) return;
  approach(capacity_, static_cast<double>(bytes) * 1000 / ms_of(took));
}

double ReplayPace::share(Instant now) const {
  const auto calm = std::chrono::duration_cast<seconds>(now - changed_);
  return std::min(1.0, share_ * std::exp2(static_cast<double>(calm / recovery)));
}

double ReplayPace::bytes_a_second(Instant now) const {
  const double most = std::max(limits_.bytes_a_second, limits_.share_of_capacity * capacity_);
  return most * share(now);
}

seconds ReplayPace::time_for(double bytes, Instant now) const {
  double rate = bytes_a_second(now);
  // One request at a time is never faster than that.
  if (capacity_ > 0) rate = std::min(rate, capacity_);
  return seconds(static_cast<seconds::rep>(std::ceil(bytes / rate)));
}

}  // namespace tally
