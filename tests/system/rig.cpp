#include "rig.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

namespace tally::testing {
namespace {

using namespace std::chrono_literals;

std::string toml_strings(const std::vector<std::string>& items) {
  std::string list = "[";
  for (const std::string& item : items) list += (list.size() > 1 ? ", \"" : "\"") + item + "\"";
  return list + "]";
}

// One `[influxdb]`, or a `[[influxdb]]` for each.
std::string destinations(const TallydOptions& options) {
  if (options.more_urls.empty() && options.more_destinations.empty())
    return "[influxdb]\nurl = \"" + options.influxdb_url + "\"\n";
  std::string sections = "[[influxdb]]\nurl = \"" + options.influxdb_url + "\"\n";
  for (const std::string& url : options.more_urls)
    sections += "[[influxdb]]\nurl = \"" + url + "\"\n";
  for (const std::string& keys : options.more_destinations) sections += "[[influxdb]]\n" + keys;
  return sections;
}

// Stamps have equally many digits, so their order as text is their order in time.
void check_points_at_every_window(const Influxd& influxd) {
  std::map<std::string, double> moved;
  for (const auto& [series, rows] :
       stored_points(influxd, "\"count\"", "^tallyd\\.points\\.count$")) {
    const double sign = series.tags.at("state") == "flushed" ? 1 : -1;
    for (const Row& row : rows) moved[row.at("time")] += sign * number_in(row, "count");
  }
  std::map<std::string, double> queued;
  for (const auto& [series, rows] :
       stored_points(influxd, "\"value\"", "^tallyd\\.points_queued\\.gauge$")) {
    for (const Row& row : rows) queued[row.at("time")] = number_in(row, "value");
  }
  double waiting = 0;
  for (const auto& [time, difference] : moved) {
    waiting += difference;
    CHECK(queued[time] == waiting);
  }
  CHECK(!moved.empty());
}

// As influxd writes a series: `name\,with\ escapes,tag=value`.
StoredSeries read_series(const std::string& key) {
  std::string measurement;
  std::size_t at = 0;
  for (; at < key.size() && key[at] != ','; ++at) {
    const bool is_escape =
        key[at] == '\\' && at + 1 < key.size() && (key[at + 1] == ',' || key[at + 1] == ' ');
    measurement += key[is_escape ? ++at : at];
  }
  return {measurement, parse_csv_tags(std::string_view(key).substr(std::min(at + 1, key.size())))};
}

}  // namespace

Command tallyd_command(const TallydOptions& options, const TemporaryDirectory& directory) {
  const std::string config =
      directory.write("tallyd.toml", "[flush]\ninterval = \"" + options.interval +
                                         "\"\n"
                                         "[listen]\nudp = " +
                                         toml_strings({"127.0.0.1:0", "[::1]:0"}) +
                                         "\n"
                                         "[http]\nlisten = \"\"\n"
                                         "[admin]\nlisten = \"\"\n"
                                         "[tags]\nhost = \"testhost\"\n" +
                                         destinations(options));
  std::vector<std::string> arguments = {"--config", config};
  for (const std::string& set : options.sets) arguments.insert(arguments.end(), {"--set", set});
  return {.path = TALLYD,
          .arguments = arguments,
          .environment = options.environment,
          .directory = directory.path()};
}

Tallyd::Tallyd(const TallydOptions& options) : process_(tallyd_command(options, directory_)) {
  REQUIRE_MESSAGE(process_.wait_for_log("ready: ", patience), process_.log());
  port_ = udp_port("127.0.0.1");
  port_v6_ = udp_port("[::1]");
  REQUIRE(port_ != 0);
}

// gcc 12's ThreadSanitizer now and then (4 of 1,000 stops on busy cores) holds a signal that it was
// to hand over until the next one comes, or, where that finds the thread asleep, until it comes
// itself: so one comes, and a stop once more where its answer is there and the stop's is not. A
// thread that is only slow would take that for impatience.
template <class Try>
auto Tallyd::poking(std::chrono::milliseconds limit, Try attempt) {
#ifdef __SANITIZE_THREAD__
  constexpr std::chrono::milliseconds patience_with_it{500};
  const bool is_stop = signalled_ == SIGTERM || signalled_ == SIGINT;
  std::size_t answers = occurrences(log(), "SIGUSR1: ");
  for (; signalled_ && limit > patience_with_it; limit -= patience_with_it) {
    if (auto found = attempt(patience_with_it)) return found;
    const std::string said = log();
    const std::size_t answers_before = std::exchange(answers, occurrences(said, "SIGUSR1: "));
    const bool is_lost =
        is_stop && answers > answers_before && said.find(": stopping") == std::string::npos;
    if (is_lost) process_.signal(*signalled_);
    process_.signal(SIGUSR1);
  }
#endif
  return attempt(limit);
}

void Tallyd::signal(int number) {
  signalled_ = number;
  process_.signal(number);
}

std::optional<int> Tallyd::wait(std::chrono::milliseconds limit) {
  return poking(limit, [this](auto time) { return process_.wait(time); });
}

bool Tallyd::wait_for_log(std::string_view text) {
  return poking(patience, [&](auto time) { return process_.wait_for_log(text, time); });
}

void Tallyd::stop(int number) {
  signal(number);
  const std::optional<int> status = wait(stop_limit);
  REQUIRE_MESSAGE(status.has_value(), "still running " << stop_limit.count() << " s after signal "
                                                       << number << "\n"
                                                       << log());
  REQUIRE_MESSAGE(*status == 0, log());
}

void Tallyd::kill() {
  process_.signal(SIGKILL);
  REQUIRE(process_.wait(5s).has_value());
}

// From lines like "2026-11-23T19:54:40.530Z info udp 127.0.0.1:40001: listening; mode 0660".
std::vector<std::string> Tallyd::listeners() const {
  std::vector<std::string> names;
  std::istringstream lines(log());
  for (std::string line; std::getline(lines, line);) {
    const std::size_t end = line.find(": listening; ");
    if (end == std::string::npos) continue;
    const std::size_t begin = line.find(' ', line.find(' ') + 1) + 1;  // behind time and level
    names.push_back(line.substr(begin, end - begin));
  }
  return names;
}

std::string Tallyd::listener(std::string_view beginning) const {
  for (const std::string& name : listeners()) {
    if (name.starts_with(beginning)) return name;
  }
  FAIL("tallyd has no listener " << beginning << "\n" << log());
  return {};
}

std::size_t Tallyd::memory_bytes() const {
  std::ifstream status("/proc/" + std::to_string(process_.pid()) + "/status");
  for (std::string line; std::getline(status, line);) {
    std::size_t kilobytes = 0;
    if (std::sscanf(line.c_str(), "RssAnon: %zu kB", &kilobytes) == 1) return kilobytes << 10;
  }
  FAIL("no RssAnon of process " << process_.pid());
  return 0;
}

std::uint16_t Tallyd::udp_port(std::string_view host) const {
  const std::string mark = "udp " + std::string(host) + ":";
  for (const std::string& name : listeners()) {
    if (!name.starts_with(mark)) continue;
    return static_cast<std::uint16_t>(std::strtoul(name.c_str() + mark.size(), nullptr, 10));
  }
  return 0;
}

std::string endless_interval() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto left = [&](int minutes) {
    const std::chrono::system_clock::duration interval = std::chrono::minutes(minutes);
    return interval - now % interval;
  };
  // Boundaries of both are near only once in 60 * 59 minutes, for a moment.
  return left(60) > left(59) ? "60m" : "59m";
}

