#pragma once
// What came back for an HTTP request, whoever sent it.

#include <cstdint>
#include <string>

namespace tally {

/// What kept an answer from coming.
enum class NoAnswer : std::uint8_t {
  broken,       ///< the connection ended early, or what came is not HTTP
  unreachable,  ///< refused, no route, no such socket
  unresolved,   ///< the host's name has no address
  timed_out,    ///< not within the configured time
  tls,          ///< no trust: certificate, host name, protocol
};

/// An HTTP answer, or why there was none.
struct Response {
  std::string transport_error;            ///< not empty: no whole answer, and why, for a reader
  NoAnswer no_answer = NoAnswer::broken;  ///< means something only with `transport_error`
  int status = 0;
  std::string content_type;
  std::string influxdb_version;  ///< header X-Influxdb-Version, "" if absent
  std::string influxdb_error;    ///< header X-Influxdb-Error
  std::string location;          ///< header Location
  std::string retry_after;       ///< header Retry-After, as sent
  std::string date;              ///< header Date: what a Retry-After date is measured from
  std::string body;              ///< at most 64 KiB of it
};

}  // namespace tally
