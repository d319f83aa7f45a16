// Parse and aggregate in memory, one thread, the real path beside the naive one.
//
//     bench_memory [--core N] [--workloads ABCDE] [--rounds N]
//     bench_memory --flush ROUNDS [--core N]
//     bench_memory --count parse|ingest [--workloads B] [--rounds N]
//
// The first prints ns a metric, one JSON object a line; --flush the way of a window, ns a series.
//
// A round is one window: both start with an empty table, the first pass over the packets creates
// the series ("first"), the passes behind it update them ("ns"). Passes of the real and of the
// naive path take turns, so that what slows the machine down slows down both.
//
// --count reads no clock: the same work in every run, for callgrind, inside `count_parse` or
// `count_ingest` (--toggle-collect='count_*'). It prints a checksum of what came out.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/gzip.hpp"
#include "naive_daemon.hpp"
#include "receive/receiver.hpp"
#include "tally/carry.hpp"
#include "tally/encode.hpp"
#include "tally/ingest.hpp"
#include "tool.hpp"
#include "workload.hpp"

using namespace tally;
using namespace tally::bench;

namespace {

constexpr std::uint64_t window_metrics_min = 500'000;  // of the passes of a round, together
constexpr std::size_t passes_min = 4;

// The thread's own time: what else runs on the core is not in it.
double now_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// The receive path behind the socket: the one place that knows how it is called.
class RealDaemon {
 public:
  RealDaemon() : gathered_(Table(table_rules_), 1, WallTime{}), ingestor_(rules_) {}
  RealDaemon(const RealDaemon&) = delete;
  RealDaemon& operator=(const RealDaemon&) = delete;

  void hear(std::span<const Datagram> datagrams) {
    ingestor_.add_datagrams(datagrams, arrival_, gathered_);
  }

  /// A new window, as the daemon makes it: the counts go, the table's memory stays.
  void clear() {
    gathered_.table.clear();
    gathered_ = Gathered(std::move(gathered_.table), 1, WallTime{});
  }

  std::uint64_t samples() const { return gathered_.total().samples; }
  std::uint64_t refused() const { return gathered_.total().refused(); }
  std::size_t series() const { return gathered_.table.size(); }
  Table& table() { return gathered_.table; }

