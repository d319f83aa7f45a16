#pragma once
// Where payloads go: a database or the terminal.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "tally/delivery.hpp"
#include "tally/destination_state.hpp"
#include "tally/payload.hpp"

namespace tally {

/// One destination. Lives on main's loop; every point pushed is in `counts` at every moment.
class Output {
 public:
  virtual ~Output() = default;

  virtual void push(Payload payload) = 0;
  virtual DeliveryCounts counts() const = 0;
  virtual std::size_t bytes() const = 0;                  ///< of bodies that wait in memory
  virtual std::uint64_t disk_bytes() const { return 0; }  ///< of the spool

  /// What it knows beside that, its name left out. `wall` is the time now.
  virtual DestinationState state(WallTime wall) const = 0;

  /// Sends what waits, leaves what is left after `within` on disk or gives it up (counted as
  /// dropped by shutdown), and calls `done` once. Nothing may be pushed afterwards.
  virtual void drain(std::chrono::milliseconds within, std::function<void()> done) = 0;
};

}  // namespace tally
