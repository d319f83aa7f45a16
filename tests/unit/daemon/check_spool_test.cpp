#include "daemon/check_spool.hpp"

#include <doctest/doctest.h>

#include <string_view>

using namespace tally;
using Level = Finding::Level;

TEST_CASE("check spool: room is what the disk has beyond what is left to others") {
  constexpr std::uint64_t gib = std::uint64_t{1} << 30;
  struct Row {
    std::string_view name;
    DiskRoom room;
    std::uint64_t min_free;
    Level level;
    std::string_view says;
  };
  const std::vector<Row> rows = {
      {"empty disk", {100 * gib, 90 * gib, 0}, gib, Level::well, "room for the 10GiB"},
      {"just enough", {100 * gib, 15 * gib, 0}, gib, Level::well, "room for the 10GiB"},
      {"the share counts", {100 * gib, 14 * gib, 0}, gib, Level::note, "room for 9GiB more"},
      {"the bytes count", {100 * gib, 14 * gib, 0}, 8 * gib, Level::note, "room for 6GiB more"},
      {"what is used counts", {100 * gib, 14 * gib, gib}, gib, Level::well, "room for the 10GiB"},
      {"fuller than allowed", {100 * gib, 5 * gib, 20 * gib}, gib, Level::well, "room for the"},
      {"too little", {100 * gib, 5 * gib - 1, 0}, gib, Level::mend, "and tallyd leaves 5GiB"},
      {"in bytes", {gib, gib / 2, 0}, gib, Level::mend, "has 512MiB left and tallyd leaves 1GiB"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const SpoolSettings settings{
        .directory = "/s", .bytes_max = 10 * gib, .free_bytes_min = row.min_free};
    const Finding finding = judge_room(row.room, settings);
    CHECK(finding.level == row.level);
    CHECK(finding.subject == "spool /s");
    CHECK_MESSAGE(finding.text.find(row.says) != std::string::npos, finding.text);
  }
}
