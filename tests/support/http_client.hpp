#pragma once
// One HTTP request and its answer, waited for.

#include <optional>
#include <string>

namespace tally::testing {

struct HttpRequestText {
  std::string url;
  std::optional<std::string> form = {};  ///< makes it a POST
  std::string credentials = {};          ///< "user:password"; "" sends none
  std::string accept = "*/*";
};

struct HttpAnswer {
  long status = 0;  ///< 0: no answer
  std::string body;
};

/// On a connection of its own, through no proxy, for at most 30 s.
HttpAnswer http_request(const HttpRequestText& request);

inline HttpAnswer http_get(const std::string& url) {
  return http_request({.url = url});
}

}  // namespace tally::testing
