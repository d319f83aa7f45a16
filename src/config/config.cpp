// Loading: each source is brought to the same form, a TOML value for a dotted key, and goes through
// the table of keys (keys.hpp). A value from the environment or --set has no line and column, so
// the name of its source stands there instead.

#include "tally/config.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <span>
#include <utility>

#include "keys.hpp"
#include "tally/text.hpp"

namespace tally {
namespace {

using config_detail::Fault;
using config_detail::find_key;
using config_detail::is_section;
using config_detail::Key;
using config_detail::keys;

constexpr std::size_t file_bytes_max = 1 << 20;
// toml++ makes and destroys tables within tables by recursion; a key of 100,000 dots overflowed
// the stack. No key can be deeper than there are dots in the text.
constexpr std::ptrdiff_t dots_max = 4000;

constexpr std::string_view utf8_mark = "\xEF\xBB\xBF";
constexpr std::string_view environment_prefix = "TALLYD_";
constexpr std::string_view destination_prefix = "influxdb.";
constexpr std::size_t destinations_max = 8;
constexpr std::size_t mistakes_max = 10;  // told at once

/// What a message may show of text that someone else wrote.
std::string printable(std::string_view text) {
  const bool is_plain = std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7f; });
  return is_plain ? std::string(text) : quote(text);
}

/// Where a value comes from.
struct Source {
  std::string
      label;  ///< "/etc/tallyd/tallyd.toml", "TALLYD_FLUSH_INTERVAL", "--set flush.interval"
  std::string origin;  ///< as `Origins` has it; of a file: without the line
  bool is_file = false;

  std::string place(const toml::source_region& region) const {
    if (!is_file || !region.begin) return label;
    return fmt::format("{}:{}:{}", label, region.begin.line, region.begin.column);
  }
  std::string origin_of(const toml::source_region& region) const {
    return is_file && region.begin ? fmt::format("{}:{}", origin, region.begin.line) : origin;
  }
};

Error error_at(std::string_view place, std::string_view what) {
  return Error{fmt::format("{}: {}", place, what)};
}

Result<toml::table> parse_toml(std::string_view text, const Source& source) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    return error_at(source.place(error.source()),
                    "not valid TOML: " + printable(error.description()));
  }
}

/// A value from a shell: TOML if it is, else the text itself.
std::optional<toml::table> as_toml(const std::string& value) {
  // The line end keeps a comment in the value from reaching further, as in a file.
  Result<toml::table> parsed = parse_toml("v = " + value + "\n", Source{});
  if (!parsed || parsed.value().size() != 1)
    return std::nullopt;  // a line break smuggled a second key
  return std::move(parsed).value();
}

/// "flush.interval" -> "TALLYD_FLUSH_INTERVAL"
std::string environment_name(std::string_view key) {
  std::string name(environment_prefix);
  for (const char c : key)
    name += c == '.' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return name;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string did_you_mean(std::string_view near) {
  return near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near);
}

/// The key that was probably meant by an unknown one; without a dot, the section.
std::string_view nearest_key(std::string_view path, bool is_table) {
  const bool is_whole = path.find('.') != std::string_view::npos;
  std::vector<std::string_view> names;
  for (const Key& key : keys()) {
    const std::string_view name = key.info.key;
    const std::size_t dot = name.find('.');
    // The section was forgotten. But [influx] is no slip for dialects.influx.
    if (!is_table && name.substr(dot + 1) == path) return name;
    names.push_back(is_whole ? name : name.substr(0, dot));
  }
  return nearest(path, names);
}

class Loader {
 public:
  /// All mistakes of a source are told, but not those of the next, which may come of them.
  Status load(const ConfigSources& sources) {
    note(load_file(sources));
    if (mistakes_.empty())
      for (const auto& [name, value] : sources.environment) note(load_variable(name, value));
    if (mistakes_.empty())
      for (const std::string& set : sources.sets) note(load_set(set));
    if (mistakes_.empty()) check_together();
    return mistakes();
  }

