#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>

#include <fmt/format.h>

#include "guarded_buffer.hpp"
#include "naive_text.hpp"
#include "parse/words.hpp"
#include "tally/parse.hpp"

using namespace tally;
using namespace tally::testing;

namespace {

/// parse_number on bytes that end at an unreadable page.
bool parse_guarded(const std::string& text, double& value) {
  const GuardedBuffer buffer(text);
  return parse_number(buffer.view(), value);
}

/// Whether both read the same number, to the bit but for the sign of zero, or both refuse.
bool agrees_with_naive(const std::string& text) {
  double expected = 0, value = 0;
  const bool is_number = naive_number(text, expected);
  return parse_guarded(text, value) == is_number && (!is_number || value == expected);
}

}  // namespace

TEST_CASE("number: every decimal form of StatsD clients is read") {
  struct Row {
    const char* text;
    double value;
  };
  constexpr Row rows[] = {
      {"12", 12},
      {"007", 7},
      {"+1.5", 1.5},
      {"-.5", -0.5},
      {".5", 0.5},
      {"5.", 5},
      {"-0", 0},
      {"1e-05", 1e-05},
      {"1E3", 1000},
      {"+10e1", 100},
      {"4.6968460083008E-5", 4.6968460083008E-5},
      {"123456789012345", 123456789012345},
      {"999999999999999", 999999999999999},
      {"9007199254740992", 9007199254740992},
      {"9007199254740993", 9007199254740992},  // to even
      {"0.30000000000000004", 0.30000000000000004},
      {"3.141592653589793", 3.141592653589793},
      {"1.7976931348623157e308", std::numeric_limits<double>::max()},
      {"-1.7976931348623157e308", std::numeric_limits<double>::lowest()},
      {"2.2250738585072014e-308", std::numeric_limits<double>::min()},
      {"5e-324", std::numeric_limits<double>::denorm_min()},
      {"0.000000000000000000000000000000000001", 1e-36},
      {"100000000000000000000000", 1e23},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.text));
    double value = -77;
    CHECK(parse_guarded(row.text, value));
    CHECK(value == row.value);
  }
}

TEST_CASE("number: what underflows is zero") {
  for (const char* text : {"1e-400", "-1e-400", "0.1e-99999999999", "2e-324"}) {
    INFO(std::string(text));
    double value = -77;
    const bool taken = parse_guarded(text, value);
    CHECK(taken);
    CHECK(value == 0);
  }
  const std::string zeros(500, '0');
  for (const std::string& text :
       {"0." + zeros + "1", "." + zeros + "1e99", "-0." + zeros + "5E+20"}) {
    INFO(text.substr(0, 5), " .. ", text.substr(text.size() - 5));
    double value = -77;
    CHECK(parse_guarded(text, value));
    CHECK(value == 0);
  }
}

TEST_CASE("number: what overflows is refused whatever its exponent says") {
  const std::string zeros(500, '0');
  for (const std::string& text : {"1" + zeros, "1" + zeros + "e-5", "-2" + zeros + ".5e-100",
                                  "0." + zeros + "1e900", std::string("1e99999999999999999999")}) {
    INFO(text.substr(0, 5), " .. ", text.substr(text.size() - 5));
    double value = -77;
    CHECK_FALSE(parse_guarded(text, value));
    CHECK(value == -77);
  }
}

TEST_CASE("number: a long mantissa and a large exponent may still be a number in range") {
  const std::string zeros(500, '0');
  double value = 0;
  CHECK(parse_guarded("1" + zeros + "e-500", value));
  CHECK(value == 1);
  CHECK(parse_guarded("0." + zeros + "1e501", value));
  CHECK(value == 1);
  CHECK(parse_guarded("0e99999", value));
  CHECK(value == 0);
}

