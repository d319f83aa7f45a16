#include "workload.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <unordered_set>
#include <utility>

#include "tally/parse.hpp"

using namespace tally;
using bench::Workload;

namespace {

struct Heard {
  std::uint64_t samples = 0, refused = 0, unequal_packets = 0, wrong_counts = 0;
  std::unordered_set<std::string> series;  // name and tags
  std::set<Kind> kinds;
};

Heard hear(const Workload& workload) {
  Heard heard;
  Batch batch;
  for (std::size_t i = 0; i < workload.packets(); ++i) {
    batch.clear();
    parse_datagram(workload.packet(i), {}, batch);
    heard.samples += batch.samples.size();
    heard.refused += batch.refused.size();
    heard.unequal_packets += workload.packet(i).size() != workload.packet_bytes;
    heard.wrong_counts +=
        workload.metrics_of(i) + batch.samples.size() != workload.metrics_of(i + 1);
    for (const Sample& sample : batch.samples) {
      std::string key(sample.name);
      for (const Tag& tag : batch.tags_of(sample)) key.append(tag.key) += tag.value;
      heard.series.insert(std::move(key));
      heard.kinds.insert(sample.kind);
    }
  }
  return heard;
}

}  // namespace

TEST_CASE("workload: holds the metrics, series and bytes it says, and the parser refuses none") {
  struct Row {
    char letter;
    std::size_t packet_bytes;
    std::size_t series;
    double metrics_a_packet;
    std::size_t kinds;
  };
  const Row rows[] = {{'A', 32, 1'000, 1, 1},       {'B', 1432, 1'000, 43.6, 1},
                      {'C', 1432, 10'000, 38.6, 5}, {'D', 1432, 1'000'000, 38, 1},
                      {'E', 1432, 1'000, 25.3, 1},  {'F', 1432, 100'000, 38, 1}};
  for (const Row& row : rows) {
    CAPTURE(row.letter);
    const Workload workload = bench::make_workload(row.letter).value();
    const Heard heard = hear(workload);
    CHECK(workload.packet_bytes == row.packet_bytes);
    CHECK(workload.bytes.size() == workload.packets() * row.packet_bytes);
    CHECK(heard.unequal_packets == 0);
    CHECK(heard.wrong_counts == 0);
    CHECK(heard.refused == 0);
    CHECK(heard.samples == workload.metrics());
    CHECK(heard.series.size() == row.series);
    CHECK(heard.kinds.size() == row.kinds);
    const auto packets = static_cast<double>(workload.packets());
    CHECK(static_cast<double>(workload.metrics()) / packets ==
          doctest::Approx(row.metrics_a_packet).epsilon(0.01));
  }
}

TEST_CASE("workload: is the same in every run, and a letter that is none gives none") {
  CHECK(bench::make_workload('C')->bytes == bench::make_workload('C')->bytes);
  CHECK_FALSE(bench::make_workload('G').has_value());
}

TEST_CASE("workload: cycles add up") {
  const Workload workload = bench::make_workload('B').value();
  CHECK(workload.metrics_of(workload.packets()) == workload.metrics());
  CHECK(workload.metrics_of(2 * workload.packets() + 3) ==
        2 * workload.metrics() + workload.metrics_of(3));
}

TEST_CASE("workload: other kinds than its own, as many series") {
  const Heard heard = hear(bench::make_workload('C', "ctgs").value());
  CHECK(heard.refused == 0);
  CHECK(heard.series.size() == 10'000);
  CHECK(heard.kinds == std::set{Kind::counter, Kind::timer, Kind::gauge, Kind::set});
}

TEST_CASE("workload: the total of its counters is that of the packets sent, and of counters only") {
  const Workload workload{.letter = 'B',
                          .packet_bytes = 13,
                          .series = 3,
                          .bytes = "a:2|c\nbbb:3|ca:10|c|#t:1,u",
                          .metrics_before = {0, 2, 3}};
  const Workload mixed{.letter = 'C',
                       .packet_bytes = 11,
                       .series = 2,
                       .bytes = "a:2|c\nb:3|g",
                       .metrics_before = {0, 2}};
  struct Row {
    std::uint64_t packets, total;
  };
  for (const Row& row : {Row{0, 0}, Row{1, 5}, Row{2, 15}, Row{3, 20}, Row{4, 30}}) {
    CAPTURE(row.packets);
    CHECK(bench::counter_total(workload, row.packets) == row.total);
  }
  CHECK(bench::counter_total(mixed, 3) == 6);
}
