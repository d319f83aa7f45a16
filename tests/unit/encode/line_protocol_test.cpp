#include <doctest/doctest.h>
#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>

#include "tally/encode.hpp"

using namespace tally;

namespace {

std::string number(double value) {
  std::string text;
  append_number(text, value);
  return text;
}

std::string measurement(std::string_view name) {
  std::string text;
  append_measurement(text, name);
  return text;
}

std::string key(std::string_view name) {
  std::string text;
  append_key(text, name);
  return text;
}

bool reads_back(double value) {
  const std::string text = number(value);
  double back = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), back);
  return error == std::errc{} && end == text.data() + text.size() &&
         std::bit_cast<std::uint64_t>(back) == std::bit_cast<std::uint64_t>(value);
}

}  // namespace

TEST_CASE("append_number: whole numbers are plain digits, others the shortest form") {
  struct Row {
    double value;
    const char* text;
  };
  const Row rows[] = {
      {0, "0"},
      {1, "1"},
      {-1, "-1"},
      {1'000'000, "1000000"},
      {-0.0, "-0"},
      {123456789, "123456789"},
      {9007199254740991, "9007199254740991"},
      {-9007199254740991, "-9007199254740991"},
      {9007199254740992, "9007199254740992"},
      {1e21, "1e+21"},
      {0.1, "0.1"},
      {0.30000000000000004, "0.30000000000000004"},
      {81.64965809277261, "81.64965809277261"},
      {-0.64, "-0.64"},
      {1e-07, "1e-07"},
      {-3.5e-07, "-3.5e-07"},
      {5e-324, "5e-324"},
      {1.7976931348623157e308, "1.7976931348623157e+308"},
  };
  for (const Row& row : rows) CHECK(number(row.value) == row.text);
}

TEST_CASE("append_number: every double reads back as itself") {
  std::mt19937_64 random(20240607);
  for (int i = 0; i < 200'000; ++i) {
    const double value = std::bit_cast<double>(random());
    if (std::isfinite(value)) REQUIRE(reads_back(value));
  }
  for (int power = 0; power < 63; ++power) {
    const double value = std::ldexp(1.0, power);
    CHECK(reads_back(value - 1));
    CHECK(reads_back(value));
    CHECK(reads_back(-value - 1));
  }
}

// Tenths are written by hand: beside them stand their neighbours, which are not tenths, and sizes
// on both sides of where that ends.
TEST_CASE("append_number: tenths, and what lies just beside them, in the shortest form") {
  std::mt19937_64 random(10);
  for (int i = 0; i < 200'000; ++i) {
    const auto tenths = static_cast<double>(random() >> (12 + random() % 52));
    for (const double sign : {1.0, -1.0}) {
      const double value = sign * tenths / 10;
      for (const double each :
           {std::nextafter(value, 0), value, std::nextafter(value, 2 * value)}) {
        if (each == std::trunc(each)) continue;
        REQUIRE(number(each) == fmt::format("{}", each));
      }
    }
  }
}

TEST_CASE("append_number: influxd's reader never meets a sign plus, a hex digit or a bare word") {
  std::mt19937_64 random(7);
  for (int i = 0; i < 50'000; ++i) {
    const double value = std::bit_cast<double>(random());
    if (!std::isfinite(value)) continue;
    const std::string text = number(value);
    CHECK(text.find_first_not_of("0123456789.e+-") == std::string::npos);
    CHECK(text.front() != '+');
    CHECK(text.front() != '.');
    CHECK(text.back() != '.');
  }
}

TEST_CASE("append_number: it appends") {
  std::string text = "value=";
  append_number(text, 12);
  append_number(text, 0.5);
  CHECK(text == "value=120.5");
}

TEST_CASE("append_measurement: comma and space are escaped, '=' is not") {
  CHECK(measurement("a.b") == "a.b");
  CHECK(measurement("a b") == "a\\ b");
  CHECK(measurement("a,evil=1") == "a\\,evil=1");
  CHECK(measurement(" a") == "\\ a");
  CHECK(measurement(",") == "\\,");
  CHECK(measurement("") == "");
  CHECK(measurement("\"cpu\"") == "\"cpu\"");
}

TEST_CASE("append_key: comma, '=' and space are escaped") {
  CHECK(key("region") == "region");
  CHECK(key("a=b") == "a\\=b");
  CHECK(key("x=y=z") == "x\\=y\\=z");
  CHECK(key(", =") == "\\,\\ \\=");
  CHECK(key("caf\xc3\xa9") == "caf\xc3\xa9");
}

TEST_CASE("percentile_field: p and the digits without their point") {
  struct Row {
    double percent;
    const char* field;
  };
  const Row rows[] = {{50, "p50"},        {5, "p5"},        {99, "p99"},   {99.9, "p999"},
                      {99.95, "p9995"},   {99.99, "p9999"}, {100, "p100"}, {0.5, "p05"},
                      {0.0001, "p00001"}, {33.3, "p333"}};
  for (const Row& row : rows) CHECK(percentile_field(row.percent) == row.field);
}