 private:
  TableRules table_rules_{.static_tags = {{"host", "bench"}}};
  IngestRules rules_;
  Arrival arrival_{.has_padding = true};
  Gathered gathered_;
  Ingestor ingestor_;
};

// All packets once, as a socket gives them.
void hear_all(const Workload& workload, RealDaemon& daemon) {
  std::array<Datagram, Receiver::batch_max> batch;
  for (std::size_t i = 0; i < workload.packets();) {
    std::size_t count = 0;
    while (count < batch.size() && i < workload.packets()) batch[count++] = {workload.packet(i++)};
    daemon.hear(std::span(batch).first(count));
  }
}

void hear_all(const Workload& workload, NaiveDaemon& daemon) {
  for (std::size_t i = 0; i < workload.packets(); ++i) daemon.hear(workload.packet(i));
}

template <typename Daemon>
double ns_a_metric(const Workload& workload, Daemon& daemon) {
  const double start = now_ns();
  hear_all(workload, daemon);
  return (now_ns() - start) / static_cast<double>(workload.metrics());
}

struct Times {
  std::vector<double> first;   // ns a metric of passes that create the series
  std::vector<double> update;  // of the others
};

template <typename Daemon>
void check(const Workload& workload, std::size_t passes, const Daemon& daemon) {
  if (daemon.refused() > 0 || daemon.series() != workload.series ||
      daemon.samples() != workload.metrics() * passes)
    fail(std::string("workload ") + workload.letter + " was not taken whole");
}

void measure(char letter, std::size_t rounds) {
  const Workload workload = make_workload(letter).value();
  const std::size_t passes =
      std::max<std::size_t>(passes_min, window_metrics_min / workload.metrics());
  RealDaemon real;
  NaiveDaemon naive;
  Times real_times, naive_times;
  for (std::size_t round = 0; round < rounds; ++round) {
    real.clear();
    naive.clear();
    real_times.first.push_back(ns_a_metric(workload, real));
    naive_times.first.push_back(ns_a_metric(workload, naive));
    for (std::size_t pass = 1; pass < passes; ++pass) {
      real_times.update.push_back(ns_a_metric(workload, real));
      naive_times.update.push_back(ns_a_metric(workload, naive));
    }
  }
  check(workload, passes, real);
  check(workload, passes * rounds, naive);
  std::printf(
      "{\"workload\": \"%c\", \"metrics_a_packet\": %.2f, \"passes\": %zu, \"ns\": %.2f, "
      "\"naive_ns\": %.2f, \"first_ns\": %.2f, \"naive_first_ns\": %.2f}\n",
      letter, static_cast<double>(workload.metrics()) / static_cast<double>(workload.packets()),
      real_times.update.size(), median(real_times.update), median(naive_times.update),
      median(real_times.first), median(naive_times.first));
  std::fflush(stdout);
}

// ---- the way of a window, from the table to the bytes that are sent

void fill(const Workload& workload, RealDaemon& daemon) {
  daemon.clear();
  hear_all(workload, daemon);
}

struct FlushTimes {
  std::vector<double> merge, close, encode, gzip, total;
};

std::size_t gzip_all(const std::vector<Payload>& payloads) {
  std::size_t bytes = 0;
  for (const Payload& payload : payloads) bytes += gzip(payload.body).value_or("").size();
  return bytes;
}

// Two workers that both heard every series: more than any window of one worker costs.
std::size_t flush_once(const Workload& workload, RealDaemon& one, RealDaemon& other,
                       FlushTimes& times) {
  fill(workload, one);
  fill(workload, other);
  const auto at = [start = now_ns()] { return now_ns() - start; };
  one.table().merge(std::move(other.table()));
  const double merged = at();
  Carry carry({});
  const Span span{.start = WallTime(std::chrono::seconds(1'700'000'000)),
                  .interval = std::chrono::seconds(10)};
  const Snapshot snapshot = carry.close(one.table(), span);
  const double closed = at();
  const auto payloads = encode_influx(snapshot, {.prefix = "", .static_tags = {{"host", "bench"}}});
  const double encoded = at();
  const std::size_t bytes = gzip_all(payloads);
  const double packed = at();
  times.merge.push_back(merged);
  times.close.push_back(closed - merged);
  times.encode.push_back(encoded - closed);
  times.gzip.push_back(packed - encoded);
  times.total.push_back(packed);
  return bytes;
}

void measure_flush(std::size_t rounds) {
  const Workload workload = make_workload('D').value();
  RealDaemon one, other;
  FlushTimes times;
  std::size_t bytes = 0;
  for (std::size_t round = 0; round < rounds; ++round)
    bytes = flush_once(workload, one, other, times);
  const auto ns = [&](const std::vector<double>& values) {
    return median(values) / static_cast<double>(workload.series);
  };
  std::printf(
      "{\"series\": %u, \"merge_ns\": %.1f, \"close_ns\": %.1f, \"encode_ns\": %.1f, \"gzip_ns\": "
      "%.1f, \"total_ns\": %.1f, \"gzipped_bytes\": %zu}\n",
      workload.series, ns(times.merge), ns(times.close), ns(times.encode), ns(times.gzip),
      ns(times.total), bytes);
}

}  // namespace

// ---- the same work in every run

// Outside of the unnamed namespace, and never inlined: callgrind finds them by name.
[[gnu::noinline]] std::uint64_t count_parse(const Workload& workload, std::size_t rounds) {
  Batch batch;
  std::uint64_t checksum = 0;
  for (std::size_t i = 0; i < rounds * workload.packets(); ++i) {
    batch.clear();
    parse_datagram(workload.packet(i % workload.packets()), {}, batch);
    for (const Sample& sample : batch.samples) {
      checksum = checksum * 31 + sample.name.size() + static_cast<std::uint64_t>(sample.value);
    }
  }
  return checksum;
}

[[gnu::noinline]] std::uint64_t count_ingest(const Workload& workload, std::size_t rounds) {
  RealDaemon daemon;
  for (std::size_t round = 0; round < rounds; ++round) hear_all(workload, daemon);
  return daemon.samples() * 31 + daemon.series();
}

namespace {

void count(const std::string& stage, const std::string& letters, std::size_t rounds) {
  if (stage != "parse" && stage != "ingest") fail("--count is parse or ingest");
  for (const char letter : letters) {
    const Workload workload = make_workload(letter).value();
    const std::uint64_t checksum =
        stage == "parse" ? count_parse(workload, rounds) : count_ingest(workload, rounds);
    std::printf(
        "{\"workload\": \"%c\", \"stage\": \"%s\", \"metrics\": %llu, \"checksum\": %llu}\n",
        letter, stage.c_str(), static_cast<unsigned long long>(workload.metrics() * rounds),
        static_cast<unsigned long long>(checksum));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv, "core workloads rounds flush count");
  const std::string letters = arguments.text("workloads", std::string(workload_letters));
  if (letters.find_first_not_of(workload_letters) != letters.npos) fail("--workloads is of A to E");
  pin_to_core(static_cast<int>(arguments.number("core", -1)));
  const auto rounds = static_cast<std::size_t>(std::max(1.0, arguments.number("rounds", 5)));
  const auto flush_rounds = static_cast<std::size_t>(arguments.number("flush", 0));
  if (const std::string stage = arguments.text("count", ""); !stage.empty()) {
    count(stage, letters, rounds);
  } else if (flush_rounds > 0) {
    measure_flush(flush_rounds);
  } else {
    for (const char letter : letters) measure(letter, rounds);
  }
}