  LoadedConfig take() { return std::move(loaded_); }

 private:
  void note(Status mistake) {
    if (mistake) mistakes_.push_back(std::move(mistake->message));
  }
  Status mistakes() const;
  Status load_file(const ConfigSources& sources);
  Status load_variable(const std::string& name, const std::string& value);
  Status load_set(const std::string& set);
  Status apply_text(const std::string& path, const std::string& value, const Source& source);
  void apply_table(const toml::table& table, const std::string& prefix, const Source& source);
  Status apply(const std::string& path, const toml::node& node, const toml::source_region& at,
               const Source& source);
  Status apply_destinations(const toml::array& array, const std::string& place,
                            const Source& source);
  std::optional<Fault> read(const Key& key, const toml::node& node);
  Status find_destination(std::string& path, const std::string& place);
  std::string destination_names() const;
  void check_together();
  Status check_gauges() const;
  Status check_listeners() const;
  Status check_output() const;
  Status check_http() const;
  Status check_admin() const;
  void check_destinations();
  Status check_destination(std::size_t destination) const;
  Status check_credentials(std::size_t destination) const;
  Error together(std::initializer_list<std::string_view> blamed, std::string_view what) const;

  std::vector<std::string> mistakes_;
  LoadedConfig loaded_;
  Origins places_;                          // as the origins, for messages: with the column
  std::optional<std::size_t> destination_;  // that influxdb.* means; none: the only one
};

Status Loader::mistakes() const {
  if (mistakes_.empty()) return {};
  const std::size_t told = std::min(mistakes_.size(), mistakes_max);
  std::string all = fmt::format("{}", fmt::join(std::span(mistakes_).first(told), "\n"));
  if (told < mistakes_.size())
    all += fmt::format("\nand {} more like these", mistakes_.size() - told);
  return Error{std::move(all)};
}

Status Loader::load_file(const ConfigSources& sources) {
  const Source source{printable(sources.file_name), sources.file_name, true};
  std::string_view text = sources.file_text;
  if (text.size() > file_bytes_max)
    return error_at(source.label, "larger than 1 MiB: this is no configuration of tallyd");
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"))
    return error_at(source.label, "is UTF-16; save it as UTF-8");
  if (text.starts_with(utf8_mark)) text.remove_prefix(utf8_mark.size());
  if (std::ranges::count(text, '.') > dots_max)
    return error_at(source.label,
                    fmt::format("holds more than {} dots: this is no configuration of tallyd",
                                with_commas(dots_max)));
  const Result<toml::table> parsed = parse_toml(text, source);
  if (!parsed) return parsed.error();
  apply_table(parsed.value(), "", source);
  return {};
}

Status Loader::load_variable(const std::string& name, const std::string& value) {
  const Source source{printable(name), name, false};
  static const std::string tags_prefix = environment_name("tags") + "_";
  if (name.starts_with(tags_prefix) && name.size() > tags_prefix.size())
    return apply_text("tags." + lower(name.substr(tags_prefix.size())), value, source);

  std::vector<std::string> names;
  for (const Key& key : keys()) {
    if (environment_name(key.info.key) == name)
      return apply_text(std::string(key.info.key), value, source);
    names.push_back(environment_name(key.info.key));
  }
  return error_at(source.label,
                  "unknown variable; each TALLYD_<SECTION>_<KEY> names a key of the "
                  "configuration" +
                      did_you_mean(nearest(name, names)));
}

Status Loader::load_set(const std::string& set) {
  const std::size_t equals = set.find('=');
  if (equals == std::string::npos || equals == 0)
    return error_at("--set " + printable(set), "write KEY=VALUE, such as flush.interval=1s");
  const std::string key = set.substr(0, equals);
  const Source source{"--set " + printable(key), "--set", false};
  std::string path = key;
  if (Status error = find_destination(path, source.label)) return error;
  const Status error = apply_text(path, set.substr(equals + 1), source);
  destination_.reset();
  return error;
}

