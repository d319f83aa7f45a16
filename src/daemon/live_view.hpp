#pragma once
// The daemon as it is seen: gathers what receive threads, flush and destinations know at one
// moment.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/flush.hpp"
#include "daemon/outputs.hpp"
#include "daemon/windows.hpp"
#include "tally/config.hpp"
#include "tally/refused.hpp"
#include "uv/handles.hpp"
#include "watch/history.hpp"
#include "watch/insight.hpp"

namespace tally {

/// Main's loop. Nothing runs and nothing wakes while nobody looks.
class LiveView final : public Insight {
 public:
  /// The parts that know; all outlive the view.
  struct Parts {
    const LoadedConfig& loaded;
    Windows& windows;
    Flush& flush;
    Outputs& outputs;
    const Ledger& ledger;        ///< of the windows that were taken
    const RefusedRing& refused;  ///< of the same
    std::function<void(std::string_view who)> stop;
  };

  /// `history` outlives the view too.
  LiveView(uv::Loop& loop, Parts parts, History& history);

  /// What a worker says; no letter: its open window began anew.
  void on_letter(std::size_t worker, std::optional<Worker::Letter> letter);
  /// A window was flushed.
  void on_flushed(WallTime end) { last_closed_ = end; }
  void on_stopping() { is_stopping_ = true; }

  /// Datagrams and pieces of streams that a tap had no room for, since the start.
  std::uint64_t tap_skipped() const { return tap_skipped_; }

  const LoadedConfig& config() const override { return parts_.loaded; }
  void live(std::function<void(const LiveState&)> done) override;
  void look(LookFor what, std::function<void(std::vector<Looked>)> done) override;
  void forget(LookFor what, std::function<void(std::vector<std::string>)> done) override;
  void gauges(const std::function<void(std::string_view key, double value)>& each) const override;
  TapId tap(OnTapped on_tapped) override;
  void untap(TapId id) override;
  void stop(std::string_view who) override { parts_.stop(who); }

 private:
  struct Search {
    std::size_t missing;  // workers
    std::vector<Looked> found;
    std::function<void(std::vector<Looked>)> done;
    std::unique_ptr<uv::Timer> patience;  // its end
  };

  void search(const LookFor& what, bool forgets, std::function<void(std::vector<Looked>)> done);
  void on_report(std::size_t worker, WorkerReport report);
  void on_found(WorkerFound found);
  void on_tapped(std::size_t worker, const TapBatch& batch);
  void end_search(std::uint64_t number);
  void answer_live();
  void add_report(LiveState& state, const WorkerReport& report, std::size_t worker) const;
  LiveState at_rest() const;

  uv::Loop& loop_;
  Parts parts_;
  History& history_;
  uv::Timer patience_;
  std::vector<std::function<void(const LiveState&)>> waiting_;  // for one state
  std::uint64_t asked_ = 0;                                     // of the last report asked for
  std::vector<std::optional<WorkerReport>> reports_;            // by worker, of that number
  std::uint64_t searched_ = 0;                                  // of the last search
  std::map<std::uint64_t, Search> searches_;                    // by number
  std::map<TapId, OnTapped> taps_;
  TapId next_tap_ = 1;
  std::uint64_t tap_skipped_ = 0;
  std::optional<WallTime> last_closed_;
  bool is_stopping_ = false;
};

}  // namespace tally
