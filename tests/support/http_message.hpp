#pragma once
// HTTP/1.1 messages as a test server needs them: a request taken apart, an answer put together.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tally::testing {

/// A request as it came, and what the server noted of it.
struct HttpMessage {
  std::chrono::steady_clock::time_point at{};  ///< when its head was whole
  int connection = 0;                          ///< 0 for the first one accepted, and so on
  std::string method;
  std::string target;                          ///< path and query, not decoded
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;                            ///< unpacked if it came as gzip
  std::size_t bytes_sent = 0;                  ///< of the body as it came
  bool is_whole = false;                       ///< all of its body came

  std::string path() const;  ///< without the query
  /// A parameter of the query, decoded; "" if it is not there.
  std::string parameter(std::string_view name) const;
  /// A header by its name in lower case; "" if it is not there.
  std::string header(const std::string& name) const;
};

/// Takes a whole head, up to and with its empty line, from the front of `in`. Its body is still to
/// come: `content_bytes` says how long it is.
std::optional<HttpMessage> take_head(std::string& in);

/// The Content-Length; 0 without one. Chunked requests are not understood.
std::size_t content_bytes(const HttpMessage& head);

/// A whole answer before it is written.
struct HttpReply {
  int status = 204;
  std::string body;
  std::string content_type;          ///< "" sends none
  std::vector<std::string> headers;  ///< "Name: value"
};

/// As it goes over the wire, with a Content-Length unless it is a 204.
std::string to_bytes(const HttpReply& reply);

/// Turns %XX and '+' back into bytes.
std::string percent_decoded(std::string_view text);

/// What gzip packed; nothing if it is damaged or cut.
std::optional<std::string> gunzip(std::string_view packed);

/// "Basic .." as RFC 7617 has it.
std::string basic_credentials(std::string_view user, std::string_view password);

}  // namespace tally::testing
