#pragma once
// HTTP messages as plain values: what was asked, and what is answered.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tally/peer.hpp"

namespace tally::http {

/// A header or a query parameter of a request.
struct Field {
  std::string_view name;
  std::string_view value;
};

/// What was asked. Borrowed until the handler returns; bodies of requests are read and thrown away.
struct Request {
  std::string_view method = {};        ///< as sent: "GET"
  std::string_view path = {};          ///< percent-decoded, without the query
  std::vector<Field> headers = {};     ///< in their order, names as sent
  std::vector<Field> parameters = {};  ///< of the query, percent-decoded
  Peer peer = {};
};

/// The first header of that name, in whatever case it was sent.
std::optional<std::string_view> header(const Request& request, std::string_view name);

/// The first parameter of that name.
std::optional<std::string_view> parameter(const Request& request, std::string_view name);

/// A header of an answer. Name and value are ours: no bytes of a client belong in them.
struct Header {
  std::string name;
  std::string value;

  friend bool operator==(const Header&, const Header&) = default;
};

struct Response {
  unsigned status = 200;
  std::string body = {};  ///< left out when the method was HEAD; its length is still told
  std::vector<Header> headers = {};
};

/// An answer of the form {"error": "what, and what to do"}.
Response error(unsigned status, std::string_view text);

/// Whether two texts are equal but for the case of ASCII letters.
bool is_same_text(std::string_view a, std::string_view b);

}  // namespace tally::http
