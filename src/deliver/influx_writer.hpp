#pragma once
// Points on their way to one InfluxDB: two lanes, the spool behind them, a client, and one timer.
//
//     push ----> live   (Outbox, in memory) ----------+
//       |                                             +--> write_request -> Http -> judge -> settle
//       +-----> spool (disk) --> replay (Outbox, one -+
//                                record at a time)
//
// A healthy destination uses the live lane only. After a failed attempt of that lane everything
// goes to disk, but for the newest payload whenever the back-off allows an attempt. What is on disk
// comes back oldest first and beside the live lane; its failures are its own.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "deliver/backlog.hpp"
#include "deliver/delivery_log.hpp"
#include "deliver/http.hpp"
#include "deliver/known_series.hpp"
#include "deliver/output.hpp"
#include "tally/api.hpp"
#include "tally/outbox.hpp"
#include "tally/verdict.hpp"
#include "uv/handles.hpp"

namespace tally {

struct InfluxSettings {
  Destination destination;  ///< its url: http://host:8086; a path and a slash at the end are fine
  Credentials credentials;
  std::chrono::milliseconds timeout{10'000};
  bool gzip = true;
  std::string ca_file;  ///< "" is the system's bundle
  std::string proxy;    ///< "" is none
  /// Asked after a 401, if set: what the credentials are now. What differs from those refused is
  /// tried at once.
  std::function<Credentials()> reload_credentials;
  bool spools_always = false;            ///< not only when the destination fails
  std::uint64_t series_max = 1'000'000;  ///< of a database that is full and knows them
  std::uint64_t replay_rate = 4 << 20;   ///< bytes/s of line protocol from the spool, at most
  std::chrono::milliseconds jitter_max{30'000};     ///< before a replay, after a long outage
  std::chrono::milliseconds jitter_after{600'000};  ///< which outage is a long one
};

/// Writes payloads until the database has them or will never have them. The oldest goes first, but
/// what is flushed now before what waits on disk.
///
/// One loop, its thread. While nothing is queued, no timer runs and nothing wakes. May be destroyed
/// at any time, also from its own callbacks; what is queued in memory then is gone, so `drain`
/// first.
class InfluxWriter : public Output {
 public:
  /// `backlog` is null where there is no disk to wait on.
  InfluxWriter(uv::Loop& loop, InfluxSettings settings, OutboxLimits limits, spdlog::logger& log,
               std::unique_ptr<Backlog> backlog = nullptr);
  InfluxWriter(const InfluxWriter&) = delete;
  InfluxWriter& operator=(const InfluxWriter&) = delete;

  void push(Payload payload) override;

  /// The end: tries without long pauses until memory is empty or `at_most` has passed, leaves the
  /// rest on disk or gives it up (counted, and said) and calls `done` from the loop. Call it once.
  void drain(std::chrono::milliseconds at_most, std::function<void()> done) override;

  DeliveryCounts counts() const override;
  DestinationState state() const override;
  std::size_t bytes() const override { return live_.outbox.bytes(); }
  std::uint64_t disk_bytes() const override { return backlog_ ? backlog_->bytes() : 0; }

 private:
  struct Lane {
    Lane(OutboxLimits limits, KnownSeries& known);
    Outbox outbox;
    const Payload* sent = nullptr;        ///< in flight; the outbox owns it
    std::vector<std::uint32_t> left_out;  ///< lines of it that the request does not hold
  };

  Instant now() const;
  bool goes_to_disk() const;
  DeliveryLog::Waiting waiting() const;

  void pump();
  void feed_replay();
  void attempt(Lane& lane);
  std::optional<Instant> due(const Lane& lane) const;
  void arm();

  void send(Lane& lane);
  void on_answer(Lane& lane, const Response& response);
  void settle(Lane& lane, Verdict verdict, const Response& response);
  void after_settling(Lane& lane, const Verdict& verdict, std::size_t bytes);
  void bury(Lane& lane);
  void fail(const Lane& lane, const Verdict& verdict);
  void begin_outage(Instant next_attempt);
  void end_outage();
  void move_to_disk();
  void end_drain();

  HttpRequest get(std::string_view path) const;
  void ask(HttpRequest question, Http::Done done);
  void find_api(Lane& lane, std::size_t probe);
  void doubt_api(const Response& response);
  void use(const Server& server);
  void hurry();
  void ask_if_alive(Lane& lane);
  void reload_credentials();
  void create_database();
  void on_created(const Response& response);

  uv::Loop& loop_;
  InfluxSettings settings_;  ///< with the API that was found and the credentials read last
  std::string url_;          ///< what paths are put behind
  OutboxLimits limits_;
  std::unique_ptr<Backlog> backlog_;
  DeliveryLog log_;
  KnownSeries known_;
  Lane live_;
  Lane replay_;
  Http http_;
  uv::Timer timer_;  ///< the next attempt
  uv::Timer drain_timer_;

  bool is_api_known_;
  bool is_asking_ = false;     ///< something else than a write; nothing is sent meanwhile
  bool has_created_ = false;   ///< the database, and no other answer came since
  bool has_switched_ = false;  ///< the API, and nothing was written since
  bool is_down_ = false;       ///< the last attempt failed
  Instant down_since_{};
  Instant not_before_{};          ///< no attempt while down
  Instant no_question_before_{};  ///< whether the server is alive
  Instant no_replay_before_{};
  std::uint64_t pushed_ = 0;
  std::uint64_t points_replayed_ = 0;        ///< of the record in the replay lane
  std::uint64_t written_before_replay_ = 0;  ///< by the live lane
  std::uint64_t not_buried_ = 0;             ///< dead letters that could not be kept
  std::function<void()> drained_;            ///< set while draining
};

}  // namespace tally
