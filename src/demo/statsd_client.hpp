#pragma once
// A StatsD client: a few bytes of text in a UDP datagram, sent and forgotten.
//
//     count_request:1|c               one more request
//     response_time:0.2137|ms         it took this long
//
// That is the whole protocol a service needs. Sending never blocks and never fails for the caller:
// a service does not get slower, and does not fall over, because nobody listens to its metrics.

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "demo/address.hpp"
#include "tally/result.hpp"

namespace tally::demo {

using Milliseconds = std::chrono::duration<double, std::milli>;

/// "name:delta|c": `delta` more of something.
std::string counter(std::string_view name, std::uint64_t delta);

/// "name:ms|ms": a duration in milliseconds, to a tenth of a microsecond.
std::string timer(std::string_view name, Milliseconds duration);

/// Sends samples to one StatsD daemon. For one thread.
class StatsdClient {
 public:
  /// Opens a socket for `daemon`. Nobody needs to listen there, now or later.
  static Result<StatsdClient> open(const Address& daemon);

  /// Sends the lines in one datagram. A lost datagram is counted and otherwise ignored.
  void send(std::initializer_list<std::string> lines);

  std::uint64_t sent() const { return sent_; }  ///< datagrams

  /// Datagrams known to be lost. UDP promises no such news: a sign that nobody listens, not the
  /// number.
  std::uint64_t lost() const { return lost_; }

 private:
  StatsdClient(Descriptor socket, std::string daemon);
  bool transmit(std::string_view datagram);
  void note_lost(int error);

  Descriptor socket_;
  std::string daemon_;
  std::uint64_t sent_ = 0;
  std::uint64_t lost_ = 0;
};

}  // namespace tally::demo
