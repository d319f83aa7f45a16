#pragma once
// All destinations of a config, side by side.

#include <spdlog/logger.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "deliver/output.hpp"
#include "spool/spool.hpp"
#include "tally/config.hpp"
#include "tally/delivery.hpp"
#include "tally/payload.hpp"
#include "tally/result.hpp"
#include "uv/handles.hpp"

namespace tally {

/// Gives every payload to every destination. Each has its own queue, disk and schedule: what one
/// does not take waits for that one alone. Main's loop.
class Outputs {
 public:
  Outputs(uv::Loop& loop, spdlog::logger& log) : loop_(loop), log_(log) {}

  /// Errors: a secret that cannot be read, a spool that another process has. A disk that cannot be
  /// used is no error: it is logged, and points wait in memory only.
  Status open(const Config& config);

  void push(Payload payload);

  /// Drains all, and calls `done` when the last is done.
  void drain(std::chrono::milliseconds within, std::function<void()> done);

  /// One a destination, in the order of the config.
  std::vector<DeliveryCounts> counts() const;
  const std::vector<std::string>& names() const { return names_; }
  std::vector<std::size_t> memory_bytes() const;
  std::vector<std::uint64_t> disk_bytes() const;
  std::vector<DestinationState> states() const;

  bool is_terminal() const { return is_terminal_; }

 private:
  Status open_influxdb(const Config& config, std::size_t index, const SpoolSettings* spool);

  uv::Loop& loop_;
  spdlog::logger& log_;
  std::vector<std::unique_ptr<Output>> outputs_;
  std::vector<std::string> names_;
  bool is_terminal_ = false;
  std::size_t draining_ = 0;
};

}  // namespace tally
