#include "influxd.hpp"

#include <curl/curl.h>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <utility>

#include "http_client.hpp"

namespace tally::testing {
namespace {

using namespace std::chrono_literals;

constexpr const char* influxd_path = "/usr/bin/influxd";

std::string url_encoded(std::string_view text) {
  char* encoded = curl_easy_escape(nullptr, text.data(), static_cast<int>(text.size()));
  std::string result = encoded;
  curl_free(encoded);
  return result;
}

HttpAnswer post(const std::string& url, const std::string& form, bool auth) {
  return http_request({.url = url,
                       .form = form,
                       .credentials = auth ? "root:secret" : "",
                       .accept = "application/csv"});
}

struct Places {
  std::string directory;
  std::string storage;
};

std::string config_text(const Places& places, std::uint16_t http_port, std::uint16_t rpc_port,
                        bool auth) {
  return fmt::format(R"(reporting-disabled = true
bind-address = "127.0.0.1:{rpc_port}"
[meta]
dir = "{directory}/meta"
[data]
dir = "{storage}/data"
wal-dir = "{storage}/wal"
query-log-enabled = false
[http]
bind-address = "127.0.0.1:{http_port}"
log-enabled = false
auth-enabled = {auth}
[monitor]
store-enabled = false
[subscriber]
enabled = false
[continuous_queries]
enabled = false
)",
                     fmt::arg("directory", places.directory), fmt::arg("storage", places.storage),
                     fmt::arg("http_port", http_port), fmt::arg("rpc_port", rpc_port),
                     fmt::arg("auth", auth));
}

}  // namespace

bool Influxd::is_installed() {
  return access(influxd_path, X_OK) == 0;
}

Influxd::Influxd(InfluxdOptions options) : options_(std::move(options)) {
  const Places places{directory_.path(),
                      options_.storage.empty() ? directory_.path() : options_.storage};
  config_path_ = directory_.write(
      "influxd.toml", config_text(places, http_port_.number(), rpc_port_.number(), options_.auth));
}

void Influxd::start() {
  auto environment = options_.environment;
  environment.emplace_back("HOME", directory_.path());
  process_ = std::make_unique<Process>(Command{.path = influxd_path,
                                               .arguments = {"-config", config_path_},
                                               .environment = environment,
                                               .directory = directory_.path()});
  const bool is_up = eventually(30s, [this] { return answers_ping() || !process_->running(); });
  REQUIRE_MESSAGE((is_up && process_->running()), log());
  if (options_.auth) create_user();
}

void Influxd::stop() {
  process_->signal(SIGTERM);
  REQUIRE(process_->wait(30s).has_value());
}

void Influxd::kill() {
  process_->signal(SIGKILL);
  REQUIRE(process_->wait(10s).has_value());
}

void Influxd::restart() {
  stop();
  start();
}

void Influxd::pause() {
  process_->pause();
}

void Influxd::resume() {
  process_->resume();
}

bool Influxd::answers_ping() const {
  return http_get(url() + "/ping").status == 204;
}

void Influxd::create_user() const {
  // The first user may be created without credentials, and again with the same password.
  const std::string form =
      "q=" + url_encoded("CREATE USER root WITH PASSWORD 'secret' WITH ALL PRIVILEGES");
  CHECK(post(url() + "/query", form, true).status == 200);
}

void Influxd::write(std::string_view database, const std::string& lines) const {
  const std::string target = url() + "/write?precision=ms&db=" + url_encoded(database);
  REQUIRE(post(target, lines, options_.auth).status == 204);
}

std::vector<Row> Influxd::query(std::string_view database, std::string_view influxql) const {
  const std::string form = "epoch=ms&db=" + url_encoded(database) + "&q=" + url_encoded(influxql);
  const HttpAnswer answer = post(url() + "/query", form, options_.auth);
  REQUIRE_MESSAGE(answer.status == 200, influxql << "\n" << answer.body);
  return parse_csv(answer.body);
}

std::string Influxd::value(std::string_view database, std::string_view influxql,
                           std::string_view column) const {
  const std::vector<Row> rows = query(database, influxql);
  REQUIRE_MESSAGE(rows.size() <= 1, influxql);
  if (rows.empty()) return "";
  const auto found = rows[0].find(column);
  return found == rows[0].end() ? "" : found->second;
}

std::string quote_identifier(std::string_view name) {
  std::string quoted = "\"";
  for (const char byte : name) {
    if (byte == '"' || byte == '\\') quoted.push_back('\\');
    if (byte == '\n') {
      quoted += "\\n";
    } else {
      quoted.push_back(byte);
    }
  }
  return quoted + '"';
}

std::string quote_string(std::string_view text) {
  std::string quoted = "'";
  for (const char byte : text) {
    if (byte == '\'' || byte == '\\') quoted.push_back('\\');
    quoted.push_back(byte);
  }
  return quoted + "'";
}

}  // namespace tally::testing
