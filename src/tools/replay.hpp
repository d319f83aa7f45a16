#pragma once
// tallyd replay: sends the UDP datagrams of a capture.

#include <iosfwd>

#include "cli/arguments.hpp"
#include "tally/config.hpp"

namespace tally {

/// Runs it, to the file's end, --limit, Ctrl-C or SIGTERM. Holds 64 KiB of the file at a time. The
/// exit status: 0; 1 the file cannot be read, holds nothing to send, or nobody listens; 2 the
/// command line is wrong.
int run_replay(const Arguments& arguments, const Config& config, std::ostream& out,
               std::ostream& err);

}  // namespace tally
