#include "tools/web.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <chrono>
#include <utility>

#include "daemon/sources.hpp"
#include "deliver/url.hpp"
#include "tally/text.hpp"
#include "tools/target.hpp"
#include "uv/handles.hpp"

namespace tally {
namespace {

Result<std::string> own_url(const Config& config) {
  if (!config.http.listen)
    return Error{"http.listen is off in this configuration: say --url http://127.0.0.1:8127"};
  const auto& [host, port] = *config.http.listen;
  return "http://" + to_string(ListenAddress{reachable(host), port});
}

Error no_answer(const Response& response, const Site& site) {
  if (response.status == 200)
    return Error{site.url +
                 " ended its answer in the middle: tallyd was stopped, or we read too slowly"};
  switch (response.no_answer) {
    case NoAnswer::unreachable:
      return Error{
          fmt::format("nothing answers at {}: is tallyd running with http.listen set? ({})",
                      site.url, response.transport_error)};
    case NoAnswer::unresolved:
      return Error{fmt::format("{}: the host's name has no address; see --url", site.url)};
    default:
      return Error{fmt::format("{} gave no whole answer: {}; is --url right?", site.url,
                               response.transport_error)};
  }
}

/// The words of an answer that is no 200: {"error": ".."}, or the beginning of something else.
std::string words_of(const Response& response) {
  const Json json = read_json(response.body);
  const std::string_view error = string_at(json, "error");
  return quote(error.empty() ? std::string_view(response.body) : error);
}

}  // namespace

Result<Site> site_of(const Arguments& arguments, const Config& config) {
  const bool is_own = !arguments.has("url");
  Result<std::string> url = is_own ? own_url(config) : arguments.value("url");
  if (!url) return url.error();
  Site site{.url = std::move(url).value()};
  if (site.url.find("://") == std::string::npos) site.url = "http://" + site.url;
  site.url = without_end_slashes(site.url);
  const bool is_told = arguments.has("token-file");
  // The configured token is for the configured address: no other may learn it.
  const std::string file = is_told ? arguments.value("token-file") : config.http.token_file;
  if (file.empty() || !(is_told || is_own)) return site;
  Result<std::string> token = read_secret(file, is_told ? "--token-file" : "http.token_file");
  if (!token) return token.error();
  site.token = std::move(token).value();
  return site;
}

HttpSettings web_settings() {
  return {.timeout = std::chrono::seconds(5), .body_bytes_max = 16 << 20};
}

HttpRequest get(const Site& site, std::string_view target) {
  HttpRequest request{.method = HttpRequest::Method::get, .url = site.url};
  request.url += target;
  if (!site.token.empty()) request.headers.push_back("Authorization: Bearer " + site.token);
  return request;
}

Status problem_of(const Response& response, const Site& site) {
  if (!response.transport_error.empty()) return no_answer(response, site);
  if (response.status == 200) return {};
  if (response.status == 401 && site.token.empty())
    return Error{site.url + " asks for a token: give --token-file (see http.token_file)"};
  if (response.status == 404)
    return Error{
        fmt::format("{} does not know what was asked for ({}): another program, or an older "
                    "tallyd, answers there",
                    site.url, words_of(response))};
  return Error{fmt::format("{} answers {} {}", site.url, response.status, words_of(response))};
}

Result<Json> json_of(const Response& response, const Site& site) {
  if (Status problem = problem_of(response, site)) return *problem;
  Json json = read_json(response.body);
  if (json.is_whole) return json;
  return Error{site.url + " answers something that is no JSON: another program answers there"};
}

Result<std::string> fetch(const Site& site, std::string_view target) {
  uv::Loop loop;
  std::optional<Response> answer;
  Http http(loop, web_settings());
  http.send(get(site, target), [&](Response response) {
    answer = std::move(response);
    loop.stop();
  });
  loop.run();
  if (Status problem = problem_of(*answer, site)) return *problem;
  return std::move(answer->body);
}

std::optional<Response> follow(const Site& site, std::string_view target,
                               std::function<bool(std::string_view)> on_body) {
  uv::Loop loop;
  std::optional<Response> answer;
  const auto stop = [&loop] { loop.stop(); };
  const uv::Signal interrupt(loop, SIGINT, stop);
  const uv::Signal terminate(loop, SIGTERM, stop);
  Http http(loop, web_settings());
  HttpRequest request = get(site, target);
  request.on_body = std::move(on_body);
  http.send(std::move(request), [&](Response response) {
    answer = std::move(response);
    loop.stop();
  });
  loop.run();
  return answer;
}

}  // namespace tally
