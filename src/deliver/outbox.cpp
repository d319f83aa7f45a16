// The queue is a list of payloads, of which only the first is ever in flight; what a verdict makes
// of it stands in its place. The search for a line that makes the server fail (`halve_front`) marks
// the parts of that one payload as suspects. They are at the front until each is written, dead, or
// all are one payload again.

#include "tally/outbox.hpp"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>

#include "deliver/body.hpp"
#include "deliver/known_series.hpp"

namespace tally {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint32_t refusals_before_doubt = 5;
constexpr std::uint32_t new_series_lines_max = 500;

// Twice the halvings of 5,000 lines: more refusals in a row than a few bad lines cause, and few
// enough that a server which falls ill during the search does not cost many good lines.
constexpr std::uint32_t fruitless_max = 26;
constexpr std::uint32_t nothing_accepted = fruitless_max + 1;

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

/// The lines of known series, if any, then the others in parts.
std::vector<std::string> parts_by_series(std::string_view body, const KnownSeries& known) {
  std::string of_known;
  std::string of_new;
  for_each_line(body, [&](std::string_view line) {
    (known.knows(line) ? of_known : of_new).append(line) += '\n';
  });
  std::vector<std::string> parts = cut_to_lines(of_new, new_series_lines_max);
  if (!of_known.empty()) parts.insert(parts.begin(), std::move(of_known));
  return parts;
}

}  // namespace

DeliveryCounts delivery_of(const OutboxCounts& counts) {
  return {.pushed = counts.pushed,
          .written = counts.written,
          .queued = counts.queued,
          .dead = counts.dead,
          .dropped_full = counts.dropped_full,
          .dropped_refused = counts.dropped_refused,
          .dropped_conflict = counts.dropped_conflict,
          .dropped_expired = counts.dropped_expired,
          .dropped_series = counts.dropped_series,
          .dropped_shutdown = counts.dropped_shutdown,
          .attempts = counts.attempts,
          .retries = counts.retries};
}

Outbox::Outbox(OutboxLimits limits, std::uint64_t jitter_seed, KnownSeries* known)
    : limits_(limits), known_(known) {
  // The first draw of a linear generator is small when its seed is: the sequence spreads it.
  std::seed_seq seeds{static_cast<std::uint32_t>(jitter_seed),
                      static_cast<std::uint32_t>(jitter_seed >> 32)};
  random_.seed(seeds);
}

// ---- the queue --------------------------------------------------------------------------------

std::uint64_t Outbox::push(Payload payload) {
  payload.id = next_id_++;
  counts_.pushed += payload.points;
  counts_.queued += payload.points;
  bytes_ += payload.body.size();
  queue_.push_back({.payload = std::move(payload)});

  std::uint64_t dropped = 0;
  auto oldest = std::next(queue_.begin(), in_flight_ ? 1 : 0);
  const WallTime newest_window = queue_.back().payload.window;
  while (bytes_ > limits_.bytes_max && oldest->payload.window != newest_window) {
    dropped += oldest->payload.points;
    bytes_ -= oldest->payload.body.size();
    oldest = queue_.erase(oldest);
  }
  counts_.queued -= dropped;
  counts_.dropped_full += dropped;
  return dropped;
}

const Payload* Outbox::start(Instant now) {
  if (in_flight_ || queue_.empty() || now < not_before_) return nullptr;
  const Payload& payload = queue_.front().payload;
  if (payload.body.size() > body_bytes_max_ && payload.points > 1)
    replace_front(cut_to_size(payload.body, body_bytes_max_));
  in_flight_ = true;
  return &queue_.front().payload;
}

std::optional<Instant> Outbox::due() const {
  if (in_flight_ || queue_.empty()) return std::nullopt;
  return not_before_;
}

std::optional<WallTime> Outbox::oldest_window() const {
  std::optional<WallTime> oldest;
  for (const Waiting& each : queue_)
    oldest = oldest ? std::min(*oldest, each.payload.window) : each.payload.window;
  return oldest;
}

const Payload* Outbox::oldest() const {
  const auto oldest = std::next(queue_.begin(), in_flight_ ? 1 : 0);
  return oldest == queue_.end() ? nullptr : &oldest->payload;
}

std::optional<Payload> Outbox::take_oldest() {
  const auto oldest = std::next(queue_.begin(), in_flight_ ? 1 : 0);
  if (oldest == queue_.end()) return std::nullopt;
  Payload payload = std::move(oldest->payload);
  queue_.erase(oldest);
  bytes_ -= payload.body.size();
  counts_.queued -= payload.points;
  counts_.moved += payload.points;
  return payload;
}

void Outbox::leave_to_disk() {
  assert(!in_flight_);
  std::erase_if(queue_, [this](const Waiting& waiting) {
    const Payload& payload = waiting.payload;
    if (!payload.is_on_disk) return false;
    bytes_ -= payload.body.size();
    counts_.queued -= payload.points;
    counts_.moved += payload.points;
    return true;
  });
}

