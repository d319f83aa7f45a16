#include "deliver/influx_writer.hpp"

#include <algorithm>
#include <utility>

// The outboxes say what to send and when, the server what an answer means; here is only what moves
// between them. `pump` is the one place where a request begins, and it is called after everything
// that may have changed an outbox.

namespace tally {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds drain_pause{
    200};  // between attempts while draining, in place of the back-off
constexpr std::chrono::seconds worth_saying{2};  // of a replay
constexpr milliseconds mend_pause{3'000};
constexpr milliseconds ask_pause{5'000};  // until a server that is not even alive is asked again

std::uint64_t random_number() {
  std::uint64_t number = 0;
  // On failure 0: jitter is no secret.
  uv_random(nullptr, nullptr, &number, sizeof number, 0, nullptr);
  return number;
}

}  // namespace

InfluxWriter::Lane::Lane(OutboxLimits limits, KnownSeries& known)
    : outbox(limits, random_number(), &known) {}

InfluxWriter::InfluxWriter(uv::Loop& loop, InfluxSettings settings, OutboxLimits limits,
                           spdlog::logger& log, std::unique_ptr<Backlog> backlog)
    : loop_(loop),
      settings_(std::move(settings)),
      limits_(limits),
      backlog_(std::move(backlog)),
      log_(log, settings_.server.destination.url, settings_.server.destination.name),
      known_(settings_.series_max, random_number()),
      live_(limits, known_),
      replay_(limits, known_),
      pace_(settings_.replay),
      server_(loop, settings_.server, log_),
      timer_(loop,
             [this] {
               if (drained_) live_.outbox.hurry();
               pump();
             }),
      mend_timer_(loop, [this] { look_if_mended(); }),
      drain_timer_(loop, [this] { end_drain(); }) {
  if (backlog_) backlog_->when_recovered([this] { on_recovered(); });
}

Instant InfluxWriter::now() const {
  return Instant{milliseconds{uv_now(loop_.raw())}};
}

// ---- what waits, and where ----------------------------------------------------------------------

void InfluxWriter::push(Payload payload) {
  pushed_ += payload.points;
  if (!to_disk(payload)) {
    const std::uint64_t dropped = live_.outbox.push(std::move(payload));
    if (dropped > 0) log_.dropped(dropped, limits_.bytes_max, waiting(), now());
  }
  pump();
}

bool InfluxWriter::to_disk(const Payload& payload) {
  if (!backlog_) return false;
  if (goes_behind()) return backlog_->put(payload);
  return settings_.spools_always && backlog_->put_fresh(payload);
}

/// Whether the next payload waits behind the backlog. REQUIRES: a backlog.
bool InfluxWriter::goes_behind() const {
  constexpr std::uint64_t packed = 8;  // how much smaller lines are on disk
  const std::uint64_t bytes = live_.outbox.bytes() + backlog_->fresh_bytes() * packed;
  if (bytes > limits_.bytes_max / 2) return true;
  // While the destination is away the newest points find out, when the back-off lets them.
  const bool may_try = !has_live() && replay_.sent == nullptr && now() >= not_before_;
  return is_down_ && !may_try;
}

/// Whether the live lane has something to send, or will when it asks.
bool InfluxWriter::has_live() const {
  return !live_.outbox.empty() || (backlog_ && backlog_->fresh_bytes() > 0);
}

DeliveryCounts InfluxWriter::counts() const {
  DeliveryCounts all = delivery_of(live_.outbox.counts());
  all += delivery_of(replay_.outbox.counts());
  all.pushed = pushed_;
  all.queued = live_.outbox.counts().queued - live_.outbox.points_on_disk();
  all.dead -= not_buried_;
  all.dropped_refused += not_buried_;
  if (!backlog_) return all;
  const SpoolCounts& spool = backlog_->counts();
  all.recovered = spool.recovered;
  // A record waits on disk until all of it is done; what is done already is not counted twice.
  all.spooled = spool.waiting;
  for (const Lane* lane : {&live_, &replay_})
    all.spooled -= lane->record_points - lane->outbox.points_on_disk();
  all.dropped_spool = spool.dropped_full;
  all.dropped_age = spool.dropped_expired;
  all.dropped_damaged = spool.dropped_damaged;
  return all;
}

DestinationState InfluxWriter::state(WallTime wall) const {
  const Destination& to = server_.destination();
  const DeliveryCounts all = counts();
  DestinationState state{.url = to.url,
                         .api = server_.is_api_known() ? std::string(to_string(to.api)) : "auto",
                         .server = server_.version(),
                         .queued_bytes = bytes(),
                         .spool_bytes = disk_bytes(),
                         .oldest = live_.outbox.oldest_window()};
  heard_.tell(state, now(), wall);
  if (backlog_ && all.spooled > 0) {
    const WallTime on_disk = wall - backlog_->age();
    state.oldest = state.oldest ? std::min(*state.oldest, on_disk) : on_disk;
  }
  if (replaying_)
    state.eta = pace_.time_for(static_cast<double>(all.spooled) * replaying_->bytes_a_point, now());
  return state;
}

DeliveryLog::Waiting InfluxWriter::waiting() const {
  return {.counts = counts(),
          .spool_bytes = backlog_ ? backlog_->bytes() : 0,
          .spool_bytes_max = backlog_ ? backlog_->bytes_max() : 0};
}

// REQUIRES: nothing of the live lane is in flight.
void InfluxWriter::move_to_disk() {
  if (!backlog_) return;
  if (live_.record_points > 0 && live_.outbox.points_on_disk() == live_.record_points) {
    live_.outbox.leave_to_disk();
    live_.record_points = 0;  // it is not done, only given back
    backlog_->set_back();
  }
  // Of a record of which a part is done the rest becomes one of its own.
  for (const Payload* oldest = live_.outbox.oldest(); oldest != nullptr;
       oldest = live_.outbox.oldest()) {
    if (!backlog_->put(*oldest)) return end_records();
    live_.outbox.take_oldest();
  }
  end_records();
  backlog_->set_back();
}

void InfluxWriter::feed() {
  if (!backlog_) return;
  if (settings_.spools_always && live_.outbox.empty()) take(live_, backlog_->fresh());
  if (drained_ || !replay_.outbox.empty()) return;
  written_before_replay_ = live_.outbox.counts().written;
  take(replay_, backlog_->front());
  if (replay_.outbox.empty() && !backlog_->is_recovering()) end_replay();
}

void InfluxWriter::take(Lane& lane, std::optional<Payload> record) {
  if (!record) return;
  record->is_on_disk = true;
  lane.record_points = record->points;
  lane.outbox.push(std::move(*record));
}

void InfluxWriter::bury(Lane& lane) {
  const std::vector<DeadLetter> letters = lane.outbox.take_dead();
  if (!letters.empty()) not_buried_ += backlog_ ? backlog_->bury(letters) : letters.size();
}

// ---- when the next request begins ---------------------------------------------------------------

// What an earlier process left can be sent as soon as it was read.
void InfluxWriter::on_recovered() {
  const bool is_first = backlog_->counts().recovered > 0 && !std::exchange(has_delayed_, true);
  if (is_first) delay_replay(backlog_->age());
  if (!backlog_->is_recovering() && now() < no_replay_before_) say_delay();
  pump();
}

void InfluxWriter::pump() {
  if (server_.is_asking()) return;
  if (drained_ && !has_live()) return end_drain();
  feed();
  attempt(live_);
  attempt(replay_);
  arm();
}

/// When this lane may begin a request; nothing while it has one or nothing to send.
std::optional<Instant> InfluxWriter::due(const Lane& lane) const {
  // While the destination is down one request at a time finds out, the newest data first.
  const bool other_tries = is_down_ && (live_.sent != nullptr || replay_.sent != nullptr);
  const bool is_replay = &lane == &replay_;
  if (server_.is_asking() || other_tries ||
      (is_replay && (drained_ || (is_down_ && !live_.outbox.empty()))))
    return std::nullopt;
  std::optional<Instant> at = lane.outbox.due();
  if (!at || drained_) return at;
  if (is_down_) at = std::max(*at, not_before_);
  if (lane.outbox.suspects_a_line()) at = std::max(*at, no_question_before_);
  return is_replay ? std::max({*at, pace_.due(), no_replay_before_}) : at;
}

void InfluxWriter::attempt(Lane& lane) {
  const std::optional<Instant> at = due(lane);
  if (!at || *at > now()) return;
  if (lane.outbox.suspects_a_line() && !drained_) return ask_if_alive(lane);
  lane.sent = lane.outbox.start(now());
  if (lane.sent == nullptr) return;
  Lane& other = &lane == &live_ ? replay_ : live_;
  lane.begun = now();
  lane.is_beside = other.sent != nullptr;
  if (lane.is_beside) other.is_beside = true;
  send(lane);
}

/// Sets the timer to the next attempt; stops it if there is none.
void InfluxWriter::arm() {
  std::optional<Instant> next;
  for (const Lane* lane : {&live_, &replay_})
    if (const auto at = due(*lane)) next = next ? std::min(*next, *at) : *at;
  if (!next) return timer_.stop();
  const auto pause = std::chrono::ceil<milliseconds>(std::max(*next, now()) - now());
  timer_.start(drained_ ? std::min(pause, drain_pause) : pause);
}

// ---- a write and its answer --------------------------------------------------------------------

void InfluxWriter::send(Lane& lane) {
  server_.write(*lane.sent, [this, &lane](const WriteAnswer& answer) { on_answer(lane, answer); });
}

void InfluxWriter::on_answer(Lane& lane, const WriteAnswer& answer) {
  settle(lane, answer);
  pump();
}

void InfluxWriter::settle(Lane& lane, const WriteAnswer& answer) {
  const Verdict& verdict = answer.verdict;
  const DeliveryLog::Waiting before = waiting();
  const std::size_t bytes = lane.sent->body.size();
  const std::size_t points = lane.sent->points;
  const std::uint64_t written_before = lane.outbox.counts().written;
  if (verdict.action == Action::known_alone) known_.begin();
  hear(lane, answer);
  lane.outbox.settle(lane.sent->id, verdict, now());
  lane.sent = nullptr;
  bury(lane);
  if (verdict.action == Action::keep) fail(lane, verdict);
  log_.settled(kind_of(LogThrottle::Kind::Topic::write, answer.response, verdict), verdict,
               verdict.action == Action::keep ? waiting() : before, now());
  if (verdict.action == Action::written) {
    end_outage();
    keep_pace(lane, bytes);
    if (&lane == &replay_) note_replayed(bytes, points, written_before);
  }
  end_records();
  mend(answer);
}

void InfluxWriter::hear(const Lane& lane, const WriteAnswer& answer) {
  heard_.note(answer.verdict.action == Action::keep,
              answer.verdict.message.empty() ? std::to_string(answer.response.status)
                                             : answer.verdict.message,
              now());
  if (answer.verdict.action != Action::written) return;
  heard_.took = std::chrono::duration_cast<milliseconds>(now() - lane.begun);
  heard_.bytes = lane.sent->body.size();
}

void InfluxWriter::keep_pace(const Lane& lane, std::size_t bytes) {
  if (&lane == &replay_) return pace_.backlog_written(bytes, lane.begun, now());
  const auto took = std::chrono::duration_cast<milliseconds>(now() - lane.begun);
  pace_.live_written({.bytes = bytes, .took = took, .was_beside_backlog = lane.is_beside}, now());
}

// The first answer tells that it goes on, and how many bytes a point has: on disk they are packed.
void InfluxWriter::note_replayed(std::size_t bytes, std::size_t points,
                                 std::uint64_t written_before) {
  if (replaying_ || backlog_->is_recovering()) return;
  const DeliveryLog::Waiting left = waiting();
  const double bytes_a_point =
      static_cast<double>(bytes) / static_cast<double>(std::max<std::size_t>(points, 1));
  const std::chrono::seconds time =
      pace_.time_for(static_cast<double>(left.counts.spooled) * bytes_a_point, now());
  replaying_ = Replaying{.began = replay_.begun,
                         .written_before = written_before,
                         .bytes_a_point = bytes_a_point,
                         .is_said = time >= worth_saying};
  if (replaying_->is_said) log_.replay_begins(left, time);
}

// A record is done when nothing of it is left in the outbox that has it.
void InfluxWriter::end_records() {
  const auto ends = [](Lane& lane) {
    return lane.outbox.points_on_disk() == 0 && std::exchange(lane.record_points, 0) > 0;
  };
  if (ends(live_)) backlog_->ack_fresh();
  if (ends(replay_)) backlog_->ack();
}

void InfluxWriter::end_replay() {
  if (!replaying_) return;
  const auto took = std::chrono::duration_cast<std::chrono::seconds>(now() - replaying_->began);
  if (replaying_->is_said || took >= worth_saying)
    log_.replay_ended(replay_.outbox.counts().written - replaying_->written_before, took);
  replaying_.reset();
}

// After a long outage a whole fleet has a backlog: not all shall send it in the same second.
void InfluxWriter::delay_replay(milliseconds outage) {
  if (outage <= settings_.jitter_after) return;
  no_replay_before_ =
      now() + settings_.jitter_max * static_cast<int>(1 + random_number() % 1000) / 1000;
}

void InfluxWriter::say_delay() {
  log_.replay_waits(waiting(), std::chrono::ceil<std::chrono::seconds>(no_replay_before_ - now()));
}

// What comes from disk may fail for reasons of its own (a line, an old shard, its size): only what
// is flushed now tells whether the destination is away. Where a line may be the cause the server
// has answered, and what it makes of other lines tells these from that one.
void InfluxWriter::fail(const Lane& lane, const Verdict& verdict) {
  if (&lane == &live_) return begin_outage(lane.outbox.due().value_or(now()));
  if (verdict.may_be_a_line) is_down_ = false;
  if (is_down_) not_before_ = lane.outbox.due().value_or(now());
}

void InfluxWriter::begin_outage(Instant next_attempt) {
  if (!std::exchange(is_down_, true)) down_since_ = now();
  not_before_ = next_attempt;
  replaying_.reset();
  move_to_disk();
}

void InfluxWriter::end_outage() {
  if (!std::exchange(is_down_, false)) return;
  live_.outbox.hurry();
  if (!backlog_ || backlog_->empty()) return;
  delay_replay(std::chrono::duration_cast<milliseconds>(now() - down_since_));
  if (now() < no_replay_before_) say_delay();
}

// ---- questions beside the writes ---------------------------------------------------------------

/// What an answer asks for beside another attempt.
void InfluxWriter::mend(const WriteAnswer& answer) {
  const bool speaks_anew = answer.verdict.api_in_doubt && server_.doubt_api(answer);
  watch_for_mending(answer);
  const bool is_another = awaits_credentials_ && server_.reload_credentials();
  if (speaks_anew || is_another) hurry();
  if (answer.verdict.action == Action::create_database) create_database();
}

// A back-off of up to a minute is for what costs the server something. Reading a file costs it
// nothing, a write of no points next to nothing: these tell within seconds that an operator was
// here.
void InfluxWriter::watch_for_mending(const WriteAnswer& answer) {
  const int status = answer.response.status;
  awaits_credentials_ = status == 401 || status == 403;
  awaits_server_ = answer.verdict.shows_without_points;
  if (!awaits_credentials_ && !awaits_server_) return mend_timer_.stop();
  mend_timer_.start(mend_pause, mend_pause);
}

void InfluxWriter::look_if_mended() {
  if (awaits_credentials_ && server_.reload_credentials()) {
    hurry();
    return pump();
  }
  const bool is_busy = server_.is_asking() || live_.sent != nullptr || replay_.sent != nullptr;
  if (!awaits_server_ || is_busy) return;
  server_.ask_if_mended([this](bool is_mended) {
    if (is_mended) hurry();
    pump();
  });
}

void InfluxWriter::hurry() {
  not_before_ = now();
  live_.outbox.hurry();
  replay_.outbox.hurry();
}

// A server that stores nothing of a payload, but answers other questions: one of its lines may be
// the cause.
void InfluxWriter::ask_if_alive(Lane& lane) {
  server_.ask_if_alive([this, &lane](bool is_alive) {
    if (is_alive) {
      const bool others = live_.outbox.counts().written > written_before_replay_;
      lane.outbox.halve_front(&lane == &replay_ && others);
    } else {
      no_question_before_ = now() + ask_pause;
    }
    pump();
  });
}

void InfluxWriter::create_database() {
  server_.create_database([this](const Verdict& verdict, const Response& response) {
    on_created(verdict, response);
    pump();
  });
}

void InfluxWriter::on_created(const Verdict& verdict, const Response& response) {
  if (verdict.action == Action::written) return hurry();
  log_.failed({.topic = LogThrottle::Kind::Topic::create, .status = response.status}, verdict,
              waiting(), now());
  begin_outage(std::max(live_.outbox.due().value_or(now()), replay_.outbox.due().value_or(now())));
  awaits_credentials_ = response.status == 401 || response.status == 403;
  if (awaits_credentials_ && server_.reload_credentials()) hurry();
}

// ---- the end -----------------------------------------------------------------------------------

void InfluxWriter::drain(milliseconds at_most, std::function<void()> done) {
  drained_ = std::move(done);
  live_.outbox.hurry();
  // What is on disk is safe there: only what is in memory must go out, or down if the disk takes
  // it.
  const bool is_safe = !has_live() || (backlog_ && is_down_ && !backlog_->is_failing());
  drain_timer_.start(is_safe ? milliseconds{0} : at_most);
  if (!is_safe) pump();
}

void InfluxWriter::end_drain() {
  server_.cancel();
  timer_.stop();
  mend_timer_.stop();
  drain_timer_.stop();
  if (live_.sent != nullptr) live_.outbox.settle(live_.sent->id, {.action = Action::keep}, now());
  live_.sent = nullptr;
  move_to_disk();
  const std::uint64_t lost = live_.outbox.abandon();
  log_.ended(lost, waiting());
  const auto done = std::exchange(drained_, nullptr);
  done();  // may destroy us
}

}  // namespace tally
