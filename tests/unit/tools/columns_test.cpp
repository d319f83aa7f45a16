#include "tools/columns.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

using namespace tally;

namespace {

constexpr double no_number = std::numeric_limits<double>::quiet_NaN();

}  // namespace

TEST_CASE("columns: a line is as wide as it should be, whatever is put on it") {
  CHECK(ScreenLine(5, false).text() == "     ");
  CHECK(std::move(ScreenLine(5, false).add("ab").add("cdef").add("g")).text() == "abcde");
  CHECK(std::move(ScreenLine(4, false).add("▁█").fill_to(3)).text() == "▁█  ");
  CHECK(std::move(ScreenLine(2, false).fill_to(9).add("x")).text() == "  ");
  CHECK(ScreenLine(0, false).text() == "");
}

TEST_CASE("columns: colours take no room") {
  CHECK(std::move(ScreenLine(4, true).add("a", Style::bad).add("b")).text() ==
        "\x1b[1;31ma\x1b[0mb  ");
  CHECK(std::move(ScreenLine(4, false).add("a", Style::bad).add("b")).text() == "ab  ");
}

TEST_CASE("columns: any number fits into seven columns, and most keep three digits") {
  struct Row {
    double value;
    std::string_view text;
  };
  for (const Row& row : std::vector<Row>{{0, "0"},
                                         {1, "1"},
                                         {-3, "-3"},
                                         {0.25, "0.25"},
                                         {0.0012, "0.001"},
                                         {-2e-7, "-2e-07"},
                                         {12.5, "12.5"},
                                         {99.96, "100"},
                                         {1234, "1234"},
                                         {9999, "9999"},
                                         {9999.6, "10.0k"},
                                         {12'345, "12.3k"},
                                         {999'499, "999k"},
                                         {999'600, "1.00M"},
                                         {1'234'567, "1.23M"},
                                         {-45'000'000'000, "-45.0G"},
                                         {1e300, "1e+300"},
                                         {no_number, "-"}}) {
    CHECK(short_number(row.value) == row.text);
  }
  for (double value = 1e-9; value < 1e300; value *= 1.37) {
    CAPTURE(value);
    CHECK(short_number(value).size() <= 6);
    CHECK(short_number(-value).size() <= 7);
  }
  CHECK(short_number(std::numeric_limits<double>::infinity()).size() <= 7);
}

TEST_CASE("columns: a sparkline goes from 0, or the least, to the largest") {
  const std::vector<double> values = {0, 1, no_number, 7};
  CHECK(sparkline(values, 4) == "▁▂ █");
  CHECK(sparkline(values, 6) == "  ▁▂ █");
  CHECK(sparkline(values, 2) == " █");
  CHECK(sparkline(std::vector<double>{-7, 0, 7}, 3) == "▁▅█");
  CHECK(sparkline(std::vector<double>{5, 5}, 2) == "██");
  CHECK(sparkline(std::vector<double>{0, 0}, 2) == "▁▁");
  CHECK(sparkline({}, 2) == "  ");
  constexpr double most = std::numeric_limits<double>::max();
  CHECK(sparkline(std::vector<double>{-most, most}, 2) == "▁█");
  CHECK(sparkline(std::vector<double>{std::numeric_limits<double>::denorm_min()}, 1).size() == 3);
}

TEST_CASE("columns: a duration is its two largest units") {
  CHECK(short_duration(0.4) == "0s");
  CHECK(short_duration(59) == "59s");
  CHECK(short_duration(3599) == "59m 59s");
  CHECK(short_duration(3600) == "1h 0m");
  CHECK(short_duration(273'600) == "3d 4h");
  CHECK(short_duration(-1) == "0s");
  CHECK(short_duration(no_number) == "0s");
  CHECK(short_duration(1e300) == "11574d 1h");
}
