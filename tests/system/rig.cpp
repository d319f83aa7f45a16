#include "rig.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>

namespace tally::testing {
namespace {

using namespace std::chrono_literals;

std::string toml_strings(const std::vector<std::string>& items) {
  std::string list = "[";
  for (const std::string& item : items) list += (list.size() > 1 ? ", \"" : "\"") + item + "\"";
  return list + "]";
}

Command command_of(const TallydOptions& options, const TemporaryDirectory& directory) {
  const std::string config =
      directory.write("tallyd.toml", "[flush]\ninterval = \"" + options.interval +
                                         "\"\n"
                                         "[listen]\nudp = " +
                                         toml_strings({"127.0.0.1:0", "[::1]:0"}) +
                                         "\n"
                                         "[tags]\nhost = \"testhost\"\n"
                                         "[influxdb]\nurl = \"" +
                                         options.influxdb_url + "\"\n");
  std::vector<std::string> arguments = {"--config", config};
  for (const std::string& set : options.sets) arguments.insert(arguments.end(), {"--set", set});
  return {.path = TALLYD,
          .arguments = arguments,
          .environment = options.environment,
          .directory = directory.path()};
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

}  // namespace

Tallyd::Tallyd(const TallydOptions& options) : process_(command_of(options, directory_)) {
  REQUIRE_MESSAGE(process_.wait_for_log("ready: ", patience), process_.log());
  port_ = listening_port("127.0.0.1");
  port_v6_ = listening_port("[::1]");
  REQUIRE(port_ != 0);
}

void Tallyd::stop(int number) {
  process_.signal(number);
  const std::optional<int> status = process_.wait(5s);
  REQUIRE_MESSAGE(status.has_value(), "still running 5 s after signal " << number << "\n" << log());
  REQUIRE_MESSAGE(*status == 0, log());
}

// From the line "udp 127.0.0.1:40001: listening".
std::uint16_t Tallyd::listening_port(std::string_view host) const {
  const std::string text = log();
  const std::string mark = "udp " + std::string(host) + ":";
  const std::size_t at = text.find(mark);
  if (at == std::string::npos) return 0;
  return static_cast<std::uint16_t>(std::strtoul(text.c_str() + at + mark.size(), nullptr, 10));
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
  std::string query =
      "SELECT sum(" + quote_identifier(field) + ") FROM " + quote_identifier(measurement);
  if (!state.empty()) query += " WHERE \"state\" = " + quote_string(state);
  return std::strtod(influxd.value(database, query, "sum").c_str(), nullptr);
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
