#include "rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include "tally/config.hpp"
#include "tally/series.hpp"
#include "tally/text.hpp"

namespace tally::config_detail {
namespace {

constexpr std::size_t tag_bytes_max = 256;
constexpr std::size_t prefix_bytes_max = 128;
constexpr std::size_t text_bytes_max = 4096;
constexpr std::size_t destination_name_bytes_max = 64;

/// What becomes part of a series' name: influxd cannot escape a backslash.
std::string name_text(std::string_view text) {
  std::string why = plain_text(text);
  if (why.empty() && text.find('\\') != std::string_view::npos) why = "must hold no backslash";
  return why;
}

/// Whether points of any kind of series have such a field; a tag of that name would be renamed.
bool is_any_field_name(std::string_view name) {
  for (std::size_t kind = 0; kind < value_kind_count; ++kind) {
    if (is_field_name(static_cast<Kind>(kind), name)) return true;
  }
  return false;
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`.
bool is_host_and_port(std::string_view authority) {
  std::string_view rest = authority;
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) return false;
    rest.remove_prefix(close + 1);
  } else {
    rest.remove_prefix(std::min(authority.find(':'), authority.size()));
  }
  if (rest.empty()) return true;
  if (!rest.starts_with(':') || rest.size() < 2 || rest.size() > 6) return false;
  std::uint32_t port = 0;
  const auto [end, error] = std::from_chars(rest.data() + 1, rest.data() + rest.size(), port);
  return error == std::errc() && end == rest.data() + rest.size() && port >= 1 && port <= 65535;
}

/// What the name of a destination, which names a directory too, may hold.
bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("._-:[]").find(c) != std::string_view::npos;
}

}  // namespace

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

std::string plain_text(std::string_view text) {
  if (text.size() > text_bytes_max)
    return fmt::format("must have at most {} bytes", text_bytes_max);
  if (!is_valid_utf8(text)) return "must be valid UTF-8";
  if (std::ranges::any_of(text, is_control)) return "must hold no control bytes";
  return {};
}

std::string prefix_text(std::string_view text) {
  if (text.size() > prefix_bytes_max)
    return fmt::format("must have at most {} bytes", prefix_bytes_max);
  if (text.starts_with('#'))
    return "must not start with '#': InfluxDB takes such lines as comments";
  return name_text(text);
}

std::string username_text(std::string_view text) {
  if (text.find(':') != std::string_view::npos)
    return "must hold no ':', which ends the user's name in HTTP Basic authentication";
  return plain_text(text);
}

std::string url_text(std::string_view text) {
  if (text.empty()) return {};
  const std::size_t scheme = text.starts_with("http://") ? 7 : text.starts_with("https://") ? 8 : 0;
  const std::string_view authority =
      text.substr(scheme, text.find_first_of("/?#", scheme) - scheme);
  // Tested first and never shown: it may be a password.
  if (authority.find('@') != std::string_view::npos)
    return "must hold no user and password: use influxdb.username and influxdb.password_file";
  if (scheme == 0) return "must start with http:// or https:// (\"\" writes to no database)";
  if (text.find_first_of("?#") != std::string_view::npos)
    return "must end before the '?' or '#': the database has its own key, influxdb.database";
  if (authority.empty() || authority.starts_with(':')) return "must name a host";
  if (!is_host_and_port(authority)) return "must be http(s)://host, host:port or [v6 address]:port";
  if (text.find(' ') != std::string_view::npos) return "must hold no space";
  return plain_text(text);
}

std::string proxy_text(std::string_view text) {
  // `tallyd config` prints it, and a password must not be printed.
  if (text.find('@') != std::string_view::npos)
    return "must hold no user and password: proxies that ask for them are not supported";
  return plain_text(text);
}

std::string unix_path_text(std::string_view path) {
  constexpr std::size_t path_bytes_max = 107;
  if (path.size() > path_bytes_max)
    return fmt::format("must have at most {} bytes, not {}", path_bytes_max, path.size());
  const bool is_abstract = path.size() > 1 && path.front() == '@';
  if (!is_abstract && path.find('/') == std::string_view::npos)
    return "must be a path with a '/', or \"@name\", not " + quote(path, 60);
  return plain_text(path);
}

std::string destination_name_text(std::string_view text) {
  if (text.size() > destination_name_bytes_max)
    return fmt::format("must have at most {} bytes", destination_name_bytes_max);
  if (text.starts_with('.') || !std::ranges::all_of(text, is_name_byte))
    return "must be made of a-z A-Z 0-9 . _ - : [ ] and not begin with '.', not " + quote(text, 60);
  return {};
}

std::string host_name_text(std::string_view text) {
  constexpr std::size_t name_bytes_max = 253;
  const auto is_fine = [](char c) { return is_name_byte(c) && c != ':' && c != '[' && c != ']'; };
  if (!text.empty() && text.size() <= name_bytes_max && std::ranges::all_of(text, is_fine))
    return {};
  return "must be names such as \"tally.example\", without a port, not " + quote(text, 60);
}

std::string level_text(std::string_view text) {
  static constexpr std::array<std::string_view, 6> levels = {"trace",   "debug", "info",
                                                             "warning", "error", "off"};
  if (std::ranges::find(levels, text) != levels.end()) return {};
  const std::string_view near = nearest(text, levels);
  return fmt::format("must be trace, debug, info, warning, error or off, not {}{}", quote(text, 60),
                     near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near));
}

std::string tag_name_text(std::string_view name) {
  if (name.empty()) return "needs a name";
  if (name == "time") return "cannot be a tag: InfluxDB drops points with a tag named time";
  if (is_reserved_tag(name)) return "cannot be a tag: InfluxDB has a meaning of its own for it";
  if (is_any_field_name(name)) return "cannot be a tag: it is the name of a field";
  if (name.size() > tag_bytes_max) return fmt::format("must have at most {} bytes", tag_bytes_max);
  return name_text(name);
}

std::string tag_value_text(std::string_view value) {
  if (value.size() > tag_bytes_max) return fmt::format("must have at most {} bytes", tag_bytes_max);
  return name_text(value);
}

}  // namespace tally::config_detail

namespace tally {

std::string destination_name(const Config::Influxdb& destination) {
  if (!destination.name.empty()) return destination.name;
  const std::string_view url = destination.url;
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return "stdout";
  const std::string_view rest = url.substr(scheme + 3);
  std::string name(
      rest.substr(0, std::min(rest.find('/'), config_detail::destination_name_bytes_max)));
  for (char& c : name)
    if (!config_detail::is_name_byte(c)) c = '_';
  if (name.starts_with('.')) name.front() = '_';
  return name;
}

}  // namespace tally
