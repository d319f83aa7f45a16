#include "deliver/delivery_log.hpp"

#include <fmt/format.h>

#include <utility>

#include "tally/text.hpp"

namespace tally {
namespace {

using spdlog::level::err;
using spdlog::level::info;
using spdlog::level::warn;

constexpr std::chrono::milliseconds log_interval{10'000};

// "12 points wait in memory, 3,400 on disk (1.2 MiB of 1 GiB)"
std::string where(const DeliveryLog::Waiting& waiting) {
  const DeliveryCounts& counts = waiting.counts;
  const std::string memory = fmt::format("{} points wait in memory", with_commas(counts.queued));
  if (waiting.spool_bytes_max == 0) return memory;
  const std::string disk =
      fmt::format("({} of {})", about_size(waiting.spool_bytes), as_size(waiting.spool_bytes_max));
  if (counts.queued == 0)
    return fmt::format("{} points wait on disk {}", with_commas(counts.spooled), disk);
  return fmt::format("{}, {} on disk {}", memory, with_commas(counts.spooled), disk);
}

// "backlog of 812MiB, 2,100,000 points,"
std::string backlog(const DeliveryLog::Waiting& waiting) {
  return fmt::format("backlog of {}, {} points,", about_size(waiting.spool_bytes),
                     with_commas(waiting.counts.spooled));
}

}  // namespace

LogThrottle::Kind kind_of(LogThrottle::Kind::Topic topic, const Response& response,
                          const Verdict& verdict) {
  return {.topic = topic,
          .action = verdict.action,
          .loss = verdict.loss,
          .no_answer = response.no_answer,
          .status = response.transport_error.empty() ? response.status : 0};
}

std::optional<LogThrottle::Since> LogThrottle::pass(const Kind& kind, std::uint64_t points,
                                                    Instant now) {
  Entry& entry = entries_[kind];
  ++entry.since.times;
  entry.since.points += points;
  if (entry.last && now - *entry.last < log_interval) return std::nullopt;
  entry.last = now;
  return std::exchange(entry.since, Since{});
}

void LogThrottle::forget_failures() {
  for (auto& [kind, entry] : entries_) {
    const bool is_failure = kind.action == Action::keep && kind.topic != Kind::Topic::full;
    if (is_failure) entry.since = {};
  }
}

void DeliveryLog::say(spdlog::level::level_enum level, const std::string& line) {
  log_.log(level, "{}{}", prefix_, line);
}

void DeliveryLog::settled(const Kind& kind, const Verdict& verdict, const Waiting& waiting,
                          Instant now) {
  if (verdict.action == Action::keep) return failed(kind, verdict, waiting, now);
  if (verdict.action == Action::written) recovered(waiting, now);
  if (verdict.action == Action::create_database) {
    if (throttle_.pass(kind, 0, now)) say(info, verdict.message + ": creating it");
  } else if (!verdict.message.empty()) {
    lost(kind, verdict, now);
  }
}

void DeliveryLog::failed(const Kind& kind, const Verdict& verdict, const Waiting& waiting,
                         Instant now) {
  if (!outage_) outage_ = Outage{.began = now};
  ++outage_->attempts;
  const auto since = throttle_.pass(kind, 0, now);
  if (!since) return;
  outage_->is_reported = true;
  std::string line = fmt::format("{}; {}", verdict.message, where(waiting));
  if (since->times > 1)
    line += fmt::format("; {} attempts failed since the last such line", since->times);
  say(verdict.configuration ? err : warn, line);
}

void DeliveryLog::lost(const Kind& kind, const Verdict& verdict, Instant now) {
  const auto since = throttle_.pass(kind, verdict.points_lost, now);
  if (!since) return;
  std::string line = verdict.message;
  if (since->times > 1) {
    line += fmt::format("; {} times and {} points since the last such line", since->times,
                        with_commas(since->points));
  }
  say(verdict.points_lost > 0 ? err : warn, line);
}

void DeliveryLog::recovered(const Waiting& waiting, Instant now) {
  if (!outage_) return;
  // A failure that was held back needs no all-clear.
  if (outage_->is_reported) {
    const std::chrono::duration<double> lasted = now - outage_->began;
    say(info,
        fmt::format(
            "{} takes points again after {:.1f} s and {} failed attempts; {} points were waiting",
            url_, lasted.count(), outage_->attempts,
            with_commas(waiting.counts.queued + waiting.counts.spooled)));
  }
  outage_.reset();
  throttle_.forget_failures();
}

void DeliveryLog::dropped(std::uint64_t points, std::size_t bytes_max, const Waiting& waiting,
                          Instant now) {
  const auto since = throttle_.pass({.topic = Kind::Topic::full}, points, now);
  if (!since) return;
  say(err, fmt::format("{} takes points too slowly or not at all, and {} of memory are full: the "
                       "{} oldest points are lost; {}",
                       url_, as_size(bytes_max), with_commas(since->points), where(waiting)));
}

void DeliveryLog::replay_begins(const Waiting& waiting, std::chrono::seconds time) {
  say(info, fmt::format("{} goes to {} beside what is flushed now: empty in about {}",
                        backlog(waiting), url_, about_time(time)));
}

void DeliveryLog::replay_waits(const Waiting& waiting, std::chrono::seconds time) {
  say(info, fmt::format("{} waits for another {}: after a long outage not all hosts shall send "
                        "theirs at once",
                        backlog(waiting), about_time(time)));
}

void DeliveryLog::replay_ended(std::uint64_t points, std::chrono::seconds time) {
  say(info, fmt::format("the backlog is written: {} points in {}", with_commas(points),
                        about_time(time)));
}

void DeliveryLog::found(const Server& server) {
  say(info, fmt::format("{} is InfluxDB {}: its API {} is used", url_, quote(server.version),
                        to_string(server.api)));
}

void DeliveryLog::created(const std::string& database) {
  say(info, fmt::format("created database {} at {}", quote(database), url_));
}

void DeliveryLog::credentials_changed(const std::string& username) {
  say(info, fmt::format("the {} at {} has changed: trying the new one",
                        username.empty() ? "token" : "password of " + quote(username), url_));
}

void DeliveryLog::ended(std::uint64_t lost, const Waiting& waiting) {
  if (lost > 0) {
    say(err, fmt::format("{} points are lost: {} did not take them before the end{}",
                         with_commas(lost), url_,
                         waiting.spool_bytes_max == 0 ? "; a spool.directory would keep them"
                                                      : ", nor did the disk"));
  }
  if (waiting.counts.spooled > 0) {
    say(info,
        fmt::format("{} points for {} stay on disk ({}): the next start sends them",
                    with_commas(waiting.counts.spooled), url_, about_size(waiting.spool_bytes)));
  }
}

}  // namespace tally
