#pragma once
// tallyd capture: what arrives at a running tallyd, as a pcap file.

#include <iosfwd>

#include "cli/arguments.hpp"
#include "tally/config.hpp"

namespace tally {

/// Runs it, until tallyd ends it (--seconds, --bytes), Ctrl-C or SIGTERM. The file ends with a
/// whole packet in any case. The exit status: 0; 1 nothing answers, or the file cannot be written;
/// 2 the command line is wrong.
int run_capture(const Arguments& arguments, const Config& config, std::ostream& err);

}  // namespace tally