/// Makes "influxdb.NAME.url" mean "influxdb.url" of that destination. A name can hold dots, a key
/// does not.
Status Loader::find_destination(std::string& path, const std::string& place) {
  const std::size_t begin = destination_prefix.size();
  const std::size_t dot = path.rfind('.');
  if (!path.starts_with(destination_prefix) || dot < begin) return {};
  const std::string name = path.substr(begin, dot - begin);
  const auto& all = loaded_.config.influxdb;
  const auto found = std::ranges::find(all, name, destination_name);
  if (found == all.end())
    return error_at(place, fmt::format("no destination is named {}, only {}", quote(name, 80),
                                       destination_names()));
  destination_ = static_cast<std::size_t>(found - all.begin());
  path.erase(begin, dot + 1 - begin);
  return {};
}

std::string Loader::destination_names() const {
  std::vector<std::string> names;
  for (const Config::Influxdb& each : loaded_.config.influxdb)
    names.push_back(destination_name(each));
  return fmt::format("{}", fmt::join(names, ", "));
}

/// A key that wants a string takes `1234` as text too, so that a password of digits needs no
/// quotes within quotes.
Status Loader::apply_text(const std::string& path, const std::string& value, const Source& source) {
  const toml::value<std::string> as_text{value};
  if (!is_valid_utf8(value)) return error_at(source.label, "the value must be valid UTF-8");
  if (value.size() > file_bytes_max || std::ranges::count(value, '.') > dots_max)
    return error_at(source.label, "the value is too long");
  const std::optional<toml::table> parsed = as_toml(value);
  if (!parsed) return apply(path, as_text, {}, source);
  const toml::node& node = *parsed->get("v");
  const Status error = apply(path, node, {}, source);
  if (!error || node.is_string()) return error;
  return apply(path, as_text, {}, source) ? error : Status{};
}

/// Notes each mistake in it, in the order of the text.
void Loader::apply_table(const toml::table& table, const std::string& prefix,
                         const Source& source) {
  std::vector<std::pair<const toml::key*, const toml::node*>> entries;
  for (auto entry = table.cbegin(); entry != table.cend(); ++entry)
    entries.emplace_back(&entry->first, &entry->second);
  std::ranges::stable_sort(entries, {}, [](const auto& entry) {
    const toml::source_position begin = entry.first->source().begin;
    return std::pair(begin.line, begin.column);
  });
  for (const auto& [key, node] : entries) {
    // Else "flush.interval" in quotes would be a second way to write the same key.
    if (prefix != "tags." && key->str().find('.') != std::string_view::npos)
      note(error_at(source.place(key->source()),
                    "unknown key " + quote(key->str(), 100) + "; write keys without quotes"));
    else
      note(apply(prefix + std::string(key->str()), *node, key->source(), source));
  }
}

Status Loader::apply(const std::string& path, const toml::node& node, const toml::source_region& at,
                     const Source& source) {
  const std::string place = source.place(at);
  const bool is_of_destination = path.starts_with(destination_prefix);
  std::optional<Fault> fault;
  if (const Key* const key = find_key(path); key != nullptr && key->read) {
    if (is_of_destination && !destination_ && loaded_.config.influxdb.size() > 1)
      return error_at(
          place, fmt::format("there are {} destinations: write --set influxdb.NAME.{}, "
                             "NAME one of {}",
                             loaded_.config.influxdb.size(), path.substr(destination_prefix.size()),
                             destination_names()));
    fault = read(*key, node);
  } else if (path.starts_with("tags.")) {
    fault = config_detail::read_tag(std::string_view(path).substr(5), node, loaded_.config);
  } else if (path == "influxdb" && node.is_array()) {
    return apply_destinations(*node.as_array(), place, source);
  } else if (path == "tags" || is_section(path)) {
    const toml::table* const section = node.as_table();
    if (section == nullptr)
      return error_at(place, fmt::format("{} must be a section: [{}]", path, path));
    apply_table(*section, path + ".", source);
    return {};
  } else {
    return error_at(place, "unknown key " + quote(path, 100) +
                               did_you_mean(nearest_key(path, node.is_table())));
  }
  if (fault)
    return error_at(fault->where == nullptr ? place : source.place(fault->where->source()),
                    printable(path) + " " + fault->why);
  const std::string key = is_of_destination ? origin_key(destination_.value_or(0),
                                                         path.substr(destination_prefix.size()))
                                            : path;
  loaded_.origins[key] = source.origin_of(at);
  places_[key] = place;
  return {};
}