TEST_CASE("number: all else is refused, and the value left alone") {
  const std::string rows[] = {
      "",
      "+",
      "-",
      ".",
      "+.",
      "-.",
      "--5",
      "+-5",
      "-+5",
      "0x10",
      "0X1p3",
      "0xffp2",
      "0o17",
      "0b1",
      "1e400",
      "-1e400",
      "nan",
      "NaN",
      "-nan",
      "inf",
      "-inf",
      "+inf",
      "Infinity",
      "infinity",
      "1_000",
      "1,5",
      " 1",
      "1 ",
      "\t1",
      "1\n",
      "1\r",
      "1abc",
      "abc",
      "1e",
      "1e+",
      "1e-",
      "e5",
      ".e5",
      "1e1.5",
      "1.2.3",
      "12.89.23",
      "1%",
      "1-1",
      "1e5e5",
      "5..",
      "..5",
      "1:2",
      "1e 5",
      std::string("1\0", 2),
      std::string("\0", 1),
      "\xff",
      "\xc2\xb2",
      "nan(1)",
      "1" + std::string(400, '0'),
  };
  for (const std::string& text : rows) {
    CAPTURE(text);
    double value = -77;
    CHECK_FALSE(parse_guarded(text, value));
    CHECK(value == -77);
  }
}

TEST_CASE("number: the shortest form of any double reads back to the same double") {
  std::mt19937_64 random(2);
  for (int i = 0; i < 50'000; ++i) {
    const std::uint64_t bits = random();
    double number = 0;
    std::memcpy(&number, &bits, sizeof number);
    if (!std::isfinite(number)) continue;
    double value = 0;
    REQUIRE(parse_number(fmt::format("{}", number), value));
    REQUIRE(value == number);
  }
}

TEST_CASE("number: decimals of every length are rounded as strtod rounds them") {
  std::mt19937_64 random(3);
  for (int i = 0; i < 50'000; ++i) {
    std::string text = random() % 4 == 0 ? "-" : "";
    const std::size_t digits = 1 + random() % 24, point = random() % 30;
    for (std::size_t at = 0; at < digits; ++at) {
      if (at == point) text += '.';
      text += static_cast<char>('0' + random() % 10);
    }
    if (random() % 4 == 0) text += fmt::format("e{}", static_cast<int>(random() % 60) - 30);
    CAPTURE(text);
    REQUIRE(agrees_with_naive(text));
  }
}

TEST_CASE("number: any short text of number-like bytes is judged as the grammar judges it") {
  std::mt19937_64 random(4);
  constexpr std::string_view alphabet = "0123456789..+-eE xXnaif_,";
  for (int i = 0; i < 50'000; ++i) {
    std::string text;
    for (std::size_t length = random() % 8; length > 0; --length) {
      text += alphabet[random() % alphabet.size()];
    }
    CAPTURE(text);
    REQUIRE(agrees_with_naive(text));
  }
}

TEST_CASE("number: eight bytes at once are read as one by one, whatever stands behind them") {
  std::mt19937_64 random(3);
  static constexpr char bytes[] = "0123456789012345678901234567899.-+e :|\x2f\x3a\xb0\xff";
  std::size_t read = 0, refused = 0;
  for (int i = 0; i < 200'000; ++i) {
    const std::size_t size = 1 + random() % 8;
    std::string text(8, '0');
    // Of two in three the number is digits, perhaps with a point.
    const bool is_number = random() % 3 != 0;
    for (std::size_t at = 0; at < 8; ++at)
      text[at] = bytes[random() % (is_number && at < size ? 31 : sizeof bytes - 1)];
    if (is_number && random() % 2 == 0) text[random() % size] = '.';
    CAPTURE(text);
    CAPTURE(size);
    double expected = 0, value = 0;
    const bool is_read = parse_short_decimal({text.data(), size}, expected);
    REQUIRE(read_eight(text.data(), size, value) == is_read);
    if (is_read) REQUIRE(value == expected);
    ++(is_read ? read : refused);
  }
  CHECK(read > 50'000);
  CHECK(refused > 50'000);
}
