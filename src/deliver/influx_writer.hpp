#pragma once
// Points on their way to one InfluxDB: two lanes, the spool behind them, the server, one timer.
//
//     push ----> live   (Outbox, in memory) ----------+
//       |                                             +--> InfluxServer -> Verdict -> settle
//       +-----> spool (disk) --> replay (Outbox, one -+
//                                record at a time)
//
// A healthy destination uses the live lane only. After a failed attempt of that lane everything
// goes to disk, but for the newest payload whenever the back-off allows an attempt. What is on disk
// comes back oldest first and beside the live lane; its failures are its own. Where all is spooled
// always the live lane too gets its payloads from disk, one record at a time.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "deliver/delivery_log.hpp"
#include "deliver/influx_server.hpp"
#include "deliver/known_series.hpp"
#include "deliver/last_answer.hpp"
#include "deliver/output.hpp"
#include "deliver/replay_pace.hpp"
#include "spool/backlog.hpp"
#include "tally/outbox.hpp"
#include "tally/verdict.hpp"
#include "uv/handles.hpp"

namespace tally {

struct InfluxSettings {
  ServerSettings server;
  bool spools_always = false;  ///< also what is sent at once, so that a kill loses nothing
  std::uint64_t series_max = 1'000'000;  ///< of a database that is full and knows them
  ReplayLimits replay;
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
  DestinationState state(WallTime wall) const override;
  std::size_t bytes() const override { return live_.outbox.bytes(); }
  std::uint64_t disk_bytes() const override { return backlog_ ? backlog_->bytes() : 0; }

 private:
  struct Lane {
    Lane(OutboxLimits limits, KnownSeries& known);
    Outbox outbox;
    const Payload* sent = nullptr;    ///< in flight; the outbox owns it
    Instant begun{};                  ///< when it was sent
    bool is_beside = false;           ///< for a while one of the other lane was in flight too
    std::uint64_t record_points = 0;  ///< of the record on disk that the outbox has; 0: none
  };
  /// A backlog that is being written.
  struct Replaying {
    Instant began{};
    std::uint64_t written_before = 0;
    double bytes_a_point = 0;  ///< of line protocol: on disk they are packed
    bool is_said = false;
  };

  Instant now() const;
  bool to_disk(const Payload& payload);
  bool goes_behind() const;
  bool has_live() const;
  DeliveryLog::Waiting waiting() const;

  void on_recovered();
  void pump();
  void feed();
  void take(Lane& lane, std::optional<Payload> record);
  void attempt(Lane& lane);
  std::optional<Instant> due(const Lane& lane) const;
  void arm();

  void send(Lane& lane);
  void on_answer(Lane& lane, const WriteAnswer& answer);
  void settle(Lane& lane, const WriteAnswer& answer);
  void hear(const Lane& lane, const WriteAnswer& answer);
  void keep_pace(const Lane& lane, std::size_t bytes);
  void note_replayed(std::size_t bytes, std::size_t points, std::uint64_t written_before);
  void end_records();
  void end_replay();
  void delay_replay(std::chrono::milliseconds outage);
  void say_delay();
  void bury(Lane& lane);
  void fail(const Lane& lane, const Verdict& verdict);
  void begin_outage(Instant next_attempt);
  void end_outage();
  void move_to_disk();
  void end_drain();

  void mend(const WriteAnswer& answer);
  void watch_for_mending(const WriteAnswer& answer);
  void look_if_mended();
  void ask_if_alive(Lane& lane);
  void create_database();
  void on_created(const Verdict& verdict, const Response& response);
  void hurry();

  uv::Loop& loop_;
  InfluxSettings settings_;
  OutboxLimits limits_;
  std::unique_ptr<Backlog> backlog_;
  DeliveryLog log_;
  KnownSeries known_;
  Lane live_;
  Lane replay_;
  ReplayPace pace_;
  std::optional<Replaying> replaying_;
  LastAnswer heard_;
  InfluxServer server_;
  uv::Timer timer_;       ///< the next attempt
  uv::Timer mend_timer_;  ///< the next look whether an operator has mended what is wrong
  uv::Timer drain_timer_;

  bool is_down_ = false;             ///< the last attempt failed
  bool has_delayed_ = false;         ///< the replay of what an earlier process left
  bool awaits_credentials_ = false;  ///< what the mending would be
  bool awaits_server_ = false;
  Instant down_since_{};
  Instant not_before_{};          ///< no attempt while down
  Instant no_question_before_{};  ///< whether the server is alive
  Instant no_replay_before_{};
  std::uint64_t pushed_ = 0;
  std::uint64_t written_before_replay_ = 0;  ///< by the live lane
  std::uint64_t not_buried_ = 0;             ///< dead letters that could not be kept
  std::function<void()> drained_;            ///< set while draining
};

}  // namespace tally