/// `[[influxdb]]`: in place of all destinations so far.
Status Loader::apply_destinations(const toml::array& array, const std::string& place,
                                  const Source& source) {
  if (array.empty() || array.size() > destinations_max)
    return error_at(place, fmt::format("influxdb must name 1 to {} destinations, not {}",
                                       destinations_max, array.size()));
  const auto is_of_destination = [](const auto& entry) {
    return entry.first.starts_with("influxdb");
  };
  std::erase_if(loaded_.origins, is_of_destination);
  std::erase_if(places_, is_of_destination);
  loaded_.config.influxdb.assign(array.size(), Config::Influxdb{});
  for (std::size_t i = 0; i < array.size(); ++i) {
    const toml::table* const section = array[i].as_table();
    if (section == nullptr) return error_at(place, "influxdb must be sections: [[influxdb]]");
    destination_ = i;
    apply_table(*section, std::string(destination_prefix), source);
    destination_.reset();
  }
  return {};
}

/// The rows of [influxdb] know the first destination only.
std::optional<Fault> Loader::read(const Key& key, const toml::node& node) {
  const std::size_t at = destination_.value_or(0);
  if (at == 0) return key.read(node, loaded_.config);
  auto& all = loaded_.config.influxdb;
  std::swap(all[0], all[at]);
  std::optional<Fault> fault = key.read(node, loaded_.config);
  std::swap(all[0], all[at]);
  return fault;
}

/// Blames the first of `blamed` that was set at all: the defaults fit together.
Error Loader::together(std::initializer_list<std::string_view> blamed,
                       std::string_view what) const {
  for (const std::string_view key : blamed)
    if (const auto place = places_.find(key); place != places_.end())
      return error_at(place->second, what);
  return error_at("configuration", what);
}

/// What no key can see alone.
void Loader::check_together() {
  note(check_gauges());
  note(check_listeners());
  note(check_output());
  note(check_http());
  note(check_admin());
  check_destinations();
}

Status Loader::check_gauges() const {
  const Config& config = loaded_.config;
  if (config.gauges.ttl.count() == 0 || config.gauges.ttl >= config.flush.interval) return {};
  return together({"gauges.ttl", "flush.interval"},
                  fmt::format("gauges.ttl ({}) must be \"0\" or at least flush.interval ({})",
                              duration_to_string(config.gauges.ttl),
                              duration_to_string(config.flush.interval)));
}

Status Loader::check_listeners() const {
  const Config::Listen& listen = loaded_.config.listen;
  if (!listen.udp.empty() || !listen.tcp.empty() || !listen.unixgram.empty() ||
      !listen.unix_stream.empty())
    return {};
  return together({"listen.udp", "listen.tcp", "listen.unixgram", "listen.unix"},
                  "listen names no address and no path: tallyd would receive nothing");
}

Status Loader::check_output() const {
  const Config::Output& output = loaded_.config.output;
  if (output.measurement != MeasurementPer::type || output.naming == Profile::native) return {};
  return together(
      {"output.measurement"},
      "output.measurement = \"per_type\" goes with output.naming = \"native\" only: the "
      "other names are those of dashboards, which know no tag metric");
}

