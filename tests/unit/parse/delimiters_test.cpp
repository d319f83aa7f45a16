#include "parse/delimiters.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "guarded_buffer.hpp"

using namespace tally;
using tally::testing::GuardedBuffer;

namespace {

std::vector<std::uint32_t> places_in(std::string_view text, std::uint32_t base) {
  std::vector<std::uint32_t> places;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] == '\n' || text[i] == ':' || text[i] == '|')
      places.push_back(base + static_cast<std::uint32_t>(i));
  return places;
}

// Blocks in which so many of a hundred bytes are delimiters, and the rest is near them or far off.
std::string text_of(std::size_t blocks, unsigned percent, std::mt19937_64& random) {
  static constexpr char delimiters[] = {'\n', ':', '|'};
  static constexpr char others[] = {'a',  '.',  ';',    '9',    '{',    '}',   '\x0b',
                                    '\t', '\0', '\x8a', '\xba', '\xfc', '\xff'};
  std::string text(blocks * block_bytes, ' ');
  for (char& c : text)
    c = random() % 100 < percent ? delimiters[random() % 3] : others[random() % sizeof others];
  return text;
}

}  // namespace

TEST_CASE(
    "delimiters: every way to find them finds the same, and reads no byte beyond the blocks") {
  std::mt19937_64 random(1);
  REQUIRE(!delimiter_finders().empty());
  for (const DelimiterFinder& finder : delimiter_finders()) {
    CAPTURE(finder.name);
    for (const unsigned percent : {0U, 3U, 10U, 25U, 50U, 97U, 100U}) {
      CAPTURE(percent);
      for (std::size_t blocks = 0; blocks < 40; ++blocks) {
        const GuardedBuffer text(text_of(blocks, percent, random));
        const auto base = static_cast<std::uint32_t>(random() % 100'000);
        constexpr std::uint32_t untouched = 0xfefefefe;
        std::vector<std::uint32_t> places(text.view().size() + spare_places + 1, untouched);
        const std::uint32_t* const end =
            finder.find(text.view().data(), blocks, base, places.data());
        REQUIRE(places.back() == untouched);
        places.resize(static_cast<std::size_t>(end - places.data()));
        REQUIRE(places == places_in(text.view(), base));
      }
    }
  }
}
