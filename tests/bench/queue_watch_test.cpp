#include "queue_watch.hpp"

#include <doctest/doctest.h>

#include <utility>
#include <vector>

using tally::bench::QueueWatch;

TEST_CASE("queue watch: a gap is the time between two reads while something waits") {
  struct Row {
    const char* name;
    std::vector<std::pair<int, std::uint32_t>> seen;  // ms, bytes in the queue
    std::vector<double> gap_ms_by_second;
    std::uint32_t bytes_max;
  };
  const Row rows[] = {
      {"nothing ever waits", {{0, 0}, {500, 0}}, {}, 0},
      {"waits until it is read", {{1, 0}, {2, 10}, {5, 20}, {6, 0}}, {5}, 20},
      {"becoming shorter is being read", {{1, 0}, {2, 30}, {4, 20}, {5, 20}, {7, 0}}, {3}, 30},
      {"each second has its longest", {{0, 9}, {900, 0}, {1000, 9}, {1100, 0}}, {900, 200}, 9},
      {"still open at the end", {{0, 9}, {40, 9}}, {40}, 9},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const QueueWatch::Clock::time_point start{};
    QueueWatch watch(start);
    for (const auto& [ms, bytes] : row.seen)
      watch.see(bytes, start + std::chrono::milliseconds(ms));
    CHECK(watch.gap_ms_by_second() == row.gap_ms_by_second);
    CHECK(watch.bytes_max() == row.bytes_max);
  }
}
