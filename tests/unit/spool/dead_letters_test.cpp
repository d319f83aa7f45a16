#include "spool/dead_letters.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "spool_rig.hpp"

using namespace tally;
using namespace tally::testing;
using namespace std::chrono_literals;

namespace {

DeadLetter letter(const std::string& line) {
  return {
      .line = line, .reason = "partial write: \"field type conflict\"", .window = test_now + 250ms};
}

std::vector<std::string> lines_in(const Scratch& scratch) {
  std::vector<std::string> lines;
  const auto letters = read_dead_letters(scratch.spool());
  if (!letters) FAIL(letters.error().message);
  for (const DeadLetter& one : letters.value()) lines.push_back(one.line);
  return lines;
}

std::unique_ptr<DeadLetters> open_letters(const Scratch& scratch, std::uint64_t bytes_max) {
  std::filesystem::create_directories(scratch.spool());
  auto opened = DeadLetters::open(scratch.spool(), bytes_max);
  if (!opened) FAIL(opened.error().message);
  return std::move(opened).value();
}

}  // namespace

TEST_CASE("dead_letters: a letter is one line with reason, time and what was refused") {
  const DeadLetter given = letter("a,b=c v=1 1700000000");
  CHECK(to_tsv(given) ==
        "partial write: \"field type conflict\"\t2023-11-14T22:13:20.250Z\ta,b=c v=1 1700000000\n");
  std::string line = to_tsv(given);
  line.pop_back();
  const auto back = from_tsv(line);
  REQUIRE(back);
  CHECK(back->line == given.line);
  CHECK(back->reason == given.reason);
  CHECK(back->window == given.window);
}

TEST_CASE("dead_letters: no bytes of a server or a client end a line or a column") {
  DeadLetter given = letter("a v=\"x\ty\nz\" 1");
  given.reason = "tab\tnew\nline\x1b[2J";
  CHECK(to_tsv(given) == "tab new line [2J\t2023-11-14T22:13:20.250Z\ta v=\"x\ty z\" 1\n");
}

TEST_CASE("dead_letters: what is no letter is not read as one") {
  for (const std::string_view line :
       {"", "reason", "reason\t2023-11-14T22:13:20.250Z", "r\t2023-11-14\tline",
        "r\t2023-13-14T22:13:20.250Z\tline", "r\t2023-11-14T22:13:20.250\tline",
        "r\t2023-11-14T22:13:-1.250Z\tline", "r\t2023-11-14T22:13:20.250Zx\tline"}) {
    CAPTURE(line);
    CHECK_FALSE(from_tsv(line));
  }
}

TEST_CASE("dead_letters: they are there after a restart, in order") {
  const Scratch scratch;
  {
    const auto letters = open_letters(scratch, 1 << 20);
    CHECK_FALSE(letters->add(letter("a")));
    CHECK_FALSE(letters->add(letter("b")));
  }
  const auto letters = open_letters(scratch, 1 << 20);
  CHECK(letters->counts().found == 2);
  CHECK_FALSE(letters->add(letter("c")));
  CHECK(lines_in(scratch) == std::vector<std::string>{"a", "b", "c"});
  CHECK(letters->counts().balances());
}

TEST_CASE("dead_letters: past the limit the oldest go, counted, and the newest stay") {
  const Scratch scratch;
  constexpr std::uint64_t bytes_max = 16 << 10;
  const auto letters = open_letters(scratch, bytes_max);
  for (int i = 0; i < 1000; ++i) {
    CHECK_FALSE(letters->add(letter(std::to_string(i))));
    CHECK(letters->bytes() <= bytes_max);
    CHECK(letters->counts().balances());
  }
  const std::vector<std::string> lines = lines_in(scratch);
  CHECK(lines.size() == letters->counts().kept);
  CHECK(lines.size() + letters->counts().dropped_full == 1000);
  CHECK(letters->counts().dropped_full > 0);
  CHECK(letters->bytes() > bytes_max * 14 / 16);
  CHECK(lines.back() == "999");
}

TEST_CASE("dead_letters: a line cut short by a crash is left out, the others are not") {
  const Scratch scratch;
  CHECK_FALSE(open_letters(scratch, 1 << 20)->add(letter("whole")));
  std::filesystem::copy(scratch.spool() + "/dead/dead-0000000000000001.tsv",
                        scratch.spool() + "/dead/dead-0000000000000002.tsv");
  std::filesystem::resize_file(scratch.spool() + "/dead/dead-0000000000000001.tsv", 30);
  CHECK(lines_in(scratch) == std::vector<std::string>{"whole"});
}

TEST_CASE("dead_letters: they can be removed, and none is no error") {
  const Scratch scratch;
  std::filesystem::create_directories(scratch.spool());
  CHECK(lines_in(scratch).empty());
  CHECK_FALSE(open_letters(scratch, 1 << 20)->add(letter("a")));
  CHECK_FALSE(remove_dead_letters(scratch.spool()));
  CHECK(lines_in(scratch).empty());
}
