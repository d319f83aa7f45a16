#include "deliver/body.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using Strings = std::vector<std::string>;

TEST_CASE("body: it is cut behind lines, into as few parts as whole lines allow") {
  struct Row {
    const char* name;
    std::string body;
    std::size_t bytes_max;
    Strings parts;
  };
  const std::vector<Row> rows{
      {"nothing", "", 3, {}},
      {"all fits", "a\nb\n", 4, {"a\nb\n"}},
      {"one byte too many", "a\nb\n", 3, {"a\n", "b\n"}},
      {"two a part", "a\nb\nc\n", 4, {"a\nb\n", "c\n"}},
      {"a line that is longer", "a\nlong\nb\n", 3, {"a\n", "long\n", "b\n"}},
      {"nothing is allowed", "a\nb\n", 0, {"a\n", "b\n"}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(tally::cut_to_size(row.body, row.bytes_max) == row.parts);
  }
}

TEST_CASE("body: it is cut by lines") {
  CHECK(tally::cut_after("a\nbb\nc\n", 1) == Strings{"a\n", "bb\nc\n"});
  CHECK(tally::cut_after("a\nbb\nc\n", 2) == Strings{"a\nbb\n", "c\n"});
  CHECK(tally::cut_to_lines("a\nbb\nc\n", 2) == Strings{"a\nbb\n", "c\n"});
  CHECK(tally::cut_to_lines("a\nbb\nc\n", 3) == Strings{"a\nbb\nc\n"});
  CHECK(tally::cut_to_lines("", 3).empty());
  CHECK(tally::count_lines("a\nbb\nc\n") == 3);
}

TEST_CASE("body: lines are taken out by number, and numbers past the end are ignored") {
  const std::string body = "a\nb\nc\n";
  struct Row {
    const char* name;
    std::vector<std::uint32_t> numbers;
    std::string rest;
    std::vector<std::string_view> taken;
  };
  const std::vector<Row> rows{
      {"none", {}, "a\nb\nc\n", {}},           {"the first", {0}, "b\nc\n", {"a"}},
      {"the last", {2}, "a\nb\n", {"c"}},      {"two", {0, 2}, "b\n", {"a", "c"}},
      {"all", {0, 1, 2}, "", {"a", "b", "c"}}, {"past the end", {1, 3}, "a\nc\n", {"b"}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const tally::Sorted sorted = tally::take_lines(body, row.numbers);
    CHECK(sorted.rest == row.rest);
    CHECK(sorted.taken == row.taken);
  }
}

TEST_CASE("body: a series ends at the first blank that is not escaped") {
  struct Row {
    const char* line;
    std::string_view series;
  };
  for (const Row& row :
       {Row{"m v=1 1", "m"}, Row{"m,a=b v=1", "m,a=b"}, Row{R"(a\ b,c=d\ e v=1)", R"(a\ b,c=d\ e)"},
        Row{"m", "m"}, Row{"", ""}, Row{" v=1", ""}, Row{R"(a\ )", R"(a\ )"}}) {
    CAPTURE(row.line);
    CHECK(tally::series_of(row.line) == row.series);
  }
}
