#include "watch/admin_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include "tally/encode.hpp"
#include "tally/series.hpp"
#include "tally/text.hpp"

namespace tally {
namespace {

using Verb = AdminCommand::Verb;

constexpr std::string_view end_of_answer = "END\n\n";

struct Word {
  std::string_view text;
  Verb verb;
};
// In the order of the original's help.
constexpr std::array<Word, 10> words = {{{"stats", Verb::stats},
                                         {"counters", Verb::counters},
                                         {"timers", Verb::timers},
                                         {"gauges", Verb::gauges},
                                         {"delcounters", Verb::delcounters},
                                         {"deltimers", Verb::deltimers},
                                         {"delgauges", Verb::delgauges},
                                         {"health", Verb::health},
                                         {"config", Verb::config},
                                         {"quit", Verb::quit}}};

Verb verb_of(std::string_view text) {
  if (text == "help") return Verb::help;
  const auto found = std::ranges::find(words, text, &Word::text);
  return found == words.end() ? Verb::unknown : found->verb;
}

std::vector<std::string> split_at_spaces(std::string_view line) {
  constexpr std::string_view spaces = " \t\r\v\f";
  std::vector<std::string> parts;
  std::size_t begin = line.find_first_not_of(spaces);
  while (begin != std::string_view::npos) {
    const std::size_t end = line.find_first_of(spaces, begin);
    parts.emplace_back(line.substr(begin, end - begin));
    begin = line.find_first_not_of(spaces, end);
  }
  return parts;
}

/// JSON's escapes within single quotes.
void append_quoted(std::string& out, std::string_view text) {
  std::string json;
  append_json_string(json, text);
  out += '\'';
  for (const char c : std::string_view(json).substr(1, json.size() - 2)) {
    if (c == '\'')
      out += "\\u0027";
    else
      out += c;
  }
  out += '\'';
}

void append_json_number(std::string& out, double number) {
  if (std::isfinite(number))
    append_number(out, number);
  else
    out += "null";
}

/// "[]", "[ 1, 2 ]": `append` writes one element behind the text.
template <class Elements, class Append>
std::string list_of(const Elements& elements, Append append) {
  std::string out = "[";
  for (const auto& element : elements) {
    out += out.size() == 1 ? " " : ", ";
    append(out, element);
  }
  return out + (elements.empty() ? "]" : " ]");
}

/// A dump as it grows, up to some bytes.
class Dump {
 public:
  explicit Dump(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// In the order of their names. False if there was no room, and for all that follow.
  bool add(const AdminName& name, std::string_view value);
  /// Of tallyd itself: no metric is called so.
  void add_own(std::string_view key, std::string_view value) { append(key, value); }

  std::size_t lines() const { return lines_; }
  bool is_full() const { return is_full_; }
  std::string finish();

 private:
  void append(std::string_view key, std::string_view value);

  std::size_t bytes_max_;
  std::string text_;
  std::string last_name_;
  std::size_t lines_ = 0;
  bool is_full_ = false;
};

bool Dump::add(const AdminName& name, std::string_view value) {
  is_full_ = is_full_ || text_.size() + name.name.size() + value.size() > bytes_max_;
  if (is_full_) return false;
  // A timer and a histogram of one name: a reader would keep only one of two lines alike.
  const bool is_second = lines_ > 0 && name.name == last_name_;
  append(is_second ? fmt::format("{} ({})", name.name, to_string(name.kind)) : name.name, value);
  last_name_ = name.name;
  ++lines_;
  return true;
}

void Dump::append(std::string_view key, std::string_view value) {
  text_ += text_.empty() ? "{\n  " : ",\n  ";
  append_quoted(text_, key);
  text_ += ": ";
  text_ += value;
}

std::string Dump::finish() {
  text_ += text_.empty() ? "{}\n" : "\n}\n";
  return std::move(text_) + std::string(end_of_answer);
}

bool is_cut(std::size_t size) {
  return size >= Insight::looked_max;
}

std::string number_text(double number) {
  std::string text;
  append_json_number(text, number);
  return text;
}

using Numbers = std::map<AdminName, double>;

std::string numbers_answer(const Numbers& numbers, bool may_lack_some, std::size_t bytes_max) {
  Dump dump(bytes_max);
  for (const auto& [name, number] : numbers)
    if (!dump.add(name, number_text(number))) break;
  if (may_lack_some || dump.is_full())
    dump.add_own("tallyd.cut_after", std::to_string(dump.lines()));
  return dump.finish();
}

void add_values(std::vector<double>& values, std::vector<double> more) {
  if (values.empty()) return values.swap(more);
  values.insert(values.end(), more.begin(), more.end());
}

std::set<std::string> names_of(const std::vector<std::string>& keys) {
  std::set<std::string> names;
  for (const std::string& key : keys) names.insert(admin_name(key).name);
  return names;
}

std::string seconds_since(const std::optional<WallTime>& then, WallTime now,
                          std::chrono::seconds never) {
  const auto age = then ? std::chrono::floor<std::chrono::seconds>(now - *then) : never;
  return std::to_string(std::max<std::int64_t>(age.count(), 0));
}

void append_destination(std::string& out, std::string_view name, const DestinationState& state,
                        const LiveState& live, std::chrono::seconds uptime) {
  const auto since_1970 = std::chrono::floor<std::chrono::seconds>(live.now.time_since_epoch());
  fmt::format_to(std::back_inserter(out),
                 "{0}.last_flush: {1}\n{0}.last_exception: {2}\n"
                 "{0}.flush_time: {3}\n{0}.flush_length: {4}\n",
                 name, seconds_since(state.last_success_at, live.now, uptime),
                 seconds_since(state.last_failure_at, live.now, since_1970),
                 state.last_write_took.count(), state.last_write_bytes);
}

/// "[influxdb]" or "[[influxdb]]" -> "influxdb"; nothing of another line.
std::optional<std::string> section_in(std::string_view line) {
  if (!line.starts_with('[')) return std::nullopt;
  const std::size_t begin = line.find_first_not_of('[');
  return std::string(line.substr(begin, line.find(']') - begin));
}

}  // namespace

AdminCommand read_admin_command(std::string_view line) {
  AdminCommand command{.words = split_at_spaces(line)};
  if (command.words.empty()) return {};
  command.verb = verb_of(command.words.front());
  command.words.erase(command.words.begin());
  return command;
}

bool only_reads(const AdminCommand& command) {
  switch (command.verb) {
    case Verb::help:
    case Verb::stats:
    case Verb::counters:
    case Verb::gauges:
    case Verb::timers:
    case Verb::config:
    case Verb::quit:
      return true;
    case Verb::health:
      return command.words.empty();
    default:
      return false;
  }
}

std::vector<Kind> kinds_of(Verb verb) {
  switch (verb) {
    case Verb::counters:
    case Verb::delcounters:
      return {Kind::counter};
    case Verb::gauges:
    case Verb::delgauges:
      return {Kind::gauge};
    case Verb::timers:
    case Verb::deltimers:
      return {Kind::timer, Kind::histogram, Kind::distribution};
    default:
      return {};
  }
}

AdminName admin_name(std::string_view series_key) {
  const Series series = split_series_key(series_key);
  return {.name = name_with_tags(series), .kind = series.kind};
}

std::string counters_answer(const std::vector<Looked>& open, const std::vector<AdminName>& known,
                            std::size_t bytes_max) {
  Numbers numbers;
  for (const AdminName& name : known) numbers[name];
  // Late samples have a series of their own and the same name.
  for (const Looked& looked : open) numbers[admin_name(looked.key)] += looked.number;
  return numbers_answer(numbers, is_cut(open.size()) || is_cut(known.size()), bytes_max);
}

std::string gauges_answer(const std::vector<Looked>& open, std::map<std::string, double> carried,
                          std::size_t bytes_max) {
  const bool may_lack_some = is_cut(open.size()) || is_cut(carried.size());
  const auto overlay = [&](bool deltas) {
    for (const Looked& looked : open) {
      // A late value is not what the gauge is now.
      if (looked.is_delta != deltas || time_of_series_key(looked.key) != 0) continue;
      double& value = carried[looked.key];
      value = looked.is_delta ? value + looked.number : looked.number;
    }
  };
  // Of two receive threads: a set beats deltas, as when their tables are merged.
  overlay(true);
  overlay(false);
  Numbers numbers;
  for (const auto& [key, value] : carried) numbers[admin_name(key)] = value;
  return numbers_answer(numbers, may_lack_some, bytes_max);
}

std::string timers_answer(std::vector<Looked> open, const std::vector<AdminName>& known,
                          std::size_t bytes_max) {
  std::map<AdminName, std::vector<double>> timers;
  std::vector<std::string_view> too_many;
  const bool may_lack_some = is_cut(open.size()) || is_cut(known.size());
  for (const AdminName& name : known) timers[name];
  for (Looked& looked : open) {
    auto& [name, values] = *timers.try_emplace(admin_name(looked.key)).first;
    if (looked.values.empty()) too_many.push_back(name.name);
    add_values(values, std::move(looked.values));
  }
  Dump dump(bytes_max);
  for (const auto& [name, values] : timers)
    if (!dump.add(name, list_of(values, append_json_number))) break;
  if (!too_many.empty()) dump.add_own("tallyd.too_many_values", list_of(too_many, append_quoted));
  if (may_lack_some || dump.is_full())
    dump.add_own("tallyd.cut_after", fmt::format("[ {} ]", dump.lines()));
  return dump.finish();
}

std::string deleted_answer(const std::vector<AdminDeleted>& deleted, std::size_t bytes_max) {
  std::string out;
  std::size_t left_out = 0;
  for (const auto& [pattern, keys, more] : deleted) {
    left_out += more;
    if (keys.empty()) out += fmt::format("metric {} not found\n", pattern);
    for (const std::string& name : names_of(keys)) {
      if (out.size() + name.size() > bytes_max)
        ++left_out;
      else
        out += fmt::format("deleted: {}\n", name);
    }
  }
  if (left_out > 0) out += fmt::format("deleted: {} more\n", left_out);
  return out + std::string(end_of_answer);
}

std::string stats_answer(const LiveState& live, std::chrono::seconds uptime) {
  std::string out = fmt::format(
      "uptime: {}\nmessages.last_msg_seen: {}\nmessages.bad_lines_seen: {}\n", uptime.count(),
      seconds_since(live.last_heard, live.now, uptime), live.ledger.ingest.refused());
  for (std::size_t i = 0; i < live.destinations.size(); ++i) {
    const DestinationState& state = live.destinations[i];
    if (i == 0) append_destination(out, "graphite", state, live, uptime);
    const bool is_said = state.name.empty() || (i == 0 && state.name == "graphite");
    if (!is_said) append_destination(out, state.name, state, live, uptime);
  }
  out += fmt::format("tallyd.lost: {}\n", live.ledger.lost());
  return out + std::string(end_of_answer);
}

std::string config_answer(std::string_view toml) {
  std::string out = "\n";
  std::string section;
  while (!toml.empty()) {
    const std::size_t end = std::min(toml.find('\n'), toml.size());
    std::string_view line = toml.substr(0, end);
    toml.remove_prefix(std::min(end + 1, toml.size()));
    if (line.empty()) continue;
    if (std::optional<std::string> name = section_in(line)) {
      section = std::move(*name);
      continue;
    }
    if (line.starts_with("# ")) line.remove_prefix(2);  // a secret, as stars
    const std::size_t equals = std::min(line.find(" = "), line.size());
    out += fmt::format("{} > {}: {}\n", section, line.substr(0, equals),
                       line.substr(std::min(equals + 3, line.size())));
  }
  return out;
}

std::string health_answer(bool is_up) {
  return is_up ? "health: up\n" : "health: down\n";
}

std::string help_answer() {
  std::vector<std::string_view> texts;
  for (const Word& word : words) texts.push_back(word.text);
  return fmt::format("Commands: {}\n\n", fmt::join(texts, ", "));
}

}  // namespace tally
