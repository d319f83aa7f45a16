#include "faults_rig.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <utility>

namespace tally::testing {
namespace {

using namespace std::chrono_literals;

// Of the states of `tallyd.points`, those that bring points into tallyd; all others take them out.
bool is_entry(const std::string& state) {
  return state == "flushed" || state == "recovered";
}

// Whether a point of tallyd's own series is of this life. `flushed` has no destination: it is the
// same for all.
bool is_of(const ParsedPoint& point, const Life& life) {
  const std::string* destination = point.tag("destination");
  return point.stamp >= life.begin_ns && point.stamp < life.end_ns &&
         (destination == nullptr || *destination == life.destination);
}

std::int64_t wall_ns() {
  return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

void Load::one_each() {
  for (int i = 0; i < shards_; ++i)
    sender_.send_packed(std::string(hits) + ":1|c|#shard:" + std::to_string(i));
  sender_.flush();
}

void Load::burst() {
  one_each();
  std::this_thread::sleep_for(20ms);  // the pace of the load; nothing waits for it
}

void Load::run(std::chrono::milliseconds duration) {
  const auto end = std::chrono::steady_clock::now() + duration;
  while (std::chrono::steady_clock::now() < end) burst();
}

bool Load::run_until(const std::function<bool()>& is_true) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!is_true()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    burst();
  }
  return true;
}

std::chrono::seconds outage_wanted(std::chrono::seconds otherwise) {
  const char* wanted = std::getenv("TALLYD_FAULT_OUTAGE");
  return wanted == nullptr ? otherwise : std::chrono::seconds(std::strtol(wanted, nullptr, 10));
}

bool all_is_stored(const Influxd& influxd, const Load& load) {
  return eventually(patience, [&] {
    return stored_sum(influxd, hits_measurement) == static_cast<double>(load.lines());
  });
}

bool all_is_stored(const Badflux& server, const Load& load) {
  return eventually(
      patience, [&] { return server.sum(hits_measurement) == static_cast<double>(load.lines()); });
}

std::vector<HttpMessage> writes(const Badflux& server) {
  std::vector<HttpMessage> requests = server.requests();
  std::erase_if(requests, [](const HttpMessage& request) {
    return request.method != "POST" || request.path() == "/query" || request.path() == "/db";
  });
  return requests;
}

void finish(Tallyd& tallyd, const Badflux& server, const Load& load) {
  CHECK_MESSAGE(all_is_stored(server, load), tallyd.log());
  tallyd.stop();
  const StoredPoints stored = server.stored();
  CHECK(stored.sum(hits_measurement) == static_cast<double>(load.lines()));
  CHECK(stored.overwritten() == 0);
  CHECK(stored.doubled() == 0);
  check_balances(stored, {.datagrams = load.datagrams(), .accepted = load.lines()});
}

void finish(Tallyd& tallyd, const Influxd& influxd, const Load& load) {
  CHECK_MESSAGE(all_is_stored(influxd, load), tallyd.log());
  tallyd.stop();
  CHECK(stored_sum(influxd, hits_measurement) == static_cast<double>(load.lines()));
  check_balances(influxd, {.datagrams = load.datagrams(), .accepted = load.lines()});
}

void check_balances(const StoredPoints& stored, const Totals& expected) {
  const auto total = [&](std::string_view measurement, const std::string& state) {
    return static_cast<std::uint64_t>(stored.sum(measurement, "count", {"state", state}));
  };
  CHECK(total("tallyd.datagrams.count", "received") == expected.datagrams);
  CHECK(total("tallyd.datagrams.count", "dropped_by_kernel") == 0);
  CHECK(total("tallyd.lines.count", "accepted") == expected.accepted);
  CHECK(total("tallyd.lines.count", "refused") == expected.refused);
  CHECK(total("tallyd.points.count", "dropped") == expected.points_dropped);
  CHECK(check_points_at_every_window(stored) > 0);
}

std::size_t check_points_at_every_window(const StoredPoints& stored, const Life& life) {
  std::map<std::int64_t, double> moved;
  for (const ParsedPoint& point : stored.points_of("tallyd.points.count")) {
    if (is_of(point, life))
      moved[point.stamp] += (is_entry(*point.tag("state")) ? 1 : -1) * *point.field("count");
  }
  std::map<std::int64_t, double> waiting;
  for (const char* gauge : {"tallyd.points_queued.gauge", "tallyd.points_spooled.gauge"}) {
    for (const ParsedPoint& point : stored.points_of(gauge))
      if (is_of(point, life)) waiting[point.stamp] += *point.field("value");
  }
  constexpr std::int64_t gap_ns = 300'000'000;
  double expected = 0;
  std::int64_t last = life.begin_ns;
  for (const auto& [stamp, difference] : moved) {
    const bool is_after_gap = !life.is_whole && stamp - gap_ns > std::exchange(last, stamp);
    expected = is_after_gap ? waiting[stamp] : expected + difference;
    const std::int64_t window = stamp;  // clang 14 cannot capture what a structured binding names
    CAPTURE(window);
    CHECK(waiting[window] == expected);
  }
  return moved.size();
}

StoredPoints read_back(const Influxd& influxd) {
  StoredPoints points;
  for (const auto& [series, rows] : stored_points(influxd, "\"count\", \"value\"", ".*")) {
    ParsedPoint point{.measurement = series.measurement, .tags = {}, .fields = {}};
    point.tags.assign(series.tags.begin(), series.tags.end());
    for (const Row& row : rows) {
      point.fields.clear();
      for (const char* field : {"count", "value"}) {
        const auto found = row.find(field);
        if (found != row.end() && !found->second.empty())
          point.fields.emplace_back(field, number_in(row, field));
      }
      point.stamp = std::strtoll(row.at("time").c_str(), nullptr, 10) * 1'000'000;
      points.store(point);
    }
  }
  return points;
}

void check_has_all(const StoredPoints& stored, const StoredPoints& points) {
  StoredPoints both = stored;
  for (const auto& [measurement, count] : points.measurements())
    for (const ParsedPoint& point : points.points_of(measurement)) both.store(point);
  CHECK(both.points() == stored.points());
  CHECK(both.overwritten() == stored.overwritten());
}

std::vector<std::string> SpoolPlace::sets() const {
  return {"spool.directory=\"" + root() + "\"", "spool.min_free=0"};
}

std::vector<std::string> SpoolPlace::sinks() const {
  std::vector<std::string> found;
  std::error_code none;  // then there is no spool yet
  for (const auto& entry : std::filesystem::directory_iterator(root(), none))
    found.push_back(entry.path());
  std::ranges::sort(found);
  return found;
}

std::string SpoolPlace::verb(const std::string& verb) const {
  Process process({.path = TALLYD, .arguments = {"spool", verb, root()}});
  CHECK(process.wait(patience) == 0);
  CHECK(process.log() == "");
  return process.output();
}

StoredPoints SpoolPlace::waiting() const {
  StoredPoints points;
  const auto lines = read_body(verb("cat"));
  REQUIRE(lines.has_value());
  for (const ParsedPoint& point : *lines) points.store(point);
  return points;
}

Lives::Lives(TallydOptions options) : options_(std::move(options)) {
  options_.interval = "200ms";
  for (const std::string& set : spool_.sets()) options_.sets.push_back(set);
}

Tallyd& Lives::begin() {
  REQUIRE(!tallyd_);
  // The first window has the stamp of the interval that is open, the last one of the life before a
  // later one of its own.
  const auto open_now = [] { return wall_ns() / interval_ns * interval_ns; };
  REQUIRE(eventually(1s, [&] { return ended_ns_ < open_now(); }));
  begins_ns_.push_back(open_now());
  return tallyd_.emplace(options_);
}

void Lives::end() {
  tallyd_.reset();
  ended_ns_ = wall_ns();
}

void Lives::kill() {
  tallyd_->kill();
  end();
}

void Lives::stop() {
  tallyd_->stop();
  end();
}

void Lives::check_points(const StoredPoints& stored) const {
  std::size_t windows = 0;
  for (std::size_t i = 0; i < begins_ns_.size(); ++i) {
    Life life{.begin_ns = begins_ns_[i]};
    if (i + 1 < begins_ns_.size()) life.end_ns = begins_ns_[i + 1];
    windows += check_points_at_every_window(stored, life);
  }
  CHECK(windows > 0);
}

bool all_is_on_disk(const SpoolPlace& spool, std::uint64_t lines) {
  return eventually(patience, [&] {
    return spool.waiting().sum(hits_measurement) == static_cast<double>(lines);
  });
}

bool is_emptied(const SpoolPlace& spool) {
  return eventually(patience, [&] { return spool.waiting().points() == 0; });
}

bool is_said_to_be_emptied(const Badflux& server) {
  return eventually(patience, [&] {
    const std::vector<ParsedPoint> told = server.stored().points_of("tallyd.points_spooled.gauge");
    return !told.empty() && *std::ranges::max(told, {}, &ParsedPoint::stamp).field("value") == 0;
  });
}

std::string noise(std::minstd_rand& random, std::size_t bytes) {
  constexpr std::string_view letters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  std::string text;
  while (text.size() < bytes) text += letters[random() / 7 % letters.size()];
  return text;
}

std::string line_with(const std::string& log, std::string_view part) {
  const std::size_t at = log.find(part);
  if (at == std::string::npos) return "";
  const std::size_t begin = log.rfind('\n', at) + 1;
  return log.substr(begin, log.find('\n', at) - begin);
}

}  // namespace tally::testing
