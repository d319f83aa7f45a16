#pragma once
// tallyd grafana: writes a dashboard for the metrics that a running tallyd has seen.

#include <iosfwd>

#include "cli/arguments.hpp"
#include "tally/config.hpp"

namespace tally {

/// Runs it: the dashboard to `out` or --output, what it holds and leaves out to `err`. The exit
/// status: 0; 1 nothing answers, nothing was seen, or the file cannot be written; 2 the command
/// line is wrong.
int run_grafana(const Arguments& arguments, const Config& config, std::ostream& out,
                std::ostream& err);

}  // namespace tally
