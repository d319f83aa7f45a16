#pragma once
// The process's log: standard error, one event a line.

#include <memory>
#include <string>

#include <spdlog/logger.h>

#include "tally/result.hpp"

namespace tally {

/// A logger of the given level: trace debug info warning error off. Lines begin with the wall
/// clock in UTC and the level. Any thread.
Result<std::shared_ptr<spdlog::logger>> make_logger(const std::string& level);

}  // namespace tally
