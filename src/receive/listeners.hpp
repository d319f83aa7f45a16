#pragma once
// All that [listen] names, opened.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "datagram_socket.hpp"
#include "streams.hpp"
#include "tally/config.hpp"
#include "tally/result.hpp"

namespace tally {

/// What one worker receives on. Listeners are counted in this order, datagrams first.
struct Listeners {
  std::vector<DatagramSocket> datagrams;
  std::vector<StreamSocket> streams;

  std::size_t size() const { return datagrams.size() + streams.size(); }
};

/// The literals behind what the config names: "localhost" is both loopbacks, "*" all of v4 and of
/// v6.
std::vector<ListenAddress> literals_of(const ListenAddress& address);

/// Whether `error` (errno of an open) only says that this machine has no IPv6: any IPv6 literal
/// whose family is unknown, or ::1 and :: that are missing. An address that was typed and is
/// missing is a mistake.
bool lacks_ipv6(const ListenAddress& literal, int error);

/// Opens one UDP socket for each literal. One that `lacks_ipv6` is left out and named in
/// `warnings`, as long as another socket is open.
Result<std::vector<DatagramSocket>> open_udp(const std::vector<ListenAddress>& addresses,
                                             const DatagramSocket::Options& options,
                                             std::vector<std::string>& warnings);

/// As `open_udp`, one TCP socket for each literal. `key` is the configuration's, for errors.
Result<std::vector<StreamSocket>> open_tcp(const std::vector<ListenAddress>& addresses,
                                           std::string_view key,
                                           std::vector<std::string>& warnings);

struct OpenedListeners {
  std::vector<Listeners> of_worker;  ///< UDP sockets in each, all else in the first
  std::vector<std::string> names;    ///< of the first worker's: "udp 127.0.0.1:8125"
  std::vector<std::string> warnings;
};

/// Opens everything, for `listen.workers` workers. On an error nothing stays open.
Result<OpenedListeners> open_listeners(const Config::Listen& listen);

}  // namespace tally
