#pragma once
// An answer as the judges see it, and the words that their verdicts share. Pure.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "deliver/json.hpp"
#include "tally/verdict.hpp"

namespace tally {

/// All that the judges look at, so that each takes one argument.
struct Case {
  const Response& response;
  const Payload& payload;
  const Destination& to;
  Json json;          ///< of the body
  std::string error;  ///< what the server said was wrong, without JSON; may be several lines
  std::optional<Api> server;  ///< by its version

  Case(const Response& response, const Payload& payload, const Destination& to);

  /// Whether InfluxDB itself said it. JSON alone is no sign: a gateway speaks it too.
  bool is_influxdb() const { return server || !response.influxdb_error.empty(); }
  /// Whether the server names a version that has another API of its own.
  bool is_other_api() const { return server && *server != to.api; }
};

/// Foreign words inside a sentence: as `quote`, without the quotes and without what a url of 0.8
/// would give away.
std::string words(std::string_view foreign);

/// Why nobody was reached, and the cure; "" for a silence or a broken answer, which say something
/// else of a write than of a question.
std::string why_unreached(const Response& response, const Destination& to);

/// `404 "404 page not found"`
std::string answer(const Case& c);

Verdict keep(std::string message);
Verdict misconfigured(std::string message);  ///< keep, until an operator comes

/// Marks a verdict on what the server says of every write, whatever is in it. 3.x is left out: it
/// makes a database of a write of no points, and what it says of one to us is not known.
Verdict shown_without_points(Verdict verdict, const Destination& to);

/// 400 and 422: the server will not have some or all lines, for what they hold.
Verdict judge_refusal(const Case& c);

/// The server does not know the request, or is not what it was taken for.
Verdict judge_wrong_api(const Case& c);

/// The database, or bucket, is not there.
Verdict judge_missing_database(const Case& c);

/// "Sun, 06 Nov 1994 08:49:37 GMT", the one form of a date that HTTP lets a server send (RFC 9110
/// 5.6.7).
std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text);

/// The server's wish from Retry-After: seconds, or a date, which is measured from the answer's own
/// Date, so that our clock may be wrong. 0 if there is none or it makes no sense, at most 300 s.
std::chrono::seconds retry_after(const Response& response);

/// "POST /write?db=metric", as an operator would look for it. No secrets.
std::string request_line(const Destination& to, Api api);

}  // namespace tally
