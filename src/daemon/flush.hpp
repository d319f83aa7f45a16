#pragma once
// From a closed window to points on their way, slice by slice.
//
//     ClosedWindow -> Carry::close_slice -> encode_influx -> Outputs
//                            +-> who wants to see it (History)

#include <spdlog/logger.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

#include "daemon/outputs.hpp"
#include "daemon/windows.hpp"
#include "tally/carry.hpp"
#include "tally/config.hpp"
#include "tally/encode.hpp"
#include "tally/ledger.hpp"
#include "uv/handles.hpp"

namespace tally {

/// Flushes one window at a time, some milliseconds of work each turn of the loop: requests go out
/// and answers come in while a large window is still being written. Main's loop.
class Flush {
 public:
  /// What the owner adds and hears.
  struct Owner {
    std::function<void(const ClosedWindow&)> on_begin;
    std::function<void(Snapshot&)> complete;        ///< adds tallyd's own points to the last slice
    std::function<void(const Snapshot&)> on_slice;  ///< as it is written
    /// The window was flushed and is the owner's again; another may begin.
    std::function<void(ClosedWindow, std::chrono::nanoseconds took)> on_end;
  };

  /// Counts flushed points and windows in `ledger`. All must outlive the object.
  Flush(uv::Loop& loop, const Config& config, Naming naming, Outputs& outputs, Ledger& ledger,
        Owner owner);

  /// REQUIRES: not `is_busy`.
  void begin(ClosedWindow window);
  bool is_busy() const { return window_.has_value(); }
  /// Takes no pauses any more.
  void hurry() { is_hurried_ = true; }

  const Naming& naming() const { return naming_; }
  Carry& carry() { return carry_; }
  const Carry& carry() const { return carry_; }

 private:
  void slice();
  void complete(Snapshot& snapshot);
  void end();
  std::chrono::milliseconds pause() const;
  void push(std::vector<Payload> payloads, WallTime window);

  const Config& config_;
  Naming naming_;
  Outputs& outputs_;
  Ledger& ledger_;
  Owner owner_;
  Carry carry_;
  uv::Timer timer_;
  std::optional<ClosedWindow> window_;
  Instant begun_{};
  std::size_t done_ = 0;  // series
  bool is_hurried_ = false;
};

}  // namespace tally
