#include "faults_rig.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <thread>

namespace tally::testing {
namespace {

using namespace std::chrono_literals;

// Of the states of `tallyd.points`, those that bring points into tallyd; all others take them out.
bool is_entry(const std::string& state) {
  return state == "flushed" || state == "recovered";
}

void check_points_at_every_window(const StoredPoints& stored) {
  std::map<std::int64_t, double> moved;
  for (const ParsedPoint& point : stored.points_of("tallyd.points.count")) {
    moved[point.stamp] += (is_entry(*point.tag("state")) ? 1 : -1) * *point.field("count");
  }
  std::map<std::int64_t, double> waiting;
  for (const char* gauge : {"tallyd.points_queued.gauge", "tallyd.points_spooled.gauge"}) {
    for (const ParsedPoint& point : stored.points_of(gauge))
      waiting[point.stamp] += *point.field("value");
  }
  double expected = 0;
  for (const auto& [stamp, difference] : moved) CHECK(waiting[stamp] == (expected += difference));
  CHECK(!moved.empty());
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
  check_points_at_every_window(stored);
}

std::string line_with(const std::string& log, std::string_view part) {
  const std::size_t at = log.find(part);
  if (at == std::string::npos) return "";
  const std::size_t begin = log.rfind('\n', at) + 1;
  return log.substr(begin, log.find('\n', at) - begin);
}

}  // namespace tally::testing
