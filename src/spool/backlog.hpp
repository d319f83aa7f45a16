#pragma once
// What waits on disk for one destination: its spool and its dead letters, and the thread pool that
// reads what an earlier process left and forces what is new onto the disk.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "spool/dead_letters.hpp"
#include "spool/spool.hpp"
#include "tally/outbox.hpp"
#include "tally/payload.hpp"
#include "tally/result.hpp"
#include "tally/time.hpp"
#include "uv/handles.hpp"
#include "uv/work.hpp"

namespace spdlog {
class logger;
}

namespace tally {

/// One loop, its thread. A disk that fails is said in the log and never ends anything.
class Backlog {
 public:
  using WallClock = std::function<WallTime()>;

  /// Takes the directory, and begins to recover what an earlier process left: however much that is,
  /// this returns at once. Errors as `Spool::begin`.
  static Result<std::unique_ptr<Backlog>> open(uv::Loop& loop, SpoolSettings settings,
                                               WallClock clock, spdlog::logger& log);

  Backlog(uv::Loop& loop, std::unique_ptr<Spool> spool, WallClock clock, spdlog::logger& log);
  Backlog(const Backlog&) = delete;
  Backlog& operator=(const Backlog&) = delete;

  /// Calls back whenever more was recovered, until all is.
  void when_recovered(std::function<void()> on_recovered) {
    on_recovered_ = std::move(on_recovered);
  }
  bool is_recovering() const { return spool_->is_recovering(); }
  bool is_failing() const { return is_failing_; }  ///< the disk did not take the last payload

  /// False if the disk does not take it: it is still the caller's.
  bool put(const Payload& payload);
  /// Beside all that waits, to be given by `fresh`.
  bool put_fresh(const Payload& payload);

  /// The oldest record; nothing if none waits. It stays until `ack`.
  std::optional<Payload> front();
  std::optional<Payload> fresh();
  void ack();
  void ack_fresh();
  void set_back();  ///< as `Spool::set_back`

  /// Keeps lines that the database refused. Returns how many it could not keep.
  std::uint64_t bury(const std::vector<DeadLetter>& letters);

  const SpoolCounts& counts() const { return spool_->counts(); }
  std::uint64_t bytes() const { return spool_->bytes(); }
  std::uint64_t fresh_bytes() const { return spool_->fresh_bytes(); }
  std::uint64_t bytes_max() const { return spool_->settings().bytes_max; }
  bool empty() const { return spool_->empty(); }
  std::chrono::milliseconds age() const;  ///< of the oldest point; 0 if none waits

 private:
  bool report(const Status& error);
  void tell_dead_dropped();
  void log_findings();
  void recover();
  void sync();

  std::unique_ptr<Spool> spool_;
  std::unique_ptr<DeadLetters> dead_;  ///< none if its folder cannot be used
  std::uint64_t dead_dropped_ = 0;     ///< of them, said
  WallTime dead_dropped_said_{};
  WallClock clock_;
  spdlog::logger& log_;
  std::function<void()> on_recovered_;
  uv::Work<RecoveryStep> recovery_;
  uv::Timer sync_timer_;
  uv::Work<SpoolSync> sync_work_;
  bool is_failing_ = false;  ///< the last put failed, and that was said
};

}  // namespace tally
