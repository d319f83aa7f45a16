#include "watch/json_writer.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <limits>
#include <optional>
#include <string>

#include "json_value.hpp"

using namespace tally;

namespace {

template <class Write>
std::string written(Write write) {
  std::string out;
  JsonWriter json(out);
  write(json);
  return out;
}

}  // namespace

TEST_CASE("json writer: commas stand between values, at every depth, and nowhere else") {
  CHECK(written([](JsonWriter& json) { json.object([] {}); }) == "{}");
  CHECK(written([](JsonWriter& json) { json.array([] {}); }) == "[]");
  const std::string text = written([](JsonWriter& json) {
    json.object([&] {
      json.member("a", 1);
      json.key("b").array([&] {
        json.value(1);
        json.array([] {});
        json.object([&] { json.member("c", "x"); });
        json.null();
        json.value("");
        json.value(true);
      });
      json.key("d").object([] {});
      json.key("e").raw("[1, 2]");
      json.member("f", false);
    });
  });
  CHECK(text == R"({"a":1,"b":[1,[],{"c":"x"},null,"",true],"d":{},"e":[1, 2],"f":false})");
}

TEST_CASE("json writer: text that ends like an opening is a value all the same") {
  CHECK(written([](JsonWriter& json) {
          json.array([&] {
            for (const char* text : {"{", "[", ":", ",", "\\", "\""}) json.value(text);
          });
        }) == R"(["{","[",":",",","\\","\""])");
}

TEST_CASE("json writer: numbers read back as they were, and what is none is null") {
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(written([&](JsonWriter& json) {
          json.array([&] {
            json.value(0.1);
            json.value(1e300);
            json.value(12.0);
            json.value(-5);
            json.value(std::numeric_limits<std::uint64_t>::max());
            json.value(infinity);
            json.value(-infinity);
            json.value(std::numeric_limits<double>::quiet_NaN());
          });
        }) == "[0.1,1e+300,12,-5,18446744073709551615,null,null,null]");
}

TEST_CASE("json writer: times are milliseconds, and what is not there is null") {
  CHECK(written([](JsonWriter& json) {
          json.array([&] {
            json.value(WallTime(std::chrono::milliseconds(1'700'000'000'123)));
            json.value(std::optional<WallTime>());
            json.value(std::optional<std::string>("x"));
            json.value(std::optional(0));
          });
        }) == R"([1700000000123,null,"x",0])");
}

TEST_CASE("json writer: any name and text is JSON") {
  std::string foreign;
  for (int byte = 0; byte < 256; ++byte) foreign += static_cast<char>(byte);
  const std::string text = written(
      [&](JsonWriter& json) { json.object([&] { json.member(foreign, foreign + "<img>"); }); });
  CHECK(testing::read_json(text));
}

TEST_CASE("json writer: writes behind what is there already") {
  std::string out = "data: ";
  JsonWriter json(out);
  json.object([&] { json.member("a", 1); });
  CHECK(out == R"(data: {"a":1})");
}
