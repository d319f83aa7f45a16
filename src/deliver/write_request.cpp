#include <fmt/format.h>

#include <string>
#include <utility>

#include "deliver/base64.hpp"
#include "deliver/series_json.hpp"
#include "deliver/url.hpp"
#include "tally/api.hpp"
#include "tally/text.hpp"

// Paths, words and credentials of the four APIs.

namespace tally {
namespace {

/// An identifier of InfluxQL.
std::string identifier(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + '"';
}

// 1.x takes a word that it does not know for nanoseconds, without a word.
std::string_view precision_word(Precision precision) {
  switch (precision) {
    case Precision::seconds:
      return "s";
    case Precision::milliseconds:
      return "ms";
    case Precision::nanoseconds:
      return "ns";
  }
  return {};  // not reached: the switch is complete
}

// The first releases of 3 took only these at their own endpoint, later ones take the short ones
// too.
std::string_view precision_word_3(Precision precision) {
  switch (precision) {
    case Precision::seconds:
      return "second";
    case Precision::milliseconds:
      return "millisecond";
    case Precision::nanoseconds:
      return "nanosecond";
  }
  return {};  // not reached: the switch is complete
}

// 0.8 has no nanoseconds: `to_series_json` makes microseconds of them.
std::string_view precision_word_0_8(Precision precision) {
  return precision == Precision::nanoseconds ? "u" : precision_word(precision);
}

std::string basic(const Credentials& credentials) {
  return "Authorization: Basic " + base64(credentials.username + ':' + credentials.password);
}

/// What 1.x asks for; 1.8 and VictoriaMetrics behind a proxy take tokens too.
void append_authorization_1(std::vector<std::string>& headers, const Credentials& credentials) {
  if (!credentials.username.empty()) {
    headers.push_back(basic(credentials));
  } else if (!credentials.token.empty()) {
    headers.push_back("Authorization: Token " + credentials.token);
  }
}

/// The API of 2.x; 1.8 speaks it too, and there user and password make the token.
void append_authorization_2(std::vector<std::string>& headers, const Credentials& credentials) {
  if (!credentials.token.empty()) {
    headers.push_back("Authorization: Token " + credentials.token);
  } else if (!credentials.username.empty()) {
    headers.push_back("Authorization: Token " + credentials.username + ':' + credentials.password);
  }
}

/// 3.x takes a token as a Basic password too, from clients of 1.x that can do no better.
void append_authorization_3(std::vector<std::string>& headers, const Credentials& credentials) {
  if (!credentials.token.empty()) {
    headers.push_back("Authorization: Bearer " + credentials.token);
  } else if (!credentials.username.empty()) {
    headers.push_back(basic(credentials));
  }
}

// In the query, for 0.8 takes no password with a colon as Basic. It ignores one without the other.
std::string query_credentials(const Credentials& credentials) {
  if (credentials.username.empty() || credentials.password.empty()) return {};
  return "u=" + url_encoded(credentials.username) + "&p=" + url_encoded(credentials.password);
}

ApiRequest line_protocol_to(std::string path) {
  return {.path = std::move(path),
          .body = std::nullopt,
          .headers = {"Content-Type: text/plain; charset=utf-8"}};
}

ApiRequest write_0_8(const Destination& to, const Credentials& credentials,
                     const Payload& payload) {
  SeriesJson json = to_series_json(payload);
  std::string query = query_credentials(credentials);
  if (!query.empty()) query += '&';
  return {.path = fmt::format("/db/{}/series?{}time_precision={}", url_encoded(to.database), query,
                              precision_word_0_8(payload.precision)),
          .body = std::move(json.text),
          .headers = {"Content-Type: application/json"},
          .keeps_connection = false,
          .left_out = std::move(json.left_out)};
}

ApiRequest write_1(const Destination& to, const Credentials& credentials, const Payload& payload) {
  std::string path = "/write?db=" + url_encoded(to.database);
  if (!to.retention_policy.empty()) path += "&rp=" + url_encoded(to.retention_policy);
  path += fmt::format("&precision={}", precision_word(payload.precision));
  ApiRequest request = line_protocol_to(std::move(path));
  append_authorization_1(request.headers, credentials);
  return request;
}

ApiRequest write_2(const Destination& to, const Credentials& credentials, const Payload& payload) {
  std::string bucket = to.database;
  if (!to.retention_policy.empty()) bucket += '/' + to.retention_policy;
  ApiRequest request = line_protocol_to(fmt::format("/api/v2/write?org={}&bucket={}&precision={}",
                                                    url_encoded(to.org), url_encoded(bucket),
                                                    precision_word(payload.precision)));
  append_authorization_2(request.headers, credentials);
  return request;
}

ApiRequest write_3(const Destination& to, const Credentials& credentials, const Payload& payload) {
  ApiRequest request =
      line_protocol_to(fmt::format("/api/v3/write_lp?db={}&precision={}&accept_partial=true",
                                   url_encoded(to.database), precision_word_3(payload.precision)));
  append_authorization_3(request.headers, credentials);
  return request;
}

}  // namespace

ApiRequest write_request(const Destination& to, const Credentials& credentials,
                         const Payload& payload) {
  switch (to.api) {
    case Api::v0_8:
      return write_0_8(to, credentials, payload);
    case Api::v1:
      return write_1(to, credentials, payload);
    case Api::v2:
      return write_2(to, credentials, payload);
    case Api::v3:
      return write_3(to, credentials, payload);
  }
  return {};  // not reached: the switch is complete
}

std::optional<ApiRequest> create_database_request(const Destination& to,
                                                  const Credentials& credentials) {
  if (to.api == Api::v1) {
    ApiRequest request{.path = "/query",
                       .body = "q=" + url_encoded("CREATE DATABASE " + identifier(to.database)),
                       .headers = {"Content-Type: application/x-www-form-urlencoded"}};
    append_authorization_1(request.headers, credentials);
    return request;
  }
  if (to.api != Api::v0_8) return std::nullopt;
  const std::string query = query_credentials(credentials);
  std::string body = "{\"name\":";
  append_json_string(body, to.database);
  body += '}';
  return ApiRequest{.path = query.empty() ? "/db" : "/db?" + query,
                    .body = std::move(body),
                    .headers = {"Content-Type: application/json"},
                    .keeps_connection = false};
}

}  // namespace tally
