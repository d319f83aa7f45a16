#include "deliver/influx_writer.hpp"

#include <fmt/format.h>
#include <spdlog/logger.h>

#include <cassert>
#include <iterator>
#include <utility>

#include "deliver/gzip.hpp"
#include "tally/text.hpp"

// The outbox says what to send and when, `judge` what an answer means; here is only what moves
// between them. `pump` is the one place where a request begins, and it is called after everything
// that may have changed the outbox.

namespace tally {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds log_interval{10'000};
constexpr milliseconds drain_pause{
    200};  // between attempts while draining, in place of the back-off

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  uv_random(nullptr, nullptr, &seed, sizeof seed, 0, nullptr);  // on failure 0: jitter is no secret
  return seed;
}

std::string without_end_slashes(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

/// Percent-encoding of all but the unreserved (RFC 3986 2.3).
std::string url_encoded(std::string_view text) {
  constexpr std::string_view unreserved =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string out;
  for (const char c : text) {
    if (unreserved.find(c) != std::string_view::npos) {
      out += c;
    } else {
      fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

/// An identifier of InfluxQL.
std::string identifier(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + '"';
}

// InfluxDB 1.x takes what it does not know for nanoseconds, "ns" too; 2 and 3 know all three.
std::string_view to_query(Precision precision) {
  switch (precision) {
    case Precision::seconds:
      return "s";
    case Precision::milliseconds:
      return "ms";
    case Precision::nanoseconds:
      return "ns";
  }
  return {};  // not reached: the switch is complete
}

std::string write_path(const InfluxSettings& settings, const Payload& payload) {
  std::string path = "/write?db=" + url_encoded(settings.database);
  if (!settings.retention_policy.empty()) path += "&rp=" + url_encoded(settings.retention_policy);
  return path + "&precision=" + std::string(to_query(payload.precision));
}

bool has_created(const Response& response) {
  return response.transport_error.empty() && response.status == 200 &&
         response.body.find("\"results\"") != std::string::npos &&
         response.body.find("\"error\"") == std::string::npos;
}

std::string why_not_created(const Response& response, const Destination& to) {
  const std::string& text =
      response.influxdb_error.empty() ? response.body : response.influxdb_error;
  const std::string why = response.transport_error.empty()
                              ? fmt::format("{} {}", response.status, quote(text))
                              : quote(response.transport_error);
  return fmt::format(
      "cannot create database {} at {} ({}): CREATE DATABASE {} there as an administrator",
      quote(to.database), to.url, why, quote(to.database));
}

LogThrottle::Kind kind_of(LogThrottle::Kind::Topic topic, const Response& response,
                          const Verdict& verdict) {
  return {.topic = topic,
          .action = verdict.action,
          .loss = verdict.loss,
          .no_answer = response.no_answer,
          .status = response.transport_error.empty() ? response.status : 0};
}

}  // namespace

std::optional<LogThrottle::Since> LogThrottle::pass(const Kind& kind, std::uint64_t points,
                                                    Instant now) {
  Entry& entry = entries_[kind];
  ++entry.since.times;
  entry.since.points += points;
  if (entry.last && now - *entry.last < log_interval) return std::nullopt;
  entry.last = now;
  return std::exchange(entry.since, Since{});
}

InfluxWriter::InfluxWriter(uv::Loop& loop, InfluxSettings settings, OutboxLimits limits,
                           spdlog::logger& log)
    : loop_(loop),
      settings_(std::move(settings)),
      destination_{.url = settings_.url,
                   .database = settings_.database,
                   .username = settings_.username,
                   .create_database = settings_.create_database},
      limits_(limits),
      log_(log),
      outbox_(limits, random_seed()),
      http_(loop,
            {.timeout = settings_.timeout, .ca_file = settings_.ca_file, .proxy = settings_.proxy}),
      timer_(loop,
             [this] {
               if (drained_) outbox_.hurry();
               pump();
             }),
      drain_timer_(loop, [this] { end_drain(); }) {
  settings_.url = without_end_slashes(std::move(settings_.url));
}

void InfluxWriter::push(Payload payload) {
  if (const std::uint64_t dropped = outbox_.push(std::move(payload)); dropped > 0)
    report_full(dropped);
  pump();
}

void InfluxWriter::drain(milliseconds at_most, std::function<void()> done) {
  drained_ = std::move(done);
  outbox_.hurry();
  drain_timer_.start(outbox_.empty() ? milliseconds{0} : at_most);
  if (!outbox_.empty()) pump();
}

void InfluxWriter::end_drain() {
  http_.cancel();
  timer_.stop();
  drain_timer_.stop();
  sent_ = nullptr;
  is_creating_ = false;
  if (const std::uint64_t lost = outbox_.abandon(); lost > 0) {
    log_.error("{} points are lost: {} did not take them before the end", with_commas(lost),
               destination_.url);
  }
  const auto done = std::exchange(drained_, nullptr);
  done();  // may destroy us
}

Instant InfluxWriter::now() const {
  return Instant{milliseconds{uv_now(loop_.raw())}};
}

void InfluxWriter::pump() {
  if (is_creating_ || outbox_.in_flight()) return;
  if (drained_ && outbox_.empty()) return end_drain();
  if (const Payload* payload = outbox_.start(now())) return send(*payload);
  arm();
}

/// Sets the timer to the next attempt; stops it if there is none.
void InfluxWriter::arm() {
  const std::optional<Instant> due = outbox_.due();
  if (!due) return timer_.stop();
  const auto pause = std::chrono::ceil<milliseconds>(*due - now());
  timer_.start(drained_ ? std::min(pause, drain_pause) : pause);
}

HttpRequest InfluxWriter::request(const std::string& path, std::string body) const {
  return {.url = settings_.url + path,
          .body = std::move(body),
          .headers = {},
          .username = settings_.username,
          .password = settings_.password};
}

void InfluxWriter::send(const Payload& payload) {
  sent_ = &payload;
  timer_.stop();
  std::optional<std::string> packed;
  if (settings_.gzip) packed = gzip(payload.body);
  HttpRequest write =
      request(write_path(settings_, payload), packed ? std::move(*packed) : payload.body);
  write.headers.emplace_back("Content-Type: text/plain; charset=utf-8");
  if (packed) write.headers.emplace_back("Content-Encoding: gzip");
  http_.send(std::move(write), [this](const Response& response) { on_answer(response); });
}

void InfluxWriter::on_answer(const Response& response) {
  Verdict verdict = judge(response, *sent_, destination_);
  if (std::exchange(has_created_, false) && verdict.action == Action::create_database) {
    verdict.action = Action::keep;  // so that it waits for the back-off before it is created again
    verdict.message += ", although it was created a moment ago";
  }
  const std::uint64_t points_waiting = counts().queued;
  outbox_.settle(sent_->id, verdict, now());
  sent_ = nullptr;
  report(kind_of(Kind::Topic::write, response, verdict), verdict, points_waiting);
  if (response.status == 401) reload_password();
  if (verdict.action == Action::create_database) return create_database();
  pump();
}

void InfluxWriter::reload_password() {
  if (!settings_.reload_password) return;
  std::string password = settings_.reload_password();
  if (password.empty() || password == settings_.password) return;
  settings_.password = std::move(password);
  log_.info("the password of {} at {} has changed: trying the new one", quote(settings_.username),
            destination_.url);
  outbox_.hurry();
}

void InfluxWriter::create_database() {
  is_creating_ = true;
  http_.send(
      request("/query", "q=" + url_encoded("CREATE DATABASE " + identifier(settings_.database))),
      [this](const Response& response) { on_created(response); });
}

void InfluxWriter::on_created(const Response& response) {
  is_creating_ = false;
  has_created_ = has_created(response);
  if (has_created_) {
    log_.info("created database {} at {}", quote(settings_.database), destination_.url);
    outbox_.hurry();
  } else {
    report_failure({.topic = Kind::Topic::create, .status = response.status},
                   {.message = why_not_created(response, destination_)});
    if (response.status == 401) reload_password();
  }
  pump();
}

// ---- what the operator reads
// ---------------------------------------------------------------------

void InfluxWriter::report(const Kind& kind, const Verdict& verdict, std::uint64_t points_waiting) {
  if (verdict.action == Action::keep) return report_failure(kind, verdict);
  if (verdict.action == Action::written) report_recovery(points_waiting);
  if (verdict.action == Action::create_database) {
    if (throttle_.pass(kind, 0, now())) log_.info("{}: creating it", verdict.message);
  } else if (!verdict.message.empty()) {
    report_loss(kind, verdict);
  }
}

void InfluxWriter::report_failure(const Kind& kind, const Verdict& verdict) {
  if (!outage_) outage_ = Outage{.began = now()};
  ++outage_->attempts;
  const auto since = throttle_.pass(kind, 0, now());
  if (!since) return;
  outage_->is_reported = true;
  std::string line =
      fmt::format("{}; {} points wait in memory", verdict.message, with_commas(counts().queued));
  if (since->times > 1)
    line += fmt::format(", {} attempts failed since the last such line", since->times);
  log_.log(verdict.configuration ? spdlog::level::err : spdlog::level::warn, line);
}

void InfluxWriter::report_loss(const Kind& kind, const Verdict& verdict) {
  const auto since = throttle_.pass(kind, verdict.points_lost, now());
  if (!since) return;
  std::string line = verdict.message;
  if (since->times > 1) {
    line += fmt::format("; {} times and {} points since the last such line", since->times,
                        with_commas(since->points));
  }
  log_.log(verdict.points_lost > 0 ? spdlog::level::err : spdlog::level::warn, line);
}

void InfluxWriter::report_recovery(std::uint64_t points_waiting) {
  // A failure that was held back needs no all-clear.
  if (outage_ && outage_->is_reported) {
    const std::chrono::duration<double> lasted = now() - outage_->began;
    log_.info("{} takes points again after {:.1f} s and {} failed attempts; {} points were waiting",
              destination_.url, lasted.count(), outage_->attempts, with_commas(points_waiting));
  }
  outage_.reset();
}

void InfluxWriter::report_full(std::uint64_t points_dropped) {
  const auto since = throttle_.pass({.topic = Kind::Topic::full}, points_dropped, now());
  if (!since) return;
  log_.error(
      "{} takes points too slowly or not at all, and {} of memory are full: the {} oldest points "
      "are lost, {} wait",
      destination_.url, as_size(limits_.bytes_max), with_commas(since->points),
      with_commas(counts().queued));
}

}  // namespace tally
