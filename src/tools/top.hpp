#pragma once
// tallyd top: watches a running tallyd from a terminal.

#include <iosfwd>

#include "cli/arguments.hpp"
#include "tally/config.hpp"

namespace tally {

/// Runs it, until q, Ctrl-C or a signal; with --once and --json prints to `out` and ends. The exit
/// status: 0; 1 nothing answers; 2 the command line is wrong, or there is no terminal.
int run_top(const Arguments& arguments, const Config& config, std::ostream& out, std::ostream& err);

}  // namespace tally
