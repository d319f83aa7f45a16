#include "tally/refused.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string>

using namespace tally;

namespace {

Instant at(int second) {
  return Instant(std::chrono::seconds(second));
}

void add(RefusedRing& ring, int second) {
  const std::string line = "line" + std::to_string(second);
  ring.add({Reason::missing_value, 4, line}, 0, {}, at(second));
}

}  // namespace

TEST_CASE("refused ring: the newest hundred stay, oldest first") {
  RefusedRing ring;
  for (int i = 0; i < 250; ++i) add(ring, i);
  REQUIRE(ring.size() == RefusedRing::lines_max);
  const auto lines = ring.lines();
  CHECK(lines.front()->text == "line150");
  CHECK(lines.back()->text == "line249");
  ring.clear();
  CHECK(ring.empty());
  add(ring, 1);
  CHECK(ring.lines()[0]->text == "line1");
}

TEST_CASE("refused ring: of two that merge the newest stay, in the order of time") {
  RefusedRing even, odd;
  for (int i = 0; i < 160; ++i) add(i % 2 == 0 ? even : odd, i);
  even.merge(odd);
  const auto lines = even.lines();
  REQUIRE(lines.size() == RefusedRing::lines_max);
  for (std::size_t i = 0; i < lines.size(); ++i)
    CHECK(lines[i]->text == "line" + std::to_string(60 + i));
  add(even, 1000);
  CHECK(even.lines().front()->text == "line61");
  CHECK(even.lines().back()->text == "line1000");
}

TEST_CASE("refused ring: of a long line the part around the byte that decided is kept") {
  struct Row {
    const char* name;
    std::uint32_t caret;
  };
  std::string line;
  for (int i = 0; line.size() < 10'000; ++i) line += std::to_string(i) + ",";
  for (const Row& row : {Row{"first byte", 0}, Row{"in the middle", 5000}, Row{"last byte", 9999},
                         Row{"behind the end", 20'000}}) {
    CAPTURE(row.name);
    RefusedRing ring;
    ring.add({Reason::bad_value, row.caret, line}, 3, {}, at(1));
    const RefusedLine& kept = *ring.lines()[0];
    CHECK(kept.text.size() == RefusedRing::text_bytes_max);
    CHECK(kept.listener == 3);
    REQUIRE(kept.caret <= kept.text.size());
    const std::size_t caret = std::min<std::size_t>(row.caret, line.size());
    CHECK(kept.text.substr(kept.caret, 20) ==
          line.substr(caret, 20).substr(0, kept.text.size() - kept.caret));
    CHECK(kept.before + kept.caret == caret);
    CHECK(kept.before + kept.text.size() + kept.after.value() == line.size());
    const std::string shown = quote(kept);
    CHECK(shown.starts_with("..\"") == (row.caret > 0));
    CHECK(shown.ends_with(std::to_string(line.size() - kept.text.size()) + " more bytes"));
    const std::string drawn = with_caret(kept, 2);
    CHECK(drawn.starts_with("  ..\"") == (row.caret > 0));
    CHECK((drawn.find("\"..\n") != std::string::npos) == (caret + 1 < line.size()));
  }
}

TEST_CASE("refused ring: of a line without its end nobody says how long it was") {
  for (const Reason reason : {Reason::truncated, Reason::line_too_long}) {
    RefusedRing ring;
    ring.add({reason, 3, "a:1"}, 0, {}, at(1));
    ring.add({reason, 256, std::string(256, 'x')}, 0, {}, at(2));
    CHECK(quote(*ring.lines()[0]) == "\"a:1\"..");
    CHECK(with_caret(*ring.lines()[0], 0) == "\"a:1\"..\n    ^\n");
    const RefusedLine& kept = *ring.lines()[1];
    CHECK(kept.before == 56);
    CHECK_FALSE(kept.after);
    CHECK(quote(kept) == "..\"" + std::string(200, 'x') + "\"..");
  }
}

TEST_CASE("refused ring: what fits is whole, and shown without a sign of more") {
  RefusedRing ring;
  const std::string line(RefusedRing::text_bytes_max, 'x');
  ring.add({Reason::missing_value, 0, line}, 0, {}, at(1));
  ring.add({Reason::missing_value, 3, "a:x"}, 0, {}, at(2));
  CHECK(ring.lines()[0]->before == 0);
  CHECK(ring.lines()[0]->after == 0);
  CHECK(quote(*ring.lines()[0]) == '"' + line + '"');
  CHECK(with_caret(*ring.lines()[1], 0) == with_caret("a:x", 3, 0));
}

TEST_CASE("caret: it stands under the byte that decided, whatever the bytes before it are") {
  CHECK(with_caret("a:x|c", 2, 2) == "  \"a:x|c\"\n     ^\n");
  CHECK(with_caret("a\n:x|c", 3, 0) == "\"a\\x0A:x|c\"\n       ^\n");
  CHECK(with_caret("abc", 3, 0) == "\"abc\"\n    ^\n");
}
