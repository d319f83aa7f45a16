#include "keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <utility>

#include "rows.hpp"
#include "rules.hpp"
#include "tally/text.hpp"

namespace tally::config_detail {
namespace {

constexpr std::size_t percentiles_max = 32;
constexpr std::size_t list_max = 64;
constexpr std::size_t static_tags_max = 16;

// percentiles

/// What stands behind the 'p' in the field's name: 99.9 -> 999. So 9.9 and 99 would be one field.
std::string field_digits(double percent) {
  std::string digits = fmt::format("{}", percent);
  std::erase(digits, '.');
  return digits;
}

MaybeFault add_percentile(const toml::node& node, std::vector<double>& percents) {
  const std::optional<double> percent = node.is_number() ? node.value<double>() : std::nullopt;
  // Below 0.0001 the shortest decimal has an exponent, which no field name should.
  if (!percent || !(*percent >= 0.0001 && *percent <= 100))
    return Fault{must_be("numbers above 0 (from 0.0001) up to 100", node).why, &node};
  for (const double other : percents) {
    if (other == *percent) return Fault{fmt::format("holds {} twice", *percent), &node};
    if (field_digits(other) == field_digits(*percent))
      return Fault{fmt::format("holds {} and {}, which would both be the field p{}", other,
                               *percent, field_digits(other)),
                   &node};
  }
  percents.push_back(*percent);
  return {};
}

MaybeFault read_percentiles(const toml::node& node, Config& config) {
  const toml::array* const array = node.as_array();
  if (array == nullptr) return must_be("an array of numbers, such as [50, 95, 99.9]", node);
  if (array->size() > percentiles_max)
    return Fault{
        fmt::format("must hold at most {} numbers, not {}", percentiles_max, array->size())};
  std::vector<double> percents;
  for (const toml::node& element : *array)
    if (MaybeFault fault = add_percentile(element, percents)) return fault;
  std::ranges::sort(percents);
  config.flush.percentiles = std::move(percents);
  return {};
}

std::string print_percentiles(const Config& config) {
  return fmt::format("[{}]", fmt::join(config.flush.percentiles, ", "));
}

// Lists of strings: one string without brackets is a list of one, which is what one writes in an
// environment variable.

std::string shown_as(const std::string& text) {
  return text;
}
std::string shown_as(const ListenAddress& address) {
  return to_string(address);
}
std::string shown_as(const Network& network) {
  return to_string(network);
}

using ReadElement = MaybeFault (*)(const toml::node& node, Config& config);

template <class Elements>
MaybeFault read_list(const toml::node& node, Elements& elements, std::string_view example,
                     Config& config, ReadElement read) {
  elements.clear();
  const toml::array* const array = node.as_array();
  if (array == nullptr && node.is_string()) return read(node, config);
  if (array == nullptr) return must_be(fmt::format("an array, such as [\"{}\"]", example), node);
  if (array->size() > list_max)
    return Fault{fmt::format("must hold at most {} elements, not {}", list_max, array->size())};
  for (const toml::node& element : *array)
    if (MaybeFault fault = read(element, config)) return fault;
  return {};
}

template <class Elements, class Print>
std::string print_list(const Elements& elements, Print print) {
  std::vector<std::string> quoted;
  for (const auto& element : elements) quoted.push_back(toml_string(print(element)));
  return fmt::format("[{}]", fmt::join(quoted, ", "));
}

template <class Get>
Key list(std::string_view name, std::string_view meaning, std::string_view example, Get get,
         ReadElement read_element) {
  const Read read = [=](const toml::node& node, Config& config) {
    return read_list(node, get(config), example, config, read_element);
  };
  return {{name, meaning}, read, [get](const Config& config) {
            return print_list(get(config), [](const auto& element) { return shown_as(element); });
          }};
}

MaybeFault add_address(const toml::node& node, std::vector<ListenAddress>& addresses) {
  const auto* const text = node.as_string();
  if (text == nullptr)
    return Fault{must_be("addresses such as \"127.0.0.1:8125\"", node).why, &node};
  Result<ListenAddress> address = parse_listen_address(text->get());
  if (!address) return Fault{"is wrong: " + address.error().message, &node};
  // Two sockets on port 0 get two ports; on any other the second would fail to bind.
  if (address.value().port != 0 && std::ranges::find(addresses, address.value()) != addresses.end())
    return Fault{fmt::format("holds {} twice", to_string(address.value())), &node};
  addresses.push_back(std::move(address).value());
  return {};
}

MaybeFault add_path(const toml::node& node, std::vector<std::string>& paths) {
  const auto* const text = node.as_string();
  if (text == nullptr)
    return Fault{must_be("paths such as \"/run/tallyd/statsd.sock\"", node).why, &node};
  if (std::string why = unix_path_text(text->get()); !why.empty())
    return Fault{std::move(why), &node};
  if (std::ranges::find(paths, text->get()) != paths.end())
    return Fault{fmt::format("holds {} twice", quote(text->get())), &node};
  paths.push_back(text->get());
  return {};
}

MaybeFault add_network(const toml::node& node, std::vector<Network>& networks) {
  const auto* const text = node.as_string();
  if (text == nullptr) return Fault{must_be("networks such as \"10.0.0.0/8\"", node).why, &node};
  Result<Network> network = parse_network(text->get());
  if (!network) return Fault{"is wrong: " + network.error().message, &node};
  networks.push_back(network.value());
  return {};
}

// listen.unix_mode: as chmod writes it, in a string, for TOML's own octal is 0o660.

MaybeFault read_unix_mode(const toml::node& node, Config& config) {
  const auto* const text = node.as_string();
  const bool is_octal = text != nullptr && text->get().size() >= 3 && text->get().size() <= 4 &&
                        text->get().find_first_not_of("01234567") == std::string::npos;
  std::uint32_t mode = 0;
  if (is_octal)
    std::from_chars(text->get().data(), text->get().data() + text->get().size(), mode, 8);
  if (!is_octal || mode > 0777) return must_be("a file mode such as \"0660\"", node);
  config.listen.unix_mode = mode;
  return {};
}

// tags

/// Puts a tag where its name sorts, in place of an earlier one of that name.
bool put_tag(std::vector<StaticTag>& tags, StaticTag tag) {
  const auto at = std::ranges::lower_bound(tags, tag.key, {}, &StaticTag::key);
  if (at != tags.end() && at->key == tag.key) {
    at->value = std::move(tag.value);
    return true;
  }
  if (tags.size() == static_tags_max) return false;
  tags.insert(at, std::move(tag));
  return true;
}

// The rows, a function a group of sections, in the order of conf/tallyd.toml.

void add_listeners(std::vector<Key>& rows) {
  using namespace std::chrono_literals;
  rows.push_back(list(
      "listen.udp",
      "UDP addresses to receive on; loopback by default, as StatsD has no authentication",
      "127.0.0.1:8125", [](auto& c) -> auto& { return c.listen.udp; },
      [](const toml::node& node, Config& config) { return add_address(node, config.listen.udp); }));
  rows.push_back(list(
      "listen.tcp", "TCP addresses to receive lines on; loses nothing, but senders wait for it",
      "127.0.0.1:8125", [](auto& c) -> auto& { return c.listen.tcp; },
      [](const toml::node& node, Config& config) { return add_address(node, config.listen.tcp); }));
  rows.push_back(list(
      "listen.unixgram", "Unix datagram sockets to receive on: paths, or \"@name\" without a file",
      "/run/tallyd/statsd.sock", [](auto& c) -> auto& { return c.listen.unixgram; },
      [](const toml::node& node, Config& config) {
        return add_path(node, config.listen.unixgram);
      }));
  rows.push_back(list(
      "listen.unix", "Unix stream sockets: lines, or DogStatsD's frames with a length in front",
      "/run/tallyd/stream.sock", [](auto& c) -> auto& { return c.listen.unix_stream; },
      [](const toml::node& node, Config& config) {
        return add_path(node, config.listen.unix_stream);
      }));
  rows.push_back(
      {{"listen.unix_mode", "mode of the Unix sockets' files; who can write to one can send"},
       read_unix_mode,
       [](const Config& config) { return fmt::format("\"{:04o}\"", config.listen.unix_mode); }});
  rows.push_back(text(
      "listen.unix_owner",
      "owner of the Unix sockets' files: user, user:group or :group; \"\" is tallyd's own",
      [](auto& c) -> auto& { return c.listen.unix_owner; }));
  rows.push_back(list(
      "listen.allow", "networks that may send by UDP and TCP; with none, all may", "10.0.0.0/8",
      [](auto& c) -> auto& { return c.listen.allow; },
      [](const toml::node& node, Config& config) {
        return add_network(node, config.listen.allow);
      }));
  rows.push_back(duration("listen.idle_timeout",
                          "a connection that is silent for so long is closed, 1s .. 24h",
                          [](auto& c) -> auto& { return c.listen.idle_timeout; }, {1s, 24h}));
}

void add_flush_and_listen(std::vector<Key>& rows) {
  using namespace std::chrono_literals;
  rows.push_back(
      duration("flush.interval",
               "length of a window, 100ms .. 1h; shorter shows more detail, longer writes less",
               [](auto& c) -> auto& { return c.flush.interval; }, {100ms, 1h}));
  rows.push_back(
      {{"flush.percentiles",
        "percentiles of timers, above 0 up to 100, at most 32; each is one more field a point"},
       read_percentiles,
       print_percentiles});
  add_listeners(rows);
  rows.push_back(size(
      "listen.receive_buffer",
      "bytes of receive buffer asked of the kernel, 64KiB .. 1GiB; more survives longer pauses",
      [](auto& c) -> auto& { return c.listen.receive_buffer; }, {64 << 10, 1 << 30}));
  rows.push_back(number(
      "listen.workers",
      "receive threads, 1 .. 64; one takes what most hosts send, each costs a core under load",
      [](auto& c) -> auto& { return c.listen.workers; }, {1, 64}));
}

void add_limits(std::vector<Key>& rows) {
  using namespace std::chrono_literals;
  rows.push_back(number(
      "limits.series",
      "series a window, 1 .. 100,000,000; past it new series are refused and known ones go on",
      [](auto& c) -> auto& { return c.limits.series; }, {1, 100'000'000}));
  rows.push_back(
      number("limits.name_bytes",
             "bytes of a metric's name, 16 .. 2,048; a line over it is refused, never shortened",
             [](auto& c) -> auto& { return c.parse.limits.name_bytes; }, {16, 2048}));
  rows.push_back(number("limits.tag_bytes",
                        "bytes of a tag's key or value, 1 .. 1,024; a line over it is refused",
                        [](auto& c) -> auto& { return c.parse.limits.tag_bytes; }, {1, 1024}));
  rows.push_back(number("limits.tags", "tags of a line, 0 .. 64; a line over it is refused",
                        [](auto& c) -> auto& { return c.parse.limits.tags; }, {0, 64}));
  rows.push_back(
      number("limits.set_members",
             "members of a set counted exactly, 16 .. 1,000,000; past it the count is an estimate",
             [](auto& c) -> auto& { return c.limits.set_members; }, {16, 1'000'000}));
  rows.push_back(number("limits.connections",
                        "open stream connections, 1 .. 65,536; one more is hung up on",
                        [](auto& c) -> auto& { return c.limits.connections; }, {1, 65'536}));
  rows.push_back(
      duration("limits.lateness",
               "how old the time of a sample (|T) may be, 1s .. 365d; older ones count on arrival",
               [](auto& c) -> auto& { return c.limits.lateness; }, {1s, 365 * 24h}));
}

Key dialect(std::string_view name, std::string_view meaning, bool Dialects::*member) {
  return flag(
      name, meaning, [member](auto& c) -> auto& { return c.parse.dialects.*member; });
}

void add_dialects_and_names(std::vector<Key>& rows) {
  rows.push_back(
      dialect("dialects.etsy", "several metrics a line: a:1|c:200|ms|@0.1", &Dialects::etsy));
  rows.push_back(
      dialect("dialects.dogstatsd",
              "tags and fields behind the type, packed values: a:1:2|ms|#k:v|T1700000000",
              &Dialects::dogstatsd));
  rows.push_back(
      dialect("dialects.influx", "tags in the name, Telegraf's: a,k=v:1|c", &Dialects::influx));
  rows.push_back(
      dialect("dialects.graphite", "tags in the name, Graphite's: a;k=v:1|c", &Dialects::graphite));
  rows.push_back(dialect("dialects.signalfx", "tags in the name, SignalFx's: a[k=v]:1|c",
                         &Dialects::signalfx));
  rows.push_back(
      dialect("dialects.librato", "tags in the name, Librato's: a#k=v:1|c", &Dialects::librato));
  rows.push_back(
      dialect("dialects.events", "DogStatsD's events: _e{5,4}:title|text", &Dialects::events));
  rows.push_back(dialect("dialects.service_checks", "DogStatsD's service checks: _sc|name|0",
                         &Dialects::service_checks));
  rows.push_back(word("names.sanitize",
                      "how names and tags are cleaned: \"none\", or \"etsy\" as Graphite needs it",
                      [](auto& c) -> auto& { return c.parse.sanitize; }, {"none", "etsy"}));
  rows.push_back(word(
      "names.signed_gauges", "what -3 does to a gauge: \"delta\" moves it, \"absolute\" sets it",
      [](auto& c) -> auto& { return c.parse.signed_gauges; }, {"delta", "absolute"}));
}

void add_gauges_tags_output(std::vector<Key>& rows) {
  using namespace std::chrono_literals;
  rows.push_back(duration("gauges.ttl",
                          "how long an idle gauge is written again each window; \"0\" is for ever",
                          [](auto& c) -> auto& { return c.gauges.ttl; }, {100ms, 365 * 24h, true}));
  rows.push_back(
      {{"tags", "tags added to every point, at most 16; a metric's own tag of the same name wins"},
       {},
       {}});
  rows.push_back(word("output.naming",
                      "whose names are written, so that dashboards made for it go on",
                      [](auto& c) -> auto& { return c.output.naming; },
                      {"native", "go-metrics", "telegraf", "gostatsd", "etsy"}));
  rows.push_back(
      word("output.measurement",
           "what makes a measurement: \"per_metric\", or \"per_type\" with the name in a tag",
           [](auto& c) -> auto& { return c.output.measurement; }, {"per_metric", "per_type"}));
  rows.push_back(text(
      "output.prefix",
      "text in front of every measurement's name, at most 128 bytes; \"\" adds nothing",
      [](auto& c) -> auto& { return c.output.prefix; }, prefix_text));
}

MaybeFault add_host(const toml::node& node, Config& config) {
  const auto* const text = node.as_string();
  if (text == nullptr) return Fault{must_be("names such as \"tally.example\"", node).why, &node};
  if (std::string why = host_name_text(text->get()); !why.empty())
    return Fault{std::move(why), &node};
  config.http.hosts.push_back(text->get());
  return {};
}

void add_http(std::vector<Key>& rows) {
  rows.push_back(address(
      "http.listen", "TCP address of the page, /health, /metrics and /api; \"\" is off",
      "127.0.0.1:8127", [](auto& c) -> auto& { return c.http.listen; }));
  rows.push_back(text(
      "http.token_file", "file with a token that who asks must send; needed if others can reach it",
      [](auto& c) -> auto& { return c.http.token_file; }));
  rows.push_back(list(
      "http.hosts", "names that it may be asked for by, beside localhost and IP addresses",
      "tally.example", [](auto& c) -> auto& { return c.http.hosts; }, add_host));
  rows.push_back(size("http.history",
                      "bytes for the last 60 windows of each series, 0 .. 1GiB; 0 keeps none",
                      [](auto& c) -> auto& { return c.http.history; }, {0, 1 << 30}));
  rows.push_back(flag(
      "http.application_metrics", "/metrics has the application's last window too",
      [](auto& c) -> auto& { return c.http.application_metrics; }));
  rows.push_back(flag(
      "http.quit", "POST /api/v1/quit stops tallyd, for jobs that end",
      [](auto& c) -> auto& { return c.http.quit; }));
}

void add_admin(std::vector<Key>& rows) {
  rows.push_back(address(
      "admin.listen", "TCP address of the original statsd's management interface; \"\" is off",
      "127.0.0.1:8126", [](auto& c) -> auto& { return c.admin.listen; }));
  rows.push_back(list(
      "admin.allow", "networks that may speak to it; must name some if others can reach it",
      "10.0.0.0/8", [](auto& c) -> auto& { return c.admin.allow; },
      [](const toml::node& node, Config& config) {
        return add_network(node, config.admin.allow);
      }));
}

void add_log(std::vector<Key>& rows) {
  rows.push_back(text(
      "log.level", "least level that is logged: trace, debug, info, warning, error or off",
      [](auto& c) -> auto& { return c.log.level; }, level_text));
}

}  // namespace

const std::vector<Key>& keys() {
  static const std::vector<Key> rows = [] {
    std::vector<Key> made;
    add_flush_and_listen(made);
    add_limits(made);
    add_dialects_and_names(made);
    add_gauges_tags_output(made);
    add_influxdb(made);
    add_spool(made);
    add_http(made);
    add_admin(made);
    add_log(made);
    return made;
  }();
  return rows;
}

const Key* find_key(std::string_view name) {
  const auto found = std::ranges::find(keys(), name, [](const Key& key) { return key.info.key; });
  return found == keys().end() ? nullptr : &*found;
}

bool is_section(std::string_view name) {
  return std::ranges::any_of(keys(), [name](const Key& key) {
    return key.info.key.starts_with(name) && key.info.key.substr(name.size()).starts_with('.');
  });
}

MaybeFault read_tag(std::string_view name, const toml::node& node, Config& config) {
  if (std::string why = tag_name_text(name); !why.empty()) return Fault{std::move(why)};
  const auto* const value = node.as_string();
  if (value == nullptr) return must_be("a string", node);
  if (std::string why = tag_value_text(value->get()); !why.empty()) return Fault{std::move(why)};
  if (!put_tag(config.tags, {std::string(name), value->get()}))
    return Fault{fmt::format("is one too many: there can be at most {} tags", static_tags_max)};
  return {};
}

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (is_control(c))
      out += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
    else
      out += c;
  }
  return out + "\"";
}

std::string toml_key(std::string_view key) {
  const auto is_bare = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  const bool bare = !key.empty() && std::ranges::all_of(key, is_bare);
  return bare ? std::string(key) : toml_string(key);
}

}  // namespace tally::config_detail

namespace tally {

const std::vector<KeyInfo>& config_keys() {
  static const std::vector<KeyInfo> infos = [] {
    std::vector<KeyInfo> made;
    for (const config_detail::Key& key : config_detail::keys()) made.push_back(key.info);
    return made;
  }();
  return infos;
}

}  // namespace tally
