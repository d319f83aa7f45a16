// What was sent is what is stored: seeded samples of all kinds, read back and held against the
// naive twin.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "naive.hpp"
#include "rig.hpp"

using namespace tally;
using namespace tally::testing;

namespace {

const std::vector<StaticTag> static_tags = {{"host", "testhost"}};

// Lines over a fixed number of series. Counters and their rates are dyadic, so that their sums are
// exact in any order; timers are not, and are compared to 1e-9.
class Generator {
 public:
  Generator(std::uint64_t seed, std::size_t series) : random_(seed), series_(series) {}

  std::string next() {
    const std::size_t series = any(series_);
    std::string line = fmt::format("truth.{}.s{}:{}", series % 7, series / 2, tail_of(series % 10));
    // Two series share a name and differ in their tags.
    if (series % 2 == 1) line += fmt::format("|#shard:{},env:prod", series % 3);
    return line;
  }

 private:
  std::size_t any(std::size_t below) { return random_() % below; }
  double decimal() { return static_cast<double>(any(10'000'000)) / 1000; }

  // Of ten series: three counters, two timers, two gauges, one each of the others.
  std::string tail_of(std::size_t kind) {
    constexpr const char* dyadic_rates[] = {"", "", "|@0.5", "|@0.25", "|@0.125"};
    constexpr const char* rates[] = {"", "", "", "|@0.5", "|@0.1"};
    switch (kind) {
      case 0:
      case 1:
      case 2:
        return fmt::format("{}|c{}", static_cast<double>(any(4000)) / 8 - 50, dyadic_rates[any(5)]);
      case 3:
      case 4:
        return fmt::format("{}|ms{}", decimal(), rates[any(5)]);
      case 5:
      case 6:
        return any(3) == 0 ? fmt::format("{:+}|g", static_cast<double>(any(200)) - 100)
                           : fmt::format("{}|g", decimal());
      case 7:
        return fmt::format("{}|h{}", decimal(), rates[any(5)]);
      case 8:
        return fmt::format("{}|d", decimal());
      default:
        return fmt::format("member-{}|s", any(50));
    }
  }

  std::mt19937_64 random_;
  std::size_t series_;
};

std::string measurement_of(const NaiveSeries& series) {
  return series.name + "." +
         (series.kind == Kind::counter ? "count" : std::string(to_string(series.kind)));
}

StoredSeries stored_name(const NaiveSeries& series) {
  StoredSeries stored{measurement_of(series), series.tags};
  for (const StaticTag& tag : static_tags) stored.tags.insert({tag.key, tag.value});
  return stored;
}

bool is_close(double a, double b, double relative) {
  return std::fabs(a - b) <= relative * std::max(std::fabs(a), std::fabs(b));
}

// The points of one series over all windows, put together again.
struct Whole {
  double count = 0, sum = 0, weighted_mean = 0;
  double min = INFINITY, max = -INFINITY;
  double last = 0;

  explicit Whole(const std::vector<Row>& rows) {
    for (const Row& row : rows) {
      count += number_in(row, "count");
      sum += number_in(row, "sum");
      weighted_mean += number_in(row, "mean") * number_in(row, "count");
      min = std::min(min, number_in(row, "min"));
      max = std::max(max, number_in(row, "max"));
      last = number_in(row, "value");
    }
    weighted_mean /= count;
  }
};

void check_timer(const Whole& stored, const std::vector<Weighted>& values) {
  const NaiveSummary truth = naive_summary(values);
  CHECK(stored.count == truth.count);
  CHECK(stored.min == truth.min);
  CHECK(stored.max == truth.max);
  CHECK(is_close(stored.sum, truth.sum, 1e-9));
  CHECK(is_close(stored.weighted_mean, truth.mean, 1e-9));
}

// One window only: what cannot be put together again is exact as well.
void check_single_point(Kind kind, const Row& row, const NaivePoint& truth) {
  if (kind == Kind::set) CHECK(number_in(row, "count") == truth.count);
  if (!is_timer_like(kind)) return;
  CHECK(is_close(number_in(row, "stddev"), naive_summary(truth.values).stddev, 1e-9));
  for (const double percent : {50.0, 75.0, 95.0, 99.0, 99.9}) {
    const std::string field = percent == 99.9 ? "p999" : fmt::format("p{}", percent);
    CHECK(number_in(row, field) == naive_percentile(truth.values, percent));
  }
}

void check_series(const NaiveSeries& series, const std::vector<Row>& rows,
                  const NaivePoint& truth) {
  const Whole stored(rows);
  if (series.kind == Kind::counter) CHECK(stored.count == truth.count);
  if (series.kind == Kind::gauge) CHECK(stored.last == truth.value);
  if (is_timer_like(series.kind)) check_timer(stored, truth.values);
}

void hear(NaiveDaemon& twin, const std::string& line) {
  for (const NaiveLine& heard : naive_parse(line)) {
    REQUIRE(heard.faults.empty());
    for (const NaiveSample& sample : heard.samples) twin.hear(sample);
  }
}

std::map<StoredSeries, std::vector<Row>> truth_points(const Influxd& influxd) {
  return stored_points(influxd, "*", "^truth\\.");
}

void send_seeded(StatsdSender& sender, NaiveDaemon& twin, Generator& lines, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::string line = lines.next();
    sender.send_packed(line);
    hear(twin, line);
  }
  sender.flush();
  sender.wait_until_read();
}

}  // namespace

