#include "deliver/influx_writer.hpp"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>

#include "deliver/gzip.hpp"
#include "deliver/url.hpp"

// The outboxes say what to send and when, `judge` what an answer means; here is only what moves
// between them. `pump` is the one place where a request begins, and it is called after everything
// that may have changed an outbox.

namespace tally {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds drain_pause{
    200};  // between attempts while draining, in place of the back-off
constexpr milliseconds ask_pause{5'000};  // until a server that is not even alive is asked again

std::uint64_t random_number() {
  std::uint64_t number = 0;
  // On failure 0: jitter is no secret.
  uv_random(nullptr, nullptr, &number, sizeof number, 0, nullptr);
  return number;
}

bool is_same(const Credentials& a, const Credentials& b) {
  return a.password == b.password && a.token == b.token;
}

// What the request could not hold the database does not have, whatever it says of the rest.
void add_left_out(const std::vector<std::uint32_t>& left_out, Verdict& verdict) {
  if (left_out.empty() || verdict.action != Action::written) return;
  std::vector<std::uint32_t> all;
  std::ranges::set_union(verdict.refused_lines, left_out, std::back_inserter(all));
  verdict.points_lost += static_cast<std::uint32_t>(all.size() - verdict.refused_lines.size());
  verdict.refused_lines = std::move(all);
  verdict.loss = PointLoss::refused;
  if (verdict.message.empty())
    verdict.message = "the API of InfluxDB 0.8 has no words for some points: they are lost";
}

}  // namespace

InfluxWriter::Lane::Lane(OutboxLimits limits, KnownSeries& known)
    : outbox(limits, random_number(), &known) {}

InfluxWriter::InfluxWriter(uv::Loop& loop, InfluxSettings settings, OutboxLimits limits,
                           spdlog::logger& log, std::unique_ptr<Backlog> backlog)
    : loop_(loop),
      settings_(std::move(settings)),
      url_(without_end_slashes(settings_.destination.url)),
      limits_(limits),
      backlog_(std::move(backlog)),
      log_(log, settings_.destination.url),
      known_(settings_.series_max, random_number()),
      live_(limits, known_),
      replay_(limits, known_),
      http_(loop,
            {.timeout = settings_.timeout, .ca_file = settings_.ca_file, .proxy = settings_.proxy}),
      timer_(loop,
             [this] {
               if (drained_) live_.outbox.hurry();
               pump();
             }),
      drain_timer_(loop, [this] { end_drain(); }),
      is_api_known_(settings_.destination.api_is_fixed) {
  if (backlog_ && !backlog_->empty()) timer_.start(milliseconds{0});
}

Instant InfluxWriter::now() const {
  return Instant{milliseconds{uv_now(loop_.raw())}};
}

// ---- what waits, and where ----------------------------------------------------------------------

void InfluxWriter::push(Payload payload) {
  pushed_ += payload.points;
  if (!goes_to_disk() || !backlog_->put(payload)) {
    const std::uint64_t dropped = live_.outbox.push(std::move(payload));
    if (dropped > 0) log_.dropped(dropped, limits_.bytes_max, waiting(), now());
  }
  pump();
}

bool InfluxWriter::goes_to_disk() const {
  if (!backlog_) return false;
  if (settings_.spools_always || live_.outbox.bytes() > limits_.bytes_max / 2) return true;
  // While the destination is away the newest points find out, when the back-off lets them.
  const bool may_try = live_.outbox.empty() && replay_.sent == nullptr && now() >= not_before_;
  return is_down_ && !may_try;
}

DestinationState InfluxWriter::state() const {
  return {.url = settings_.destination.url,
          .api = is_api_known_ ? std::string(to_string(settings_.destination.api)) : "auto",
          .queued_bytes = bytes(),
          .spool_bytes = disk_bytes()};
}

DeliveryCounts InfluxWriter::counts() const {
  DeliveryCounts all = delivery_of(live_.outbox.counts());
  all += delivery_of(replay_.outbox.counts());
  all.pushed = pushed_;
  all.queued = live_.outbox.counts().queued;
  all.dead -= not_buried_;
  all.dropped_refused += not_buried_;
  if (!backlog_) return all;
  const SpoolCounts& spool = backlog_->counts();
  all.recovered = spool.recovered;
  // A record waits on disk until all of it is done; what is done already is not counted twice.
  all.spooled = spool.waiting - (points_replayed_ - replay_.outbox.counts().queued);
  all.dropped_spool = spool.dropped_full;
  all.dropped_age = spool.dropped_expired;
  all.dropped_damaged = spool.dropped_damaged;
  return all;
}

DeliveryLog::Waiting InfluxWriter::waiting() const {
  return {.counts = counts(),
          .spool_bytes = backlog_ ? backlog_->bytes() : 0,
          .spool_bytes_max = backlog_ ? backlog_->bytes_max() : 0};
}

void InfluxWriter::move_to_disk() {
  if (!backlog_) return;
  for (const Payload* oldest = live_.outbox.oldest(); oldest != nullptr && backlog_->put(*oldest);
       oldest = live_.outbox.oldest())
    live_.outbox.take_oldest();
}

void InfluxWriter::feed_replay() {
  if (!backlog_ || drained_ || !replay_.outbox.empty()) return;
  std::optional<Payload> record = backlog_->front();
  if (!record) return;
  points_replayed_ = record->points;
  written_before_replay_ = live_.outbox.counts().written;
  replay_.outbox.push(std::move(*record));
}

void InfluxWriter::bury(Lane& lane) {
  const std::vector<DeadLetter> letters = lane.outbox.take_dead();
  if (!letters.empty()) not_buried_ += backlog_ ? backlog_->bury(letters) : letters.size();
}

// ---- when the next request begins ---------------------------------------------------------------

void InfluxWriter::pump() {
  if (is_asking_) return;
  if (drained_ && live_.outbox.empty()) return end_drain();
  feed_replay();
  attempt(live_);
  attempt(replay_);
  arm();
}

/// When this lane may begin a request; nothing while it has one or nothing to send.
std::optional<Instant> InfluxWriter::due(const Lane& lane) const {
  // While the destination is down one request at a time finds out, the newest data first.
  const bool other_tries = is_down_ && (live_.sent != nullptr || replay_.sent != nullptr);
  const bool is_replay = &lane == &replay_;
  if (is_asking_ || other_tries || (is_replay && (drained_ || (is_down_ && !live_.outbox.empty()))))
    return std::nullopt;
  std::optional<Instant> at = lane.outbox.due();
  if (!at || drained_) return at;
  if (is_down_) at = std::max(*at, not_before_);
  if (lane.outbox.suspects_a_line()) at = std::max(*at, no_question_before_);
  return is_replay ? std::max(*at, no_replay_before_) : at;
}

void InfluxWriter::attempt(Lane& lane) {
  const std::optional<Instant> at = due(lane);
  if (!at || *at > now()) return;
  if (lane.outbox.suspects_a_line() && !drained_) return ask_if_alive(lane);
  lane.sent = lane.outbox.start(now());
  if (lane.sent != nullptr) send(lane);
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
  if (!is_api_known_) return find_api(lane, 0);
  ApiRequest request = write_request(settings_.destination, settings_.credentials, *lane.sent);
  lane.left_out = std::move(request.left_out);
  HttpRequest write = post_to(url_, std::move(request));
  std::optional<std::string> packed;
  if (settings_.gzip) packed = gzip(write.body);
  if (packed) {
    write.body = std::move(*packed);
    write.headers.emplace_back("Content-Encoding: gzip");
  }
  http_.send(std::move(write),
             [this, &lane](const Response& response) { on_answer(lane, response); });
}

void InfluxWriter::on_answer(Lane& lane, const Response& response) {
  Verdict verdict = judge(response, *lane.sent, settings_.destination);
  if (std::exchange(has_created_, false) && verdict.action == Action::create_database) {
    verdict.action = Action::keep;  // so that it waits for the back-off before it is created again
    verdict.message += ", although it was created a moment ago";
  }
  add_left_out(lane.left_out, verdict);
  settle(lane, std::move(verdict), response);
  pump();
}

void InfluxWriter::settle(Lane& lane, Verdict verdict, const Response& response) {
  const DeliveryLog::Waiting before = waiting();
  const std::size_t bytes = lane.sent->body.size();
  if (verdict.action == Action::known_alone) known_.begin();
  lane.outbox.settle(lane.sent->id, verdict, now());
  lane.sent = nullptr;
  bury(lane);
  if (verdict.action == Action::keep) fail(lane, verdict);
  log_.settled(kind_of(LogThrottle::Kind::Topic::write, response, verdict), verdict,
               verdict.action == Action::keep ? waiting() : before, now());
  if (verdict.action == Action::written) end_outage();
  after_settling(lane, verdict, bytes);
  if (verdict.api_in_doubt) doubt_api(response);
  if (response.status == 401) reload_credentials();
  if (verdict.action == Action::create_database) create_database();
}

// The record of the replay lane is done when nothing of it is left there.
void InfluxWriter::after_settling(Lane& lane, const Verdict& verdict, std::size_t bytes) {
  if (&lane != &replay_) return;
  if (replay_.outbox.empty()) {
    backlog_->ack();
    points_replayed_ = 0;
  }
  // Nobody is newer than what always goes by the disk, so it has not to give way.
  if (verdict.action == Action::written && !settings_.spools_always) {
    const auto pause = std::chrono::seconds(1) * static_cast<double>(bytes) /
                       static_cast<double>(settings_.replay_rate);
    no_replay_before_ =
        std::max(no_replay_before_, now() + std::chrono::duration_cast<milliseconds>(pause));
  }
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
  move_to_disk();
}

void InfluxWriter::end_outage() {
  has_switched_ = false;
  if (!std::exchange(is_down_, false)) return;
  live_.outbox.hurry();
  // After a long one a whole fleet has a backlog: not all shall send it in the same second.
  if (now() - down_since_ > settings_.jitter_after)
    no_replay_before_ =
        now() + settings_.jitter_max * static_cast<int>(1 + random_number() % 1000) / 1000;
}

// ---- questions beside the writes ---------------------------------------------------------------

HttpRequest InfluxWriter::get(std::string_view path) const {
  return {.method = HttpRequest::Method::get,
          .url = url_ + std::string(path),
          .body = {},
          .headers = {}};
}

void InfluxWriter::ask(HttpRequest question, Http::Done done) {
  is_asking_ = true;
  http_.send(std::move(question), [this, done = std::move(done)](const Response& response) {
    is_asking_ = false;
    done(response);
  });
}

// With a payload in flight: if nobody answers, that is its failed attempt.
void InfluxWriter::find_api(Lane& lane, std::size_t probe) {
  ask(get(probe_paths[probe]), [this, &lane, probe](const Response& response) {
    if (!response.transport_error.empty()) return on_answer(lane, response);
    const std::optional<Server> server = identify(response);
    if (!server && probe + 1 < std::size(probe_paths)) return find_api(lane, probe + 1);
    if (server) use(*server);
    is_api_known_ = true;  // or no one knows: then the answer to the write tells
    send(lane);
  });
}

void InfluxWriter::doubt_api(const Response& response) {
  if (settings_.destination.api_is_fixed) return;
  const std::optional<Server> server = identify(response);
  if (!server) {
    is_api_known_ = false;
  } else if (server->api != settings_.destination.api) {
    use(*server);
    // Once: behind one address there may be two that send us from one to the other.
    if (!std::exchange(has_switched_, true)) hurry();
  }
}

void InfluxWriter::hurry() {
  not_before_ = now();
  live_.outbox.hurry();
  replay_.outbox.hurry();
}

void InfluxWriter::use(const Server& server) {
  settings_.destination.api = server.api;
  log_.found(server);
}

// A server that stores nothing of a payload, but answers other questions: one of its lines may be
// the cause. Not all that take points know /ping.
void InfluxWriter::ask_if_alive(Lane& lane) {
  ask(get("/ping"), [this, &lane](const Response& response) {
    const bool is_alive = response.transport_error.empty() && response.status < 500;
    if (is_alive) {
      const bool others = live_.outbox.counts().written > written_before_replay_;
      lane.outbox.halve_front(&lane == &replay_ && others);
    } else {
      no_question_before_ = now() + ask_pause;
    }
    pump();
  });
}

void InfluxWriter::reload_credentials() {
  if (!settings_.reload_credentials) return;
  Credentials changed = settings_.reload_credentials();
  const bool has_none = changed.password.empty() && changed.token.empty();
  if (has_none || is_same(changed, settings_.credentials)) return;
  settings_.credentials = std::move(changed);
  log_.credentials_changed(settings_.credentials.username);
  hurry();
}

void InfluxWriter::create_database() {
  std::optional<ApiRequest> request =
      create_database_request(settings_.destination, settings_.credentials);
  if (!request) return;
  ask(post_to(url_, std::move(*request)), [this](const Response& response) {
    on_created(response);
    pump();
  });
}

void InfluxWriter::on_created(const Response& response) {
  const Verdict verdict = judge_created(response, settings_.destination);
  has_created_ = verdict.action == Action::written;
  if (has_created_) {
    log_.created(settings_.destination.database);
    return hurry();
  }
  log_.failed({.topic = LogThrottle::Kind::Topic::create, .status = response.status}, verdict,
              waiting(), now());
  begin_outage(std::max(live_.outbox.due().value_or(now()), replay_.outbox.due().value_or(now())));
  if (response.status == 401) reload_credentials();
}

// ---- the end -----------------------------------------------------------------------------------

void InfluxWriter::drain(milliseconds at_most, std::function<void()> done) {
  drained_ = std::move(done);
  live_.outbox.hurry();
  // What is on disk is safe there: only what is in memory must go out, or down.
  const bool is_safe = live_.outbox.empty() || (backlog_ && is_down_);
  drain_timer_.start(is_safe ? milliseconds{0} : at_most);
  if (!is_safe) pump();
}

void InfluxWriter::end_drain() {
  http_.cancel();
  timer_.stop();
  drain_timer_.stop();
  is_asking_ = false;
  if (live_.sent != nullptr) live_.outbox.settle(live_.sent->id, {.action = Action::keep}, now());
  live_.sent = nullptr;
  move_to_disk();
  const std::uint64_t lost = live_.outbox.abandon();
  log_.ended(lost, waiting());
  const auto done = std::exchange(drained_, nullptr);
  done();  // may destroy us
}

}  // namespace tally