/// The page shows names, senders and lines: no one is let in from elsewhere by default.
Status Loader::check_http() const {
  const Config::Http& http = loaded_.config.http;
  if (!http.listen || is_loopback(*http.listen) || !http.token_file.empty()) return {};
  return together({"http.listen", "http.token_file"},
                  fmt::format("http.listen ({}) can be reached by other hosts, and who reaches it "
                              "sees every metric: name in http.token_file a file with a token, or "
                              "listen on loopback, \"127.0.0.1:8127\"",
                              to_string(*http.listen)));
}

/// Whoever reaches the admin port can delete what was counted.
Status Loader::check_admin() const {
  const Config::Admin& admin = loaded_.config.admin;
  if (!admin.listen || is_loopback(*admin.listen) || !admin.allow.empty()) return {};
  return together({"admin.listen", "admin.allow"},
                  fmt::format("admin.listen ({}) can be reached by other hosts, and who reaches it "
                              "can delete what was counted: name in admin.allow the networks that "
                              "may, or listen on loopback, \"127.0.0.1:8126\"",
                              to_string(*admin.listen)));
}

void Loader::check_destinations() {
  for (std::size_t i = 0; i < loaded_.config.influxdb.size(); ++i) {
    note(check_destination(i));
    note(check_credentials(i));
  }
}

Status Loader::check_destination(std::size_t destination) const {
  const auto& all = loaded_.config.influxdb;
  const Config::Influxdb& each = all[destination];
  const std::string name = destination_name(each);
  const std::string name_key = origin_key(destination, "name");
  const std::string url_key = origin_key(destination, "url");
  const std::string database_key = origin_key(destination, "database");
  const auto before = std::span(all).first(destination);
  if (std::ranges::find(before, name, destination_name) != before.end())
    return together({name_key, url_key, database_key},
                    fmt::format("two destinations are named {}; give each a name of its own "
                                "(influxdb.name)",
                                name));
  if (each.url.empty() && all.size() > 1)
    return together({url_key},
                    "influxdb.url is \"\", which is standard output: that can only be the one "
                    "destination");
  if (!each.url.empty() && each.database.empty())
    return together({database_key},
                    "influxdb.database must name a database; to write to "
                    "none, set influxdb.url to \"\"");
  return {};
}

/// A request carries one kind of credentials. With api = "auto" both may stand there: the token is
/// for 2 and 3, the user for 1 and 0.8.
Status Loader::check_credentials(std::size_t destination) const {
  const Config::Influxdb& each = loaded_.config.influxdb[destination];
  const std::string password = origin_key(destination, "password");
  const std::string password_file = origin_key(destination, "password_file");
  const std::string token = origin_key(destination, "token");
  const std::string token_file = origin_key(destination, "token_file");
  if (!each.password.empty() && !each.password_file.empty())
    return together({password},
                    "influxdb.password and influxdb.password_file are both "
                    "set; keep one, better the file");
  if (!each.token.empty() && !each.token_file.empty())
    return together({token},
                    "influxdb.token and influxdb.token_file are both set; keep one, better the "
                    "file");
  if (each.username.empty() && !(each.password.empty() && each.password_file.empty()))
    return together({password, password_file},
                    "there is a password but no influxdb.username to go with it");
  const bool has_token = !each.token.empty() || !each.token_file.empty();
  if (has_token && each.api == Api::v0_8)
    return together({token, token_file},
                    "InfluxDB 0.8 (influxdb.api) knows no tokens; set influxdb.username and "
                    "influxdb.password_file");
  if (has_token && each.api && !each.username.empty())
    return together({token, token_file},
                    "there is a token and an influxdb.username, and a request carries one of them; "
                    "keep the token for InfluxDB 2 and 3, the user for 1");
  return {};
}

std::string_view section_of(const Key& key) {
  return key.info.key.substr(0, key.info.key.find('.'));
}