std::map<StoredSeries, std::vector<Row>> stored_points(const Influxd& influxd,
                                                       std::string_view fields,
                                                       std::string_view measurement_regex) {
  std::map<StoredSeries, std::vector<Row>> series;
  const std::string query = "SELECT " + std::string(fields) + " FROM /" +
                            std::string(measurement_regex) + "/ GROUP BY * ORDER BY time";
  for (Row& row : influxd.query(database, query)) {
    series[{row["name"], parse_csv_tags(row["tags"])}].push_back(row);
  }
  return series;
}

double number_in(const Row& row, std::string_view column) {
  const auto found = row.find(column);
  return found == row.end() ? 0 : std::strtod(found->second.c_str(), nullptr);
}

double stored_sum(const Influxd& influxd, std::string_view measurement, std::string_view state,
                  std::string_view field) {
  if (state.empty()) return stored_sum_of(influxd, measurement, {}, field);
  return stored_sum_of(influxd, measurement, {{"state", std::string(state)}}, field);
}

double stored_sum_of(const Influxd& influxd, std::string_view measurement,
                     const std::map<std::string, std::string>& tags, std::string_view field) {
  std::string query =
      "SELECT sum(" + quote_identifier(field) + ") FROM " + quote_identifier(measurement);
  const char* separator = " WHERE ";
  for (const auto& [key, value] : tags) {
    query += separator + quote_identifier(key) + " = " + quote_string(value);
    separator = " AND ";
  }
  return std::strtod(influxd.value(database, query, "sum").c_str(), nullptr);
}

std::set<StoredSeries> stored_series(const Influxd& influxd) {
  std::set<StoredSeries> series;
  for (const Row& row : influxd.query(database, "SHOW SERIES")) {
    const std::string& key = row.at("key");
    if (!key.starts_with("tallyd.")) series.insert(read_series(key));
  }
  return series;
}

void check_balances(const Influxd& influxd, const Totals& expected) {
  const auto total = [&](std::string_view name, std::string_view state = {}) {
    return static_cast<std::uint64_t>(stored_sum(influxd, name, state));
  };
  CHECK(total("tallyd.datagrams.count", "received") == expected.datagrams);
  CHECK(total("tallyd.datagrams.count", "dropped_by_kernel") == 0);
  CHECK(total("tallyd.lines.count", "accepted") == expected.accepted);
  CHECK(total("tallyd.lines.count", "refused") == expected.refused);
  CHECK(total("tallyd.points.count", "dropped") == expected.points_dropped);
  CHECK(total("tallyd.lost.count") == expected.refused + expected.points_dropped);
  check_points_at_every_window(influxd);
}

std::size_t occurrences(const std::string& text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

}  // namespace tally::testing
