#include "tally/outbox.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace tally {
namespace {

using std::chrono::milliseconds;

/// The counter that points lost for this reason move.
std::uint64_t& counter_of(PointLoss loss, OutboxCounts& counts) {
  switch (loss) {
    case PointLoss::type_conflict:
      return counts.dropped_conflict;
    case PointLoss::beyond_retention:
      return counts.dropped_expired;
    case PointLoss::series_limit:
      return counts.dropped_series;
    case PointLoss::none:
    case PointLoss::refused:
      break;
  }
  return counts.dropped_refused;
}

/// Where to cut a body in two near its middle, behind a line; its size if it is one line only.
std::size_t middle_of(const std::string& body) {
  const std::size_t middle = body.size() / 2;
  const std::size_t before = middle == 0 ? std::string::npos : body.rfind('\n', middle - 1);
  if (before != std::string::npos) return before + 1;
  const std::size_t behind = body.find('\n', middle);
  return behind == std::string::npos ? body.size() : behind + 1;
}

}  // namespace

Outbox::Outbox(OutboxLimits limits, std::uint64_t jitter_seed) : limits_(limits) {
  // The first draw of a linear generator is small when its seed is: the sequence spreads it.
  std::seed_seq seeds{static_cast<std::uint32_t>(jitter_seed),
                      static_cast<std::uint32_t>(jitter_seed >> 32)};
  random_.seed(seeds);
}

std::uint64_t Outbox::push(Payload payload) {
  payload.id = next_id_++;
  counts_.pushed += payload.points;
  counts_.queued += payload.points;
  bytes_ += payload.body.size();
  queue_.push_back(std::move(payload));

  std::uint64_t dropped = 0;
  auto oldest = std::next(queue_.begin(), in_flight_ ? 1 : 0);
  const WallTime newest_window = queue_.back().window;
  while (bytes_ > limits_.bytes_max && oldest->window != newest_window) {
    dropped += oldest->points;
    bytes_ -= oldest->body.size();
    oldest = queue_.erase(oldest);
  }
  counts_.queued -= dropped;
  counts_.dropped_full += dropped;
  return dropped;
}

const Payload* Outbox::start(Instant now) {
  if (in_flight_ || queue_.empty() || now < not_before_) return nullptr;
  in_flight_ = true;
  return &queue_.front();
}

std::optional<Instant> Outbox::due() const {
  if (in_flight_ || queue_.empty()) return std::nullopt;
  return not_before_;
}

void Outbox::settle([[maybe_unused]] PayloadId id, const Verdict& verdict, Instant now) {
  assert(in_flight_ && queue_.front().id == id);
  in_flight_ = false;
  ++counts_.attempts;
  switch (verdict.action) {
    case Action::keep:
    case Action::create_database:
    case Action::without_lines:
    case Action::known_alone:
      return wait(verdict, now);
    case Action::split:
      if (split_front()) return;
      break;
    case Action::written:
    case Action::drop:
      break;
  }
  settle_front(verdict);
  failures_ = 0;
  hurry();
}

std::uint64_t Outbox::abandon() {
  const std::uint64_t points = counts_.queued;
  counts_.dropped_shutdown += points;
  counts_.queued = 0;
  queue_.clear();
  bytes_ = 0;
  in_flight_ = false;
  return points;
}

/// Takes the front out and says where its points went.
void Outbox::settle_front(const Verdict& verdict) {
  const std::uint32_t points = queue_.front().points;
  const bool is_written = verdict.action == Action::written;
  const std::uint32_t lost = is_written ? std::min(verdict.points_lost, points) : points;
  counts_.written += points - lost;
  counter_of(verdict.loss, counts_) += lost;
  counts_.queued -= points;
  pop_front();
}

void Outbox::pop_front() {
  bytes_ -= queue_.front().body.size();
  queue_.pop_front();
}

/// Puts two halves in place of the front. False if it is a single line.
bool Outbox::split_front() {
  Payload& whole = queue_.front();
  const std::size_t cut = middle_of(whole.body);
  if (cut == whole.body.size()) return false;
  Payload rest = whole;
  rest.body.erase(0, cut);
  whole.body.resize(cut);
  whole.points = static_cast<std::uint32_t>(std::count(whole.body.begin(), whole.body.end(), '\n'));
  rest.points -= whole.points;
  whole.id = next_id_++;
  rest.id = next_id_++;
  queue_.insert(std::next(queue_.begin()), std::move(rest));
  ++counts_.retries;
  return true;
}

void Outbox::wait(const Verdict& verdict, Instant now) {
  ++counts_.retries;
  ++failures_;
  not_before_ = now + backoff(verdict);
}

milliseconds Outbox::backoff(const Verdict& verdict) {
  constexpr milliseconds first{500};
  constexpr std::uint32_t doublings_max = 10;  // past every cap, and far from an overflow
  const milliseconds cap{verdict.configuration ? 60'000 : 30'000};
  const milliseconds most = std::min(cap, first * (1 << std::min(failures_ - 1, doublings_max)));
  std::uniform_int_distribution<milliseconds::rep> jitter(0, most.count());
  return std::max<milliseconds>(verdict.retry_after, milliseconds{jitter(random_)});
}

}  // namespace tally
