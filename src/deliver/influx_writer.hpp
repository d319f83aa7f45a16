#pragma once
// Points on their way to one InfluxDB 1.x: the outbox, a client, and one timer.

#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "deliver/http.hpp"
#include "deliver/output.hpp"
#include "tally/outbox.hpp"
#include "tally/verdict.hpp"
#include "uv/handles.hpp"

namespace spdlog {
class logger;
}

namespace tally {

struct InfluxSettings {
  std::string url;  ///< http://host:8086; a path and a slash at the end are fine, a user is not
  std::string database;
  std::string retention_policy;  ///< "" is the database's default
  std::string username;          ///< "" sends no credentials
  std::string password;
  std::chrono::milliseconds timeout{10'000};
  bool gzip = true;
  std::string ca_file;  ///< "" is the system's bundle
  std::string proxy;    ///< "" is none
  bool create_database = true;
  /// Asked after a 401, if set: the password as it is now, "" if it cannot be read. What differs
  /// from the one refused is tried at once.
  std::function<std::string()> reload_password;
};

/// Of many lines of one kind, lets one through each ten seconds and counts the others.
class LogThrottle {
 public:
  /// What makes two answers the same story.
  struct Kind {
    enum class Topic : std::uint8_t { write, create, full } topic = Topic::write;
    Action action = Action::keep;
    PointLoss loss = PointLoss::none;
    NoAnswer no_answer = NoAnswer::broken;
    int status = 0;
    friend auto operator<=>(const Kind&, const Kind&) = default;
  };
  /// Since the last line of this kind, this time included.
  struct Since {
    std::uint64_t times = 0;
    std::uint64_t points = 0;
  };

  /// Something if a line may be written now.
  std::optional<Since> pass(const Kind& kind, std::uint64_t points, Instant now);

 private:
  struct Entry {
    std::optional<Instant> last;
    Since since;
  };
  std::map<Kind, Entry> entries_;
};

/// Writes payloads in order, one at a time, until the database has them or will never have them.
///
/// One loop, its thread. While nothing is queued, no timer runs and nothing wakes. May be destroyed
/// at any time, also from its own callbacks; what is queued then is gone, so `drain` first.
class InfluxWriter : public Output {
 public:
  InfluxWriter(uv::Loop& loop, InfluxSettings settings, OutboxLimits limits, spdlog::logger& log);
  InfluxWriter(const InfluxWriter&) = delete;
  InfluxWriter& operator=(const InfluxWriter&) = delete;

  void push(Payload payload) override;

  /// The end: tries without long pauses until all is written or `at_most` has passed, gives up the
  /// rest (counted, and said) and calls `done` from the loop. Call it once.
  void drain(std::chrono::milliseconds at_most, std::function<void()> done) override;

  const OutboxCounts& counts() const override { return outbox_.counts(); }
  std::size_t bytes() const override { return outbox_.bytes(); }
  const Outbox& outbox() const { return outbox_; }

 private:
  using Kind = LogThrottle::Kind;

  Instant now() const;
  void pump();
  void arm();
  void end_drain();

  void send(const Payload& payload);
  void on_answer(const Response& response);
  void reload_password();
  void create_database();
  void on_created(const Response& response);
  HttpRequest request(const std::string& path, std::string body) const;

  void report(const Kind& kind, const Verdict& verdict, std::uint64_t points_waiting);
  void report_failure(const Kind& kind, const Verdict& verdict);
  void report_loss(const Kind& kind, const Verdict& verdict);
  void report_recovery(std::uint64_t points_waiting);
  void report_full(std::uint64_t points_dropped);

  uv::Loop& loop_;
  InfluxSettings settings_;
  Destination destination_;
  OutboxLimits limits_;
  spdlog::logger& log_;
  Outbox outbox_;
  Http http_;
  uv::Timer timer_;  ///< the next attempt
  uv::Timer drain_timer_;
  const Payload* sent_ = nullptr;  ///< in flight; the outbox owns it
  bool is_creating_ = false;       ///< the database; nothing is sent meanwhile
  bool has_created_ = false;       ///< and no other answer came since
  std::function<void()> drained_;  ///< set while draining

  /// From the first attempt that failed until one succeeds.
  struct Outage {
    Instant began;
    std::uint64_t attempts = 0;
    bool is_reported = false;
  };
  std::optional<Outage> outage_;
  LogThrottle throttle_;
};

}  // namespace tally
