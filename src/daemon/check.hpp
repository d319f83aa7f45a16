#pragma once
// tallyd check: tries what the configuration names, before or beside a running daemon.

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "tally/config.hpp"

namespace tally {

struct Finding {
  enum class Level { well, note, mend } level;
  std::string line;  ///< what was found, and for `mend` the cure
};

/// The complete check: UDP addresses, receive buffer, InfluxDB. Blocks for a few seconds at most.
std::vector<Finding> find_problems(const LoadedConfig& loaded);

/// Whether a tallyd with this config receives here: each UDP address is bound by someone in this
/// network name space. `proc_net` is the folder of the kernel's tables, "/proc/net".
std::vector<Finding> find_running(const Config& config, const std::string& proc_net = "/proc/net");

/// What waits in the queues of the sockets bound to `literal` (an IP literal), in bytes as the
/// kernel books them; none if nobody is bound. `table` is the text of /proc/net/udp or udp6:
///
///       sl  local_address rem_address   st tx_queue:rx_queue ..
///      123: 0100007F:1FBD 00000000:0000 07 00000000:00000340 ..
///           ^ words of the address in the machine's byte order, hexadecimal
std::optional<std::uint64_t> bytes_waiting(std::string_view table, const ListenAddress& literal);

/// What InfluxDB's answer to /ping means. `status` 0: no answer, `error` says why. No I/O.
Finding judge_ping(const std::string& url, long status, const std::string& version,
                   const std::string& error);

/// Prints a line a finding. Returns the exit status: 1 if there is something to mend, else 0.
int report(const std::vector<Finding>& findings, std::ostream& out);

}  // namespace tally
