// The rows of [influxdb] and [spool]. Those of [influxdb] read and print the first destination of a
// config; config.cpp brings each one there in its turn.

#include <array>

#include "rows.hpp"

namespace tally::config_detail {
namespace {

// influxdb.api: "0.8" and "2" are as easily written without quotes.

constexpr std::array<std::string_view, 4> api_words = {"0.8", "1", "2", "3"};  // as Api counts

MaybeFault read_api(const toml::node& node, Config& config) {
  const std::string text = node.is_string() ? node.as_string()->get() : shown(node);
  if (text == "auto") {
    config.influxdb.front().api.reset();
    return {};
  }
  const auto found = std::ranges::find(api_words, text);
  if (found == api_words.end())
    return must_be_word({"auto", api_words[0], api_words[1], api_words[2], api_words[3]}, node);
  config.influxdb.front().api = static_cast<Api>(found - api_words.begin());
  return {};
}

std::string print_api(const Config& config) {
  const std::optional<Api> api = config.influxdb.front().api;
  return toml_string(api ? api_words[static_cast<std::size_t>(*api)] : "auto");
}

void add_place(std::vector<Key>& rows) {
  rows.push_back(text(
      "influxdb.name", "what logs and the spool call it; \"\" is the host and port of its url",
      [](auto& c) -> auto& { return c.influxdb.front().name; }, destination_name_text));
  rows.push_back(text(
      "influxdb.url", "where InfluxDB answers; \"\" writes each window to standard output instead",
      [](auto& c) -> auto& { return c.influxdb.front().url; }, url_text));
  rows.push_back(
      {{"influxdb.api",
        "what it speaks: \"1\", \"2\", \"3\" or \"0.8\"; \"auto\" finds out, and again after a "
        "change"},
       read_api,
       print_api});
  rows.push_back(text(
      "influxdb.database", "the database that is written to; of InfluxDB 2 the bucket",
      [](auto& c) -> auto& { return c.influxdb.front().database; }));
  rows.push_back(flag(
      "influxdb.create_database",
      "create the database when it is missing; needs an admin where users are switched on",
      [](auto& c) -> auto& { return c.influxdb.front().create_database; }));
  rows.push_back(text(
      "influxdb.retention_policy",
      "retention policy to write under; \"\" is the database's default",
      [](auto& c) -> auto& { return c.influxdb.front().retention_policy; }));
  rows.push_back(text(
      "influxdb.org", "organisation of the bucket; InfluxDB 2 only",
      [](auto& c) -> auto& { return c.influxdb.front().org; }));
}

void add_credentials(std::vector<Key>& rows) {
  rows.push_back(text(
      "influxdb.username", "user for HTTP Basic authentication; \"\" sends none",
      [](auto& c) -> auto& { return c.influxdb.front().username; }, username_text));
  rows.push_back(secret(
      "influxdb.password", "the user's password in clear; password_file keeps it out of this file",
      [](auto& c) -> auto& { return c.influxdb.front().password; }));
  rows.push_back(text(
      "influxdb.password_file",
      "file with the password; read at the start and again after a 401 or 403",
      [](auto& c) -> auto& { return c.influxdb.front().password_file; }));
  rows.push_back(secret(
      "influxdb.token", "token of InfluxDB 2 and 3 in clear; token_file keeps it out of this file",
      [](auto& c) -> auto& { return c.influxdb.front().token; }));
  rows.push_back(text(
      "influxdb.token_file", "file with the token; read at the start and again after a 401 or 403",
      [](auto& c) -> auto& { return c.influxdb.front().token_file; }));
}

void add_transfer(std::vector<Key>& rows) {
  using namespace std::chrono_literals;
  rows.push_back(
      duration("influxdb.timeout",
               "how long one request may take, 100ms .. 5m; then the same bytes are sent again",
               [](auto& c) -> auto& { return c.influxdb.front().timeout; }, {100ms, 5min}));
  rows.push_back(flag(
      "influxdb.gzip", "compress what is sent, to about a ninth; costs a little CPU",
      [](auto& c) -> auto& { return c.influxdb.front().gzip; }));
  rows.push_back(text(
      "influxdb.ca_file",
      "certificates that an https server is checked against; \"\" is the system's bundle",
      [](auto& c) -> auto& { return c.influxdb.front().ca_file; }));
  rows.push_back(text(
      "influxdb.proxy", "HTTP proxy; the environment's proxy variables are not obeyed",
      [](auto& c) -> auto& { return c.influxdb.front().proxy; }, proxy_text));
}

}  // namespace

void add_influxdb(std::vector<Key>& rows) {
  add_place(rows);
  add_credentials(rows);
  add_transfer(rows);
}

void add_spool(std::vector<Key>& rows) {
  using namespace std::chrono_literals;
  rows.push_back(text(
      "spool.directory",
      "where points wait on disk; \"\" is $STATE_DIRECTORY/spool, and without that memory only",
      [](auto& c) -> auto& { return c.spool.directory; }));
  rows.push_back(word(
      "spool.when", "when points go to disk: \"needed\" is after a failure, \"always\" is at once",
      [](auto& c) -> auto& { return c.spool.when; }, {"needed", "always"}));
  rows.push_back(word(
      "spool.sync", "when the disk must have them: once an \"interval\", \"always\" or \"never\"",
      [](auto& c) -> auto& { return c.spool.sync; }, {"interval", "always", "never"}));
  rows.push_back(size(
      "spool.max_bytes",
      "bytes on disk for each destination, 16MiB .. 1024GiB; past it the oldest points are dropped",
      [](auto& c) -> auto& { return c.spool.max_bytes; }, {16 << 20, std::int64_t{1} << 40}));
  rows.push_back(duration("spool.max_age",
                          "how old waiting points may get, 1m .. 365d; older ones are dropped",
                          [](auto& c) -> auto& { return c.spool.max_age; }, {1min, 365 * 24h}));
  rows.push_back(size("spool.min_free",
                      "bytes that are left free on the file system, 0 .. 1024GiB; below it the "
                      "spool stays as it is",
                      [](auto& c) -> auto& { return c.spool.min_free; },
                      {0, std::int64_t{1} << 40}));
  rows.push_back(flag(
      "spool.adopt", "send what waits for a destination that is not configured any more",
      [](auto& c) -> auto& { return c.spool.adopt; }));
}

}  // namespace tally::config_detail
