#pragma once
// tallyd send: a counter, a gauge, a timing, an event, from a shell.

#include <iosfwd>

#include "cli/arguments.hpp"
#include "tally/config.hpp"

namespace tally {

/// Runs it. The exit status: 0 sent; 1 nobody listens, or some lines of `in` would be refused; 2
/// the line would be refused, or the command line is wrong; of `time` the command's own, 127 and
/// 126 if it cannot be run.
int run_send(const Arguments& arguments, const Config& config, std::istream& in, std::ostream& err);

}  // namespace tally
