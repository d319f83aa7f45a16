#pragma once
// A command that is run and timed, as if it had been run alone.

#include <chrono>
#include <string>
#include <vector>

#include "tally/result.hpp"

namespace tally {

struct Ended {
  int status = 0;  ///< as a shell gives it: the exit status, or 128 + the signal that ended it
  std::chrono::nanoseconds took{};
};

/// Runs a command (its name, then its arguments; searched in PATH) with our own streams, and waits.
/// Signals that are sent to us are passed on; those of the terminal reach it anyway, and are
/// ignored here. The error's code is 127 if there is no such command, 126 if it cannot be run.
///
/// Takes signals from the whole process while it waits: call it on the only thread.
Result<Ended> run_timed(const std::vector<std::string>& command);

}  // namespace tally
