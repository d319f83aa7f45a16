#pragma once
// Where StatsD lines are sent to. Pure.

#include <cstdint>
#include <string>
#include <string_view>

#include "cli/arguments.hpp"
#include "tally/config.hpp"
#include "tally/result.hpp"

namespace tally {

struct Target {
  enum class Transport : std::uint8_t { udp, tcp, unix_socket };

  Transport transport = Transport::udp;
  std::string host;  ///< a name or an IP literal; of a Unix socket its path, or "@name"
  std::uint16_t port = 8125;

  friend bool operator==(const Target&, const Target&) = default;
};

/// Reads "udp://127.0.0.1:8125", "tcp://[::1]:8125", "unix:///run/tallyd/statsd.sock",
/// "unix://@name". Without a port it is 8125. The error says what is allowed.
Result<Target> parse_target(std::string_view text);

/// What tallyd with this configuration hears first: UDP, TCP, then Unix sockets. The loopback where
/// it listens on all addresses. An error if it listens nowhere.
Result<Target> first_listener(const Config& config);

/// What a client on this host connects to, by the host of a listener.
std::string reachable(const std::string& listened_on);

/// What --to says, else the first listener.
Result<Target> target_of(const Arguments& arguments, const Config& config);

/// "udp 127.0.0.1:8125", "unix /run/tallyd/statsd.sock".
std::string to_string(const Target& target);

}  // namespace tally