TEST_CASE(
    "truth: 200,000 samples over 1,000 series and many windows are in InfluxDB as the twin has "
    "them") {
  Influxd influxd;
  influxd.start();
  Tallyd tallyd({.influxdb_url = influxd.url(), .interval = "1s"});
  StatsdSender sender(tallyd.port());
  NaiveDaemon twin(static_tags, std::chrono::milliseconds(0));
  Generator lines(20240607, 1000);
  send_seeded(sender, twin, lines, 100'000);
  // A window is closed before the second half is sent, however fast this machine is.
  REQUIRE(eventually(patience, [&] { return !truth_points(influxd).empty(); }));
  send_seeded(sender, twin, lines, 100'000);
  tallyd.stop();
  check_balances(influxd, {.datagrams = sender.datagrams(), .accepted = 200'000});

  const NaiveWindow truth = twin.close(std::chrono::seconds(1));
  CHECK(truth.size() == 1000);
  const auto stored = truth_points(influxd);
  CHECK(stored.size() == truth.size());
  std::set<std::string> windows;
  for (const auto& [series, point] : truth) {
    const auto found = stored.find(stored_name(series));
    const std::string who = describe(series);
    CAPTURE(who);
    REQUIRE(found != stored.end());
    check_series(series, found->second, point);
    for (const Row& row : found->second) windows.insert(row.at("time"));
  }
  CHECK(windows.size() > 1);
}

TEST_CASE(
    "truth: in one window percentiles, standard deviations and sets are exact too, over IPv6 as "
    "well") {
  Influxd influxd;
  influxd.start();
  Tallyd tallyd({.influxdb_url = influxd.url(), .interval = endless_interval()});
  const bool has_v6 = tallyd.port_v6() != 0;
  StatsdSender sender(has_v6 ? tallyd.port_v6() : tallyd.port(),
                      has_v6 ? IpVersion::v6 : IpVersion::v4);
  NaiveDaemon twin(static_tags, std::chrono::milliseconds(0));
  Generator lines(7, 200);
  send_seeded(sender, twin, lines, 20'000);
  tallyd.stop();

  const NaiveWindow truth = twin.close(std::chrono::hours(1));
  const auto stored = truth_points(influxd);
  CHECK(stored.size() == truth.size());
  for (const auto& [series, point] : truth) {
    const auto found = stored.find(stored_name(series));
    const std::string who = describe(series);
    CAPTURE(who);
    REQUIRE(found != stored.end());
    REQUIRE(found->second.size() == 1);
    check_series(series, found->second, point);
    check_single_point(series.kind, found->second.front(), point);
  }
}

TEST_CASE("truth: random bytes change no other series, and every line is accepted or refused") {
  Influxd influxd;
  influxd.start();
  Tallyd tallyd({.influxdb_url = influxd.url()});
  StatsdSender sender(tallyd.port());
  NaiveDaemon twin(static_tags, std::chrono::milliseconds(0));
  Generator lines(99, 100);
  std::mt19937_64 random(4711);
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string noise(1 + random() % 600, '\0');
    for (char& byte : noise) byte = static_cast<char>(random());
    for (const NaiveLine& line : naive_parse(noise)) ++(line.faults.empty() ? accepted : refused);
    sender.send(noise);
    const std::string line = lines.next();
    hear(twin, line);
    sender.send(line);
    ++accepted;
  }
  sender.wait_until_read();
  const auto all_lines_are_stored = [&] {
    return stored_sum(influxd, "tallyd.lines.count") == static_cast<double>(accepted + refused);
  };
  CHECK(eventually(patience, all_lines_are_stored));
  tallyd.stop();
  check_balances(influxd,
                 {.datagrams = sender.datagrams(), .accepted = accepted, .refused = refused});

  const NaiveWindow truth = twin.close(std::chrono::seconds(1));
  const auto stored = truth_points(influxd);
  CHECK(stored.size() == truth.size());
  for (const auto& [series, point] : truth) {
    const auto found = stored.find(stored_name(series));
    const std::string who = describe(series);
    CAPTURE(who);
    REQUIRE(found != stored.end());
    check_series(series, found->second, point);
  }
}

TEST_CASE("truth: datagrams sent are those received and those the kernel dropped, exactly") {
  Influxd influxd;
  influxd.start();
  Tallyd tallyd({.influxdb_url = influxd.url(), .sets = {"listen.receive_buffer=64KiB"}});
  StatsdSender sender(tallyd.port());
  tallyd.pause();
  for (int i = 0; i < 5000; ++i) sender.send_regardless("truth.flood:1|c");
  const auto dropped = static_cast<double>(udp_queue(tallyd.port(), IpVersion::v4).drops);
  CHECK(dropped > 0);
  tallyd.resume();
  sender.wait_until_read();
  tallyd.stop();
  CHECK(stored_sum(influxd, "tallyd.datagrams.count", "dropped_by_kernel") == dropped);
  CHECK(stored_sum(influxd, "tallyd.datagrams.count", "received") == 5000 - dropped);
  CHECK(stored_sum(influxd, "truth.flood.count") == 5000 - dropped);
  CHECK(tallyd.log().find("the kernel dropped them") != std::string::npos);
}
