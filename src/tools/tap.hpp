#pragma once
// tallyd tap: lines as they arrive at a running tallyd.

#include <iosfwd>

#include "cli/arguments.hpp"
#include "tally/config.hpp"

namespace tally {

/// Runs it, until Ctrl-C, SIGTERM or --limit. The exit status: 0; 1 nothing answers, or tallyd
/// ended the stream; 2 the command line is wrong.
int run_tap(const Arguments& arguments, const Config& config, std::ostream& out, std::ostream& err);

}  // namespace tally