/// A key's rows among `config_values`, for the destination that those of [influxdb] mean.
void add_values(const Key& key, Config& config,
                std::vector<std::pair<std::string, std::string>>& values) {
  const std::string name(key.info.key);
  if (name == "tags") {
    for (const StaticTag& tag : config.tags)
      values.emplace_back("tags." + tag.key, config_detail::toml_string(tag.value));
  } else if (section_of(key) != "influxdb") {
    values.emplace_back(name, key.print(config));
  } else {
    for (std::size_t i = 0; i < config.influxdb.size(); ++i) {
      std::swap(config.influxdb[0], config.influxdb[i]);
      values.emplace_back(origin_key(i, name.substr(destination_prefix.size())), key.print(config));
      std::swap(config.influxdb[0], config.influxdb[i]);
    }
  }
}

/// "flush.interval = ..  # origin", without the section.
std::string print_line(std::string_view name, std::string_view value, std::string_view key,
                       const Origins& origins) {
  const auto origin = origins.find(key);
  return fmt::format("{} = {}  # {}\n", name, value,
                     origin == origins.end() ? "default" : printable(origin->second));
}

std::string print_tags(const LoadedConfig& loaded) {
  std::string out = "[tags]\n";
  for (const StaticTag& tag : loaded.config.tags)
    out += print_line(config_detail::toml_key(tag.key), config_detail::toml_string(tag.value),
                      "tags." + tag.key, loaded.origins);
  return out;
}

/// The rows of a section, with the destination that those of [influxdb] mean.
std::string print_rows(std::string_view section, const LoadedConfig& loaded,
                       std::size_t destination) {
  Config config = loaded.config;
  std::swap(config.influxdb[0], config.influxdb[destination]);
  std::string out;
  for (const Key& key : keys()) {
    if (section_of(key) != section) continue;
    const std::string name(key.info.key.substr(section.size() + 1));
    const std::string origin =
        section == "influxdb" ? origin_key(destination, name) : std::string(key.info.key);
    const std::string value = key.print(config);
    if (key.is_secret && value != "\"\"") out += "# ";
    out += print_line(name, value, origin, loaded.origins);
  }
  return out;
}

std::string print_section(std::string_view section, const LoadedConfig& loaded) {
  if (section == "tags") return print_tags(loaded);
  const std::size_t count = section == "influxdb" ? loaded.config.influxdb.size() : 1;
  std::string out;
  for (std::size_t i = 0; i < count; ++i)
    out += fmt::format("{}[{}]{}\n", count == 1 ? "" : "[", section, count == 1 ? "" : "]") +
           print_rows(section, loaded, i) + (i + 1 < count ? "\n" : "");
  return out;
}

}  // namespace

Result<LoadedConfig> load_config(const ConfigSources& sources) {
  Loader loader;
  if (Status error = loader.load(sources)) return *error;
  return loader.take();
}

Result<Config> parse_config(std::string_view text, std::string_view file_name) {
  ConfigSources sources;
  sources.file_name = file_name;
  sources.file_text = text;
  Result<LoadedConfig> loaded = load_config(sources);
  if (!loaded) return loaded.error();
  return std::move(loaded).value().config;
}

std::string config_to_toml(const LoadedConfig& loaded) {
  std::string out;
  std::string_view open;  // the section that is being written
  for (const Key& key : keys()) {
    const std::string_view section = section_of(key);
    if (section == open) continue;
    out += (out.empty() ? "" : "\n") + print_section(section, loaded);
    open = section;
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> config_values(const Config& config) {
  std::vector<std::pair<std::string, std::string>> values;
  Config turning = config;
  for (const Key& key : keys()) add_values(key, turning, values);
  return values;
}

std::string origin_key(std::size_t destination, std::string_view key) {
  if (destination == 0) return fmt::format("influxdb.{}", key);
  return fmt::format("influxdb[{}].{}", destination, key);
}

}  // namespace tally
