#include "deliver/influx_server.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "base/gzip.hpp"
#include "deliver/url.hpp"

namespace tally {
namespace {

bool is_same(const Credentials& a, const Credentials& b) {
  return a.password == b.password && a.token == b.token;
}

// What the request could not hold the database does not have, whatever it says of the rest.
void add_left_out(const std::vector<std::uint32_t>& left_out, Verdict& verdict) {
  if (left_out.empty() || verdict.action != Action::written) return;
  std::vector<std::uint32_t> all;
  std::ranges::set_union(verdict.refused_lines, left_out, std::back_inserter(all));
  verdict.points_lost += static_cast<std::uint32_t>(all.size() - verdict.refused_lines.size());
  verdict.refused_lines = std::move(all);
  verdict.loss = PointLoss::refused;
  if (verdict.message.empty())
    verdict.message = "the API of InfluxDB 0.8 has no words for some points: they are lost";
}

}  // namespace

InfluxServer::InfluxServer(uv::Loop& loop, ServerSettings settings, DeliveryLog& log)
    : settings_(std::move(settings)),
      url_(without_end_slashes(settings_.destination.url)),
      log_(log),
      http_(loop,
            {.timeout = settings_.timeout, .ca_file = settings_.ca_file, .proxy = settings_.proxy}),
      is_api_known_(settings_.destination.api_is_fixed) {}

HttpRequest InfluxServer::get(std::string_view path) const {
  return {.method = HttpRequest::Method::get,
          .url = url_ + std::string(path),
          .body = {},
          .headers = {}};
}

void InfluxServer::ask(HttpRequest question, Http::Done done) {
  is_asking_ = true;
  http_.send(std::move(question), [this, done = std::move(done)](const Response& response) {
    is_asking_ = false;
    done(response);
  });
}

void InfluxServer::cancel() {
  http_.cancel();
  is_asking_ = false;
}

// ---- a write and its answer ---------------------------------------------------------------------

void InfluxServer::write(const Payload& payload, OnWritten done) {
  Writing writing{&payload, std::move(done)};
  is_api_known_ ? send(std::move(writing)) : find_api(std::move(writing), 0);
}

void InfluxServer::send(Writing writing) {
  Sent sent{.to = settings_.destination, .creations = creations_};
  ApiRequest request = write_request(sent.to, settings_.credentials, *writing.payload);
  sent.left_out = std::move(request.left_out);
  const std::string_view body = request.body ? *request.body : writing.payload->body;
  std::optional<std::string> packed;
  if (settings_.gzip) packed = gzip(body);
  if (packed) {
    request.headers.emplace_back("Content-Encoding: gzip");
    request.body = std::move(packed);
  } else if (!request.body) {
    request.body = body;
  }
  HttpRequest write = post_to(url_, std::move(request));
  http_.send(std::move(write),
             [this, writing = std::move(writing), sent = std::move(sent)](Response response) {
               writing.done(judged(std::move(response), *writing.payload, sent));
             });
}

WriteAnswer InfluxServer::judged(Response response, const Payload& payload, const Sent& sent) {
  if (!response.influxdb_version.empty()) version_ = response.influxdb_version;
  WriteAnswer answer{.response = std::move(response), .verdict = {}, .api = sent.to.api};
  Verdict& verdict = answer.verdict = judge(answer.response, payload, sent.to);
  add_left_out(sent.left_out, verdict);
  if (verdict.action == Action::written) has_switched_ = false;
  // One that was begun before the creation says nothing of it.
  const bool is_later = sent.creations == creations_;
  if (is_later && std::exchange(has_created_, false) && verdict.action == Action::create_database) {
    verdict.action = Action::keep;  // so that it waits for the back-off before it is created again
    verdict.message += ", although it was created a moment ago";
  }
  return answer;
}

// ---- which API ----------------------------------------------------------------------------------

void InfluxServer::find_api(Writing writing, std::size_t probe) {
  ask(get(probe_paths[probe]),
      [this, writing = std::move(writing), probe](const Response& response) {
        if (!response.transport_error.empty())
          return writing.done(
              judged(response, *writing.payload, {.to = settings_.destination, .creations = 0}));
        const std::optional<Server> server = identify(response);
        if (!server && probe + 1 < std::size(probe_paths)) return find_api(writing, probe + 1);
        if (server) use(*server);
        is_api_known_ = true;  // or no one knows: then the answer to the write tells
        send(writing);
      });
}

bool InfluxServer::doubt_api(const WriteAnswer& answer) {
  const Destination& to = settings_.destination;
  if (to.api_is_fixed) return false;
  const std::optional<Server> server = identify(answer.response);
  if (!server) {
    is_api_known_ = false;
    return false;
  }
  // Another write's answer may have told it before.
  if (server->api == to.api) return answer.api != to.api;
  use(*server);
  // Once: behind one address there may be two that send us from one to the other.
  return !std::exchange(has_switched_, true);
}

void InfluxServer::use(const Server& server) {
  settings_.destination.api = server.api;
  version_ = server.version;
  log_.found(server);
}

// ---- other questions ----------------------------------------------------------------------------

// Not all that take points know /ping.
void InfluxServer::ask_if_alive(std::function<void(bool)> done) {
  ask(get("/ping"), [done = std::move(done)](const Response& response) {
    done(response.transport_error.empty() && response.status < 500);
  });
}

void InfluxServer::ask_if_mended(std::function<void(bool)> done) {
  const Payload nothing;
  const Destination& to = settings_.destination;
  ask(post_to(url_, write_request(to, settings_.credentials, nothing)),
      [done = std::move(done), to, nothing](const Response& response) {
        done(judge(response, nothing, to).action == Action::written);
      });
}

bool InfluxServer::create_database(OnVerdict done) {
  std::optional<ApiRequest> request =
      create_database_request(settings_.destination, settings_.credentials);
  if (!request) return false;
  ask(post_to(url_, std::move(*request)), [this, done = std::move(done)](const Response& response) {
    const Verdict verdict = judge_created(response, settings_.destination);
    has_created_ = verdict.action == Action::written;
    if (has_created_) ++creations_;
    if (has_created_) log_.created(settings_.destination.database);
    done(verdict, response);
  });
  return true;
}

bool InfluxServer::reload_credentials() {
  if (!settings_.reload_credentials) return false;
  Credentials changed = settings_.reload_credentials();
  const bool has_none = changed.password.empty() && changed.token.empty();
  if (has_none || is_same(changed, settings_.credentials)) return false;
  settings_.credentials = std::move(changed);
  log_.credentials_changed(settings_.credentials.username);
  return true;
}

}  // namespace tally
