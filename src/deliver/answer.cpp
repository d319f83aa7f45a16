#include "deliver/answer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "tally/text.hpp"

namespace tally {
namespace {

std::string_view without_line_end(std::string_view text) {
  const std::size_t end = text.find_last_not_of("\r\n ");
  return text.substr(0, end == std::string_view::npos ? 0 : end + 1);
}

/// 1.x and 3.x say `error`, 2.x says `message`. The header of 1.x has the same text, but a proxy
/// may take it away, and it joins by blanks what the body has on lines.
std::string error_of(const Response& response, const Json& json) {
  std::string_view text = string_at(json, "error");
  if (text.empty()) text = string_at(json, "message");
  if (text.empty()) text = response.influxdb_error;
  if (text.empty()) text = response.body;
  return std::string(without_line_end(text));
}

/// Some servers and proxies quote the url that they were asked for, and that of 0.8 has user and
/// password in it: what is behind the path is left out, also if it is encoded once more.
std::string without_query(std::string_view foreign) {
  constexpr std::string_view marks[] = {"series?", "series%", "/db?", "/db%"};
  constexpr std::string_view stops = " \t\r\n\"'<>";
  std::string out;
  while (true) {
    std::size_t mark = std::string_view::npos, path_end = 0;
    for (const std::string_view one : marks) {
      if (foreign.find(one) >= mark) continue;
      mark = foreign.find(one);
      path_end = mark + one.size() - 1;
    }
    if (mark == std::string_view::npos) break;
    out += foreign.substr(0, path_end);
    out += "?..";
    foreign.remove_prefix(mark);
    foreign.remove_prefix(std::min(foreign.find_first_of(stops), foreign.size()));
  }
  return out.append(foreign);
}

}  // namespace

Case::Case(const Response& response_, const Payload& payload_, const Destination& to_)
    : response(response_),
      payload(payload_),
      to(to_),
      json(read_json(response_.body)),
      error(error_of(response_, json)),
      server(api_of(response_.influxdb_version)) {}

std::string words(std::string_view foreign) {
  std::string quoted = quote(without_query(foreign), 300);
  quoted.erase(quoted.rfind('"'), 1);
  return quoted.substr(1);
}

std::string why_unreached(const Response& response, const Destination& to) {
  const std::string why = words(response.transport_error);
  switch (response.no_answer) {
    case NoAnswer::unreachable:
      return fmt::format("nothing answers at {}: {}; start InfluxDB or correct influxdb.url",
                         to.url, why);
    case NoAnswer::unresolved:
      return fmt::format("cannot find the host of {}: {}; correct influxdb.url or the name service",
                         to.url, why);
    case NoAnswer::tls:
      // What OpenSSL makes of an answer that is no TLS.
      if (why.find("wrong version number") != std::string::npos) {
        return fmt::format(
            "no trusted connection to {}: there is no TLS ({}); write http:// in influxdb.url, or "
            "correct its port",
            to.url, why);
      }
      return fmt::format(
          "no trusted connection to {}: {}; set influxdb.ca_file to the authority that signed the "
          "server's certificate, or correct influxdb.url",
          to.url, why);
    case NoAnswer::timed_out:
    case NoAnswer::broken:
      break;
  }
  return {};
}

std::string answer(const Case& c) {
  if (c.error.empty()) return fmt::format("{} without a text", c.response.status);
  std::string line = without_query(c.error);
  std::ranges::replace(line, '\n', ' ');
  return fmt::format("{} {}", c.response.status, quote(line));
}

Verdict keep(std::string message) {
  return {.action = Action::keep, .message = std::move(message)};
}

Verdict misconfigured(std::string message) {
  return {.action = Action::keep, .configuration = true, .message = std::move(message)};
}

Verdict shown_without_points(Verdict verdict, const Destination& to) {
  verdict.shows_without_points = to.api != Api::v3;
  return verdict;
}

std::string request_line(const Destination& to, Api api) {
  const std::string database = words(to.database);
  switch (api) {
    case Api::v0_8:
      return fmt::format("POST /db/{}/series", database);
    case Api::v1:
      return fmt::format("POST /write?db={}", database);
    case Api::v2:
      return fmt::format("POST /api/v2/write?org={}&bucket={}", words(to.org), database);
    case Api::v3:
      return fmt::format("POST /api/v3/write_lp?db={}", database);
  }
  return {};  // not reached: the switch is complete
}

}  // namespace tally
