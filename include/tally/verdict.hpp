#pragma once
// What an answer of the database means for the batch that was sent. Pure.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "tally/payload.hpp"

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

/// What to do with the payload.
enum class Action : std::uint8_t {
  written,          ///< the database acknowledged it: forget it
  keep,             ///< send the same bytes again later
  split,            ///< too large for the server: send it in two halves
  drop,             ///< refused for what it holds: sending it again cannot help
  create_database,  ///< keep it, and create the database first
};

/// Why points of a payload were not written although the request was answered. Counters.
enum class PointLoss : std::uint8_t {
  none,
  refused,
  type_conflict,
  beyond_retention,
  series_limit
};

struct Verdict {
  Action action = Action::keep;
  PointLoss loss = PointLoss::none;
  std::uint32_t points_lost = 0;  ///< of the payload; with `written` the rest is stored
  bool configuration =
      false;  ///< only an operator can mend it: back off up to 60 s instead of 30 s
  std::chrono::seconds retry_after{0};  ///< the server's wish, 0 if none, at most 300 s
  std::string message;  ///< one line: what the server said and the cure; "" if all is well. How
                        ///< many points wait is for the caller to add
};

/// Where a payload was sent, for messages. No secrets.
struct Destination {
  std::string url;  ///< as configured, without user and password
  std::string database;
  std::string username;
  bool create_database = true;
};

/// Whether a server that calls itself this ("1.6.7~rc0", "v2.7.1", "InfluxDB v0.8.8 (..") speaks
/// the API of 1.x, whose first version is 0.9. A name without a number does not.
bool speaks_api_1(std::string_view version);

/// Judges the answer to a write (POST /write of the 1.x API). Only 204 means written; other 2xx
/// come from something that is not a write API. A time-out says nothing about whether it was
/// written, so the same bytes are sent again.
Verdict judge(const Response& response, const Payload& payload, const Destination& destination);

}  // namespace tally