std::uint64_t Outbox::points_on_disk() const {
  std::uint64_t points = 0;
  for (const Waiting& waiting : queue_)
    if (waiting.payload.is_on_disk) points += waiting.payload.points;
  return points;
}

std::vector<DeadLetter> Outbox::take_dead() {
  dead_bytes_ = 0;
  return std::exchange(dead_, {});
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

void Outbox::pop_front() {
  bytes_ -= queue_.front().payload.body.size();
  queue_.pop_front();
}

/// Puts parts in place of the front, which are what it was.
void Outbox::replace_front(std::vector<std::string> bodies) {
  Waiting whole = std::move(queue_.front());
  bytes_ -= whole.payload.body.size();
  queue_.pop_front();
  whole.payload.body.clear();
  const auto place = queue_.begin();
  for (std::string& body : bodies) {
    Payload& part = queue_.insert(place, whole)->payload;
    part.id = next_id_++;
    part.points = count_lines(body);
    part.body = std::move(body);
    bytes_ += part.body.size();
  }
}

/// Lets the others pass.
void Outbox::step_aside() {
  queue_.splice(queue_.end(), queue_, queue_.begin());
}

// ---- what a verdict does ------------------------------------------------------------------------

void Outbox::settle([[maybe_unused]] PayloadId id, const Verdict& verdict, Instant now) {
  assert(in_flight_ && queue_.front().payload.id == id);
  in_flight_ = false;
  ++counts_.attempts;
  const Outcome outcome = obey(verdict);
  if (outcome != Outcome::done) ++counts_.retries;
  if (outcome == Outcome::later) return wait(verdict, now);
  if (outcome == Outcome::done) {
    failures_ = 0;
    was_refused_ = false;
  }
  hurry();
}

Outbox::Outcome Outbox::obey(const Verdict& verdict) {
  switch (verdict.action) {
    case Action::written:
    case Action::drop:
      return finish(verdict);
    case Action::split:
      return split(verdict);
    case Action::without_lines:
      return without_lines(verdict);
    case Action::known_alone:
      return part_by_series(verdict);
    case Action::keep:
    case Action::create_database:
      break;
  }
  return verdict.may_be_a_line ? refuse(verdict) : Outcome::later;
}

/// Takes the front out and says where its points went.
Outbox::Outcome Outbox::finish(const Verdict& verdict) {
  const std::uint32_t named = bury_named(verdict);
  const Payload& payload = queue_.front().payload;
  const std::uint32_t unnamed = verdict.points_lost - std::min(named, verdict.points_lost);
  const std::uint32_t lost =
      verdict.action == Action::written ? std::min(unnamed, payload.points) : payload.points;
  counts_.written += payload.points - lost;
  counter_of(verdict.loss, counts_) += lost;
  counts_.queued -= payload.points;
  if (lost < payload.points) fruitless_ = 0;
  // Which of the lines were lost is not known: none is learned.
  if (known_ != nullptr && lost == 0) known_->learn(payload.body);
  pop_front();
  sift();
  return Outcome::done;
}

Outbox::Outcome Outbox::split(const Verdict& verdict) {
  const Payload& payload = queue_.front().payload;
  if (payload.points <= 1) {
    bury(payload.body, verdict.message);
    pop_front();
    sift();
    return Outcome::done;
  }
  const std::size_t half = payload.body.size() / 2;
  body_bytes_max_ = std::min(body_bytes_max_, half);
  replace_front(cut_to_size(payload.body, half));
  return Outcome::again;
}

Outbox::Outcome Outbox::without_lines(const Verdict& verdict) {
  if (bury_named(verdict) == 0) return Outcome::later;
  Payload& rest = queue_.front().payload;
  rest.id = next_id_++;
  if (rest.points > 0) return Outcome::again;
  pop_front();
  sift();
  return Outcome::done;
}

Outbox::Outcome Outbox::part_by_series(const Verdict& verdict) {
  Waiting& whole = queue_.front();
  const Payload& payload = whole.payload;
  if (std::max(verdict.points_lost, 1U) >= payload.points) {
    if (known_ != nullptr) known_->forget(payload.body);
    return finish({.action = Action::drop, .loss = PointLoss::series_limit});
  }
  std::vector<std::string> parts;
  if (known_ != nullptr && !whole.is_parted) parts = parts_by_series(payload.body, *known_);
  if (parts.size() < 2) parts = cut_after(payload.body, payload.points / 2);
  whole.is_parted = true;
  replace_front(std::move(parts));
  return Outcome::again;
}

/// A dead letter, or if there is no room for one a dropped line. The caller takes it out.
void Outbox::bury(std::string_view line, const std::string& reason) {
  --counts_.queued;
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (dead_bytes_ + line.size() + reason.size() > limits_.dead_bytes_max) {
    ++counts_.dropped_refused;
    return;
  }
  ++counts_.dead;
  dead_bytes_ += line.size() + reason.size();
  dead_.push_back({std::string(line), reason, queue_.front().payload.window});
}

/// Takes the lines that the verdict names out of the front. How many these were.
std::uint32_t Outbox::bury_named(const Verdict& verdict) {
  if (verdict.refused_lines.empty()) return 0;
  Payload& payload = queue_.front().payload;
  Sorted sorted = take_lines(payload.body, verdict.refused_lines);
  for (const std::string_view line : sorted.taken) bury(line, verdict.message);
  const auto named = static_cast<std::uint32_t>(sorted.taken.size());
  bytes_ -= payload.body.size() - sorted.rest.size();
  payload.points -= named;
  payload.body = std::move(sorted.rest);
  return named;
}

// ---- the search for a line ----------------------------------------------------------------------

bool Outbox::suspects_a_line() const {
  return !in_flight_ && !queue_.empty() && !is_looking() &&
         queue_.front().refusals >= refusals_before_doubt;
}

void Outbox::halve_front(bool others_are_written) {
  if (!suspects_a_line()) return;
  Waiting& whole = queue_.front();
  whole.refusals = 0;
  // A half of it may be as bad as the whole: each time that it was in vain a smaller part is tried.
  whole.halvings = std::min(whole.halvings + 1, 31U);
  others_are_written |= counts_.written > whole.written_before;
  const std::uint32_t points = whole.payload.points;
  if (points <= 1 && !others_are_written) return step_aside();
  whole.is_suspect = true;
  fruitless_ = others_are_written ? 0 : nothing_accepted;
  if (points > 1)
    replace_front(cut_after(whole.payload.body, std::max(1U, points >> whole.halvings)));
  hurry();
}

/// The front was refused, and a line of it may be why.
Outbox::Outcome Outbox::refuse(const Verdict& verdict) {
  Waiting& refused = queue_.front();
  if (refused.refusals == 0 && refused.halvings == 0) refused.written_before = counts_.written;
  // Those before the first were of another kind: here is a server that answers.
  if (!std::exchange(was_refused_, true)) failures_ = 0;
  ++refused.refusals;
  if (!refused.is_suspect) return Outcome::later;
  refused.is_refused = true;
  ++fruitless_;
  refusal_ = verdict.message;
  sift();
  if (!is_looking()) return Outcome::done;
  if (!queue_.front().is_refused) return Outcome::again;

  const auto other = std::next(queue_.begin());
  if (other == queue_.end() || !other->is_suspect || other->is_refused) {
    join_suspects();
    return Outcome::later;
  }
  queue_.splice(queue_.begin(), queue_, other);
  return Outcome::again;
}

/// What was refused is halved without another request once the server has accepted something else,
/// and the line that is left in the end is dead.
void Outbox::sift() {
  while (is_looking() && queue_.front().is_refused && fruitless_ <= fruitless_max) {
    Waiting& refused = queue_.front();
    refused.is_refused = false;
    if (refused.payload.points > 1) {
      replace_front(cut_after(refused.payload.body, refused.payload.points / 2));
    } else {
      bury(refused.payload.body, refusal_);
      pop_front();
    }
  }
}

/// The server takes nothing at all: it is ill, or its line was not alone. The part that was tried
/// first is at the end now, so that the next search tries another.
void Outbox::join_suspects() {
  Waiting& whole = queue_.front();
  for (auto part = std::next(queue_.begin()); part != queue_.end() && part->is_suspect;
       part = queue_.erase(part)) {
    whole.payload.body += part->payload.body;
    whole.payload.points += part->payload.points;
  }
  whole.payload.id = next_id_++;
  whole.is_suspect = whole.is_refused = false;
  whole.refusals = 0;
  whole.written_before = counts_.written;
  step_aside();
}

// ---- the back-off -------------------------------------------------------------------------------

void Outbox::wait(const Verdict& verdict, Instant now) {
  ++failures_;
  not_before_ = now + backoff(verdict);
}

milliseconds Outbox::backoff(const Verdict& verdict) {
  constexpr seconds wish_max{300};
  constexpr std::uint32_t doublings_max = 10;  // past every cap, and far from an overflow
  const milliseconds first{verdict.configuration ? 5'000 : 500};
  const milliseconds cap{verdict.configuration ? 60'000 : 30'000};
  const milliseconds most = std::min(cap, first * (1 << std::min(failures_ - 1, doublings_max)));
  std::uniform_int_distribution<milliseconds::rep> jitter(0, most.count());
  return std::max<milliseconds>(std::min(verdict.retry_after, wish_max),
                                milliseconds{jitter(random_)});
}

}  // namespace tally
