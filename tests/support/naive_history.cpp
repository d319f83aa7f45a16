#include "naive_history.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <set>

#include "tally/encode.hpp"

namespace tally::testing {
namespace {

constexpr double nothing = std::numeric_limits<double>::quiet_NaN();

// What is drawn is kept as a float.
double drawn(double value) {
  constexpr double largest = std::numeric_limits<float>::max();
  if (value > largest) return largest;
  if (value < -largest) return -largest;
  return static_cast<double>(static_cast<float>(value));
}

double seconds_of(const Span& span) {
  return static_cast<double>(span.interval.count()) / 1000;
}

template <class Points>
Points only(const Points& points, std::string_view key) {
  Points some;
  for (const auto& point : points)
    if (point.key == key) some.push_back(point);
  return some;
}

// A window with the point of one series.
Snapshot only(const Snapshot& whole, std::string_view key) {
  return {.span = whole.span,
          .percents = whole.percents,
          .counters = only(whole.counters, key),
          .timers = only(whole.timers, key),
          .gauges = only(whole.gauges, key),
          .sets = only(whole.sets, key),
          .percentiles = whole.percentiles,
          .lowest = whole.lowest,
          .owned_keys = {}};
}

std::set<std::string> keys_of(const Snapshot& snapshot) {
  std::set<std::string> keys;
  for (const auto& point : snapshot.counters) keys.emplace(point.key);
  for (const auto& point : snapshot.timers) keys.emplace(point.key);
  for (const auto& point : snapshot.gauges) keys.emplace(point.key);
  for (const auto& point : snapshot.sets) keys.emplace(point.key);
  return keys;
}

bool naive_match(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  const std::string_view rest = pattern.substr(1);
  if (pattern.front() == '*')
    return naive_match(rest, text) || (!text.empty() && naive_match(pattern, text.substr(1)));
  return !text.empty() && (pattern.front() == '?' || pattern.front() == text.front()) &&
         naive_match(rest, text.substr(1));
}

}  // namespace

std::vector<std::string> lines_of(const Snapshot& snapshot, const Naming& naming) {
  std::vector<std::string> lines(1);
  for (const Payload& payload : encode_influx(snapshot, naming)) {
    for (const char c : payload.body) {
      if (c == '\n')
        lines.emplace_back();
      else
        lines.back() += c;
    }
  }
  lines.pop_back();
  return lines;
}

void NaiveHistory::add(const Snapshot& window, std::span<const Sender> senders) {
  Window& added = windows_.emplace_back(Window{window.span, {}});
  for (const std::string& key : keys_of(window))
    if (split_series_key(key).time == 0)
      added.points.emplace(key, point_of(only(window, key), senders));
}

NaiveHistory::Point NaiveHistory::point_of(const Snapshot& one,
                                           std::span<const Sender> senders) const {
  Point result{{}, nothing, 0, std::nullopt, {}, lines_of(one, settings_.naming)};
  const auto take = [&](const auto& point, double last, double heard) {
    result.last = last;
    result.heard = heard;
    if (point.sender != 0) result.sender = senders[point.sender].peer;
  };
  for (const auto& point : one.counters) {
    take(point, point.count, point.count);
    result.fields = {{"count", drawn(point.count)},
                     {"rate", drawn(point.count) / seconds_of(one.span)}};
  }
  for (const auto& point : one.gauges) {
    take(point, point.value, 0);
    result.fields = {{"value", drawn(point.value)}};
    result.idle = point.idle;
  }
  for (const auto& point : one.sets) {
    take(point, point.count, point.count);
    result.fields = {{"count", drawn(point.count)}};
  }
  for (const auto& point : one.timers) {
    take(point, point.mean, point.count);
    result.fields = {
        {"count", drawn(point.count)}, {"mean", drawn(point.mean)}, {"max", drawn(point.max)}};
    for (std::size_t i = 0; i < one.percents.size(); ++i)
      result.fields.emplace_back(percentile_field(one.percents[i]),
                                 drawn(one.percentiles[point.first_percentile + i]));
  }
  return result;
}

std::span<const NaiveHistory::Window> NaiveHistory::shown() const {
  return std::span(windows_).last(std::min<std::size_t>(windows_.size(), 60));
}

std::vector<std::string> NaiveHistory::known() const {
  std::set<std::string> keys;
  for (const Window& window : shown())
    for (const auto& [key, point] : window.points) keys.insert(key);
  return {keys.begin(), keys.end()};
}

std::vector<std::string> NaiveHistory::matching(const HistoryQuery& query) const {
  const bool is_glob = query.match.find_first_of("*?") != std::string::npos;
  const std::string pattern = is_glob ? query.match : "*" + query.match + "*";
  std::vector<std::string> keys = known();
  std::erase_if(keys, [&](const std::string& key) {
    const Series series = split_series_key(key);
    const bool is_own = series.name.substr(0, 7) == "tallyd.";
    return (query.kind && *query.kind != series.kind) || (query.leaves_out_own && is_own) ||
           !naive_match(pattern, series.name);
  });
  return keys;
}

HistoryDetail NaiveHistory::view(const std::string& key) const {
  HistoryDetail detail{};
  detail.row.series = split_series_key(key);
  const bool is_gauge = detail.row.series.kind == Kind::gauge;
  for (const Window& window : shown()) {
    detail.windows.push_back(window.span.start);
    detail.row.rate = 0;
    detail.ttl = std::nullopt;
    const auto found = window.points.find(key);
    if (found == window.points.end()) {
      for (auto& [name, values] : detail.fields) values.push_back(nothing);
      continue;
    }
    const Point& point = found->second;
    if (detail.fields.empty())
      for (const auto& [name, value] : point.fields)
        detail.fields.emplace_back(name, std::vector(detail.windows.size() - 1, nothing));
    for (std::size_t i = 0; i < detail.fields.size(); ++i)
      detail.fields[i].second.push_back(point.fields[i].second);
    detail.row.last = point.last;
    detail.row.rate = point.heard / seconds_of(window.span);
    detail.row.last_seen = window.span.start - point.idle;
    if (is_gauge && settings_.gauge_ttl.count() > 0) detail.ttl = settings_.gauge_ttl - point.idle;
    detail.lines = point.lines;
  }
  detail.last_sender = last_sender(key);
  const bool is_timer = is_timer_like(detail.row.series.kind);
  const std::vector<double>& shown_in_lists = detail.fields[is_timer ? 1 : 0].second;
  for (std::size_t i = shown_in_lists.size() - std::min<std::size_t>(30, shown_in_lists.size());
       i < shown_in_lists.size(); ++i)
    detail.row.spark.push_back(shown_in_lists[i]);
  return detail;
}

// Remembered for as long as the series is, also while it is idle for more than is shown.
std::optional<Peer> NaiveHistory::last_sender(const std::string& key) const {
  std::optional<Peer> sender;
  std::size_t last = 0;
  for (std::size_t i = 0; i < windows_.size(); ++i) {
    const auto found = windows_[i].points.find(key);
    if (found == windows_[i].points.end()) continue;
    if (i - last > 60) sender = std::nullopt;  // it was forgotten
    if (found->second.idle.count() == 0) sender = found->second.sender;
    last = i;
  }
  return sender;
}

double NaiveHistory::sorted_by(SortBy sort, const std::string& key) const {
  const HistoryDetail detail = view(key);
  if (sort == SortBy::rate) return detail.row.rate;
  if (sort == SortBy::last) return detail.row.last;
  double bytes = 0;
  const auto found = windows_.back().points.find(key);
  if (found != windows_.back().points.end())
    for (const std::string& line : found->second.lines)
      bytes += static_cast<double>(line.size() + 1);
  return bytes;
}

std::map<std::string, std::uint64_t> NaiveHistory::series_by_prefix() const {
  std::map<std::string, std::uint64_t> series;
  for (const std::string& key : known()) {
    const std::string_view name = split_series_key(key).name;
    for (std::size_t i = 0, parts = 0; i < name.size() && parts < 8; ++i)
      if (name[i] == '.') {
        ++parts;
        ++series[std::string(name.substr(0, i + 1)) + "*"];
      }
  }
  return series;
}

std::map<std::string, std::uint64_t> NaiveHistory::bytes_by_name() const {
  std::map<std::string, std::uint64_t> bytes;
  for (const auto& [key, point] : windows_.back().points)
    for (const std::string& line : point.lines)
      bytes[std::string(split_series_key(key).name)] += line.size() + 1;
  return bytes;
}

std::map<std::string, std::uint64_t> NaiveHistory::values_by_tag() const {
  std::map<std::string, std::set<std::string>> values;
  for (const std::string& key : known())
    for (const TagView& tag : split_series_key(key).tags)
      values[std::string(tag.key)].emplace(tag.value);
  std::map<std::string, std::uint64_t> counts;
  for (const auto& [tag, all] : values) counts[tag] = all.size();
  return counts;
}

std::string describe(const HistoryRow& row) {
  std::string text = fmt::format("{} {} last {} rate {} seen {} spark {}",
                                 to_string(row.series.kind), row.series.name, row.last, row.rate,
                                 row.last_seen.time_since_epoch().count(), row.spark);
  for (const TagView& tag : row.series.tags) text += fmt::format(" {}={}", tag.key, tag.value);
  return text;
}

std::string describe(const HistoryDetail& detail) {
  std::string text = describe(detail.row);
  for (const WallTime window : detail.windows)
    text += fmt::format(" {}", window.time_since_epoch().count());
  for (const auto& [name, values] : detail.fields) text += fmt::format(" {} {}", name, values);
  text += " from " + (detail.last_sender ? to_string(*detail.last_sender) : "nobody");
  if (detail.ttl) text += fmt::format(" ttl {}", detail.ttl->count());
  for (const std::string& line : detail.lines) text += "\n" + line;
  return text;
}

}  // namespace tally::testing
