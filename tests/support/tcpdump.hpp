#pragma once
// Debian's tcpdump as the judge of what claims to be a pcap file.

#include <optional>
#include <string>

namespace tally::testing {

/// What `tcpdump -nn -r FILE` with `arguments` prints of it, errors included; nothing if it is not
/// installed.
std::optional<std::string> read_by_tcpdump(const std::string& pcap, const std::string& arguments);

}  // namespace tally::testing
