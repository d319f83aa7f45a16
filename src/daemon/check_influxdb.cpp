#include "daemon/check_influxdb.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "daemon/destinations.hpp"
#include "daemon/influxdb_findings.hpp"
#include "daemon/wall_clock.hpp"
#include "deliver/http.hpp"
#include "deliver/url.hpp"
#include "uv/handles.hpp"

namespace tally {
namespace {

using Level = Finding::Level;
using std::chrono::milliseconds;

constexpr milliseconds timeout_max{5'000};

HttpSettings http_settings(const Config::Influxdb& influxdb) {
  return {.timeout = std::min(influxdb.timeout, timeout_max),
          .ca_file = influxdb.ca_file,
          .proxy = influxdb.proxy};
}

/// One destination, asked one thing after the other on a loop of its own.
class Inquiry {
 public:
  /// Without credentials that can be read nothing is asked that needs them.
  Inquiry(const Config& config, const Config::Influxdb& influxdb,
          std::optional<Credentials> credentials)
      : config_(config),
        credentials_(std::move(credentials)),
        to_(destination_of(influxdb)),
        url_(without_end_slashes(influxdb.url)),
        http_(loop_, http_settings(influxdb)) {}

  std::vector<Finding> run() &&;

 private:
  Response ask(HttpRequest request);
  Response get(std::string_view path);
  std::optional<std::string> query(std::string_view influxql);
  bool find_server();
  Response try_to_write();
  bool takes_points();
  void look_into_database();

  const Config& config_;
  std::optional<Credentials> credentials_;
  Destination to_;
  std::string url_;
  uv::Loop loop_;
  Http http_;
  std::optional<Server> server_;
  std::vector<Finding> findings_;
};

Response Inquiry::ask(HttpRequest request) {
  Response answer;
  http_.send(std::move(request), [&](Response response) {
    answer = std::move(response);
    loop_.stop();
  });
  loop_.run();
  return answer;
}

Response Inquiry::get(std::string_view path) {
  return ask({.method = HttpRequest::Method::get, .url = url_ + std::string(path)});
}

/// The answer of 1.x to a statement that changes nothing; nothing if it is not answered.
std::optional<std::string> Inquiry::query(std::string_view influxql) {
  Response answer = ask({.method = HttpRequest::Method::get,
                         .url = fmt::format("{}/query?db={}&q={}", url_, url_encoded(to_.database),
                                            url_encoded(influxql)),
                         .headers = write_request(to_, *credentials_, Payload{}).headers});
  // One that is cut short at the client's limit has its status all the same.
  if (!answer.transport_error.empty() || answer.status != 200) return std::nullopt;
  return std::move(answer.body);
}

/// Finds out who is there; false if nobody answers.
bool Inquiry::find_server() {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin = Clock::now();
  const Response first = get(probe_paths[0]);
  const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - begin);
  const WallTime now = wall_now();
  if (auto unreached = judge_reach(first, to_)) {
    findings_.push_back(*std::move(unreached));
    return false;
  }
  server_ = identify(first);
  for (std::size_t i = 1; !server_ && i < std::size(probe_paths); ++i)
    server_ = identify(get(probe_paths[i]));
  if (server_ && !to_.api_is_fixed) to_.api = server_->api;
  findings_.push_back(describe_server(server_, took, to_));
  if (auto clock = judge_clock(first, now, to_)) findings_.push_back(*std::move(clock));
  return true;
}

Response Inquiry::try_to_write() {
  Trial trial = trial_of(to_, *credentials_, server_);
  HttpRequest request = post_to(url_, std::move(trial.request));
  if (trial.is_get) request.method = HttpRequest::Method::get;
  return ask(std::move(request));
}

/// Whether points would be taken now.
bool Inquiry::takes_points() {
  Response answer = try_to_write();
  // Behind some proxies only the write meets the server itself; then the writer asks again too.
  if (!server_ && !to_.api_is_fixed) server_ = identify(answer);
  if (server_ && !to_.api_is_fixed && std::exchange(to_.api, server_->api) != server_->api)
    answer = try_to_write();
  findings_.push_back(judge_trial(answer, server_, to_));
  return findings_.back().level == Level::well;
}

// A user who may only write is refused here: that is no finding.
void Inquiry::look_into_database() {
  const OwnNames names = own_names(config_);
  if (const auto fields = query(field_keys_query(names)))
    std::ranges::move(judge_field_types(*fields, names, to_), std::back_inserter(findings_));
  if (const auto series = query(series_query))
    if (auto near = judge_series_limit(*series, to_)) findings_.push_back(*std::move(near));
}

std::vector<Finding> Inquiry::run() && {
  if (!find_server() || !credentials_) return std::move(findings_);
  if (takes_points() && to_.api == Api::v1) look_into_database();
  return std::move(findings_);
}

}  // namespace

std::vector<Finding> find_influxdb_problems(const Config& config,
                                            const Config::Influxdb& influxdb) {
  std::vector<Finding> findings;
  const std::string subject = subject_of(destination_of(influxdb));
  std::optional<Credentials> credentials;
  if (Result<Credentials> read = read_credentials(influxdb)) {
    credentials = std::move(read).value();
  } else {
    findings.push_back({Level::mend, subject, read.error().message});
  }
  if (influxdb.api == Api::v2 && influxdb.token.empty() && influxdb.token_file.empty())
    findings.push_back({Level::mend, subject,
                        "api is \"2\" and there is no token, without which InfluxDB 2 takes no "
                        "points; set influxdb.token_file"});
  Inquiry inquiry(config, influxdb, std::move(credentials));
  std::ranges::move(std::move(inquiry).run(), std::back_inserter(findings));
  return findings;
}

}  // namespace tally
