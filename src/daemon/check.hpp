#pragma once
// tallyd check: tries what the configuration names, before or beside a running daemon.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/findings.hpp"
#include "tally/config.hpp"

namespace tally {

/// The complete check: addresses, paths, http and admin port, receive buffer, spools, and each
/// InfluxDB. Binds what is free for a moment, which removes a socket file that no one listens on,
/// as a start does; what is alive it leaves alone. Nothing is written to a database or a spool.
/// Blocks as long as `find_influxdb_problems` does, or while a directory of sockets is locked.
std::vector<Finding> find_problems(const LoadedConfig& loaded);

/// Whether a tallyd with this config receives here: each address and path is bound by someone in
/// this network name space. If none could be looked up that is to be mended too. `proc_net` is the
/// folder of the kernel's tables, "/proc/net".
std::vector<Finding> find_running(const Config& config, const std::string& proc_net = "/proc/net");

/// What waits at the sockets that receive on `literal` (an IP literal): bytes as the kernel books
/// them (`type` SOCK_DGRAM), or connections to be accepted (SOCK_STREAM); none if nobody receives.
/// `table` is the text of /proc/net/udp, udp6, tcp or tcp6:
///
///       sl  local_address rem_address   st tx_queue:rx_queue ..
///      123: 0100007F:1FBD 00000000:0000 07 00000000:00000340 ..
///           ^ words of the address      ^ 07 UDP without a peer, 0A TCP that listens
///             in the machine's byte order, all hexadecimal
std::optional<std::uint64_t> waiting_at(std::string_view table, int type,
                                        const ListenAddress& literal);

/// Whether a socket of `type` receives on `path`, "@name" if it is abstract. `table` is the text of
/// /proc/net/unix:
///
///     Num  RefCount Protocol Flags    Type St Inode Path
///     0f9: 00000002 00000000 00010000 0001 01 10561 /run/tallyd/stream.sock
///                            ^ listens ^ 1 stream, 2 datagrams
bool is_bound(std::string_view table, int type, std::string_view path);

}  // namespace tally
