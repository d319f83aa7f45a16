#include "queue_watch.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

using tally::bench::QueueWatch;

TEST_CASE("queue watch: a gap is the time between two reads while something waits") {
  struct Seen {
    int ms;
    std::uint32_t bytes;
    std::uint64_t first;
  };
  struct Row {
    const char* name;
    std::vector<Seen> seen;
    std::vector<double> gap_ms_by_second;
    std::uint32_t bytes_max;
  };
  const Row rows[] = {
      {"nothing ever waits", {{0, 0, 0}, {500, 0, 0}}, {}, 0},
      {"waits until it is read", {{1, 0, 0}, {2, 10, 7}, {5, 20, 7}, {6, 0, 0}}, {4}, 20},
      {"another first is being read", {{2, 30, 7}, {4, 40, 8}, {5, 50, 8}, {7, 60, 9}}, {3}, 60},
      {"all read, its bytes not yet given back", {{2, 30, 7}, {4, 30, 0}, {9, 30, 0}}, {2}, 30},
      {"each second has its longest",
       {{0, 9, 7}, {900, 0, 0}, {1000, 9, 7}, {1100, 0, 0}},
       {900, 100},
       9},
      {"still open at the end", {{0, 9, 7}, {40, 9, 7}}, {40}, 9},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const QueueWatch::Clock::time_point start{};
    QueueWatch watch(start);
    for (const Seen& one : row.seen)
      watch.see(one.bytes, one.first, start + std::chrono::milliseconds(one.ms));
    CHECK(watch.gap_ms_by_second() == row.gap_ms_by_second);
    CHECK(watch.bytes_max() == row.bytes_max);
  }
}
