// The tutorial's evening: a client and a server that speak different APIs answer each other with
// "404 page not found", or with a web page and 200. So here is said who speaks what, and the cure.

#include <fmt/format.h>

#include "deliver/answer.hpp"
#include "tally/text.hpp"

namespace tally {
namespace {

/// Since when, or until when, a server has an API.
std::string_view lifetime(Api api) {
  switch (api) {
    case Api::v0_8:
      return "the 0.8 API ended with InfluxDB 0.9";
    case Api::v1:
      return "the 1.x API began with InfluxDB 0.9, and 2.x has it only for mapped databases";
    case Api::v2:
      return "the 2.x API began with InfluxDB 1.8";
    case Api::v3:
      return "the 3.x API began with InfluxDB 3.0";
  }
  return {};  // not reached: the switch is complete
}

/// "the InfluxDB 1.x API (POST /write?db=metric)"
std::string api_asked(const Destination& to) {
  return fmt::format("the InfluxDB {}{} API ({})", to_string(to.api),
                     to.api == Api::v0_8 ? "" : ".x", request_line(to, to.api));
}

std::string cure(const Case& c) {
  if (!c.is_other_api()) {
    return "the server has it, but not below this url: set influxdb.url to the server's root, such "
           "as http://host:8086, without a path";
  }
  const std::string_view its_api = to_string(*c.server);
  const std::string request = request_line(c.to, *c.server);
  if (!c.to.api_is_fixed) {
    return fmt::format("{}; tallyd goes on with API {} ({})", lifetime(c.to.api), its_api, request);
  }
  return fmt::format("{}; set influxdb.api = \"{}\" ({}) or \"auto\"", lifetime(c.to.api), its_api,
                     request);
}

std::string story_of_versions(const Case& c) {
  const std::string configured =
      c.to.api_is_fixed && c.is_other_api()
          ? fmt::format(", but api = \"{}\" is configured: it", to_string(c.to.api))
          : " and";
  return fmt::format("{} is InfluxDB {}{} answered {} to {}: {}", c.to.url,
                     quote(c.response.influxdb_version), configured, answer(c), api_asked(c.to),
                     cure(c));
}

std::string story_of_a_stranger(const Case& c) {
  return fmt::format(
      "{} answered {} to {} and does not name itself InfluxDB: correct influxdb.url{}", c.to.url,
      answer(c), api_asked(c.to), c.to.api_is_fixed ? ", or set influxdb.api = \"auto\"" : "");
}

}  // namespace

Verdict judge_wrong_api(const Case& c) {
  Verdict verdict = misconfigured(c.server ? story_of_versions(c) : story_of_a_stranger(c));
  verdict.api_in_doubt = true;
  return verdict;
}

}  // namespace tally
