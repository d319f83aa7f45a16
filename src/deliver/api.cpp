#include "tally/api.hpp"

#include <charconv>

#include "deliver/json.hpp"

namespace tally {
namespace {

struct Version {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
};

bool take_number(std::string_view& text, std::uint32_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return error == std::errc{};
}

/// `1.6.7~rc0` or `v2.7.1`, at the beginning of a word. Builds between releases name themselves by
/// a hash, whose digits are no version: hence the point.
std::optional<Version> version_at(std::string_view word) {
  if (word.starts_with('v')) word.remove_prefix(1);
  Version version;
  if (!take_number(word, version.major) || !word.starts_with('.')) return std::nullopt;
  word.remove_prefix(1);
  if (!take_number(word, version.minor)) return std::nullopt;
  return version;
}

/// The first word of it that is a version.
std::optional<Version> find_version(std::string_view name) {
  while (!name.empty()) {
    if (const auto version = version_at(name)) return version;
    const std::size_t blank = name.find(' ');
    if (blank == std::string_view::npos) break;
    name.remove_prefix(blank + 1);
  }
  return std::nullopt;
}

std::optional<Server> server_of(std::string_view version) {
  const std::optional<Api> api = api_of(version);
  if (!api) return std::nullopt;
  return Server{*api, std::string(version)};
}

}  // namespace

std::string_view to_string(Api api) {
  switch (api) {
    case Api::v0_8:
      return "0.8";
    case Api::v1:
      return "1";
    case Api::v2:
      return "2";
    case Api::v3:
      return "3";
  }
  return {};  // not reached: the switch is complete
}

std::optional<Api> api_of(std::string_view version) {
  const auto number = find_version(version);
  if (!number) return std::nullopt;
  if (number->major == 0) return number->minor < 9 ? Api::v0_8 : Api::v1;
  if (number->major == 1) return Api::v1;
  return number->major == 2 ? Api::v2 : Api::v3;
}

std::optional<Server> identify(const Response& answer) {
  if (!answer.transport_error.empty()) return std::nullopt;
  if (const auto server = server_of(answer.influxdb_version)) return server;
  if (answer.status != 200) return std::nullopt;
  // Others too have a version at /health; only InfluxDB has a name, or from 3 on no name at all.
  const Json json = read_json(answer.body);
  const auto server = server_of(string_at(json, "version"));
  const std::string_view name = string_at(json, "name");
  if (!server) return std::nullopt;
  const bool is_influxdb = name.empty() ? server->api == Api::v3 : name == "influxdb";
  return is_influxdb ? server : std::nullopt;
}

}  // namespace tally
