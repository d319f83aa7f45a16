#include <doctest/doctest.h>

#include <random>
#include <regex>
#include <string>

#include "tally/glob.hpp"

using tally::matches_glob;

TEST_CASE("glob: stars take any bytes, question marks one, the rest is itself") {
  struct Row {
    const char *pattern, *text;
    bool matches;
  };
  constexpr Row rows[] = {
      {"", "", true},
      {"", "a", false},
      {"*", "", true},
      {"*", "a.b", true},
      {"a", "a", true},
      {"a", "ab", false},
      {"a*", "abc", true},
      {"*c", "abc", true},
      {"a*c", "abc", true},
      {"a*c", "abcd", false},
      {"a*b*c", "a.b.b.c", true},
      {"?", "", false},
      {"?", "a", true},
      {"a?c", "abc", true},
      {"a?c", "ac", false},
      {"**", "x", true},
      {"*a*", "bab", true},
      {"*.hits", "api.v1.hits", true},
      {"api.*", "apiv1", false},
      {"[a]", "[a]", true},
      {"[a]", "a", false},
      {"*ab", "aab", true},
      {"*aab", "aaab", true},
      {"a*", "", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.pattern);
    CAPTURE(row.text);
    CHECK(matches_glob(row.pattern, row.text) == row.matches);
  }
}

TEST_CASE("glob: agrees with regular expressions of the same meaning") {
  std::mt19937 random(1);
  const auto any_of = [&](std::string_view letters, std::size_t most) {
    std::string text(random() % (most + 1), ' ');
    for (char& letter : text) letter = letters[random() % letters.size()];
    return text;
  };
  for (int i = 0; i < 20'000; ++i) {
    const std::string pattern = any_of("ab?*", 7), text = any_of("ab", 9);
    std::string expression;
    for (const char letter : pattern)
      expression += letter == '*' ? ".*" : letter == '?' ? "." : std::string(1, letter);
    CAPTURE(pattern);
    CAPTURE(text);
    CHECK(matches_glob(pattern, text) == std::regex_match(text, std::regex(expression)));
  }
}

TEST_CASE("glob: a hostile pattern takes no longer than pattern times text") {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "a*";
  CHECK_FALSE(matches_glob(pattern + "b", std::string(20'000, 'a')));
}
