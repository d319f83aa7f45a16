#include "deliver/json.hpp"

#include <doctest/doctest.h>

using namespace tally;

namespace {

/// `path=text` of all values, separated by '|'; a string's text in quotes.
std::string shown(std::string_view text) {
  std::string out;
  for (const JsonValue& value : read_json(text).values) {
    if (!out.empty()) out += '|';
    out += value.path + '=' + (value.is_string ? '"' + value.text + '"' : value.text);
  }
  return out;
}

}  // namespace

TEST_CASE("json: every value is there with its path, in order") {
  CHECK(shown(R"({"error":"e","data":[{"line":2,"m":"x"},{"line":30}],"ok":true})") ==
        R"(error="e"|data[0].line=2|data[0].m="x"|data[1].line=30|ok=true)");
  CHECK(shown(" [ 1 , -2.5e+3,\tnull ,[ ],{ } ] ") == "[0]=1|[1]=-2.5e+3|[2]=null");
  CHECK(shown("\"alone\"") == "=\"alone\"");
  CHECK(shown("17") == "=17");
  CHECK(read_json(R"({"a":[1,{"b":"c"}]})").is_whole);
}

TEST_CASE("json: escapes are read, a lone surrogate becomes U+FFFD") {
  CHECK(shown(R"("a\"\\\/\b\f\n\r\tz")") == "=\"a\"\\/\b\f\n\r\tz\"");
  CHECK(shown(R"("\u003cb\u003E")") == "=\"<b>\"");
  CHECK(shown(R"("\u00e9\u20AC\ud83d\ude00")") == "=\"\u00e9\u20ac\U0001F600\"");
  CHECK(shown(R"("\ud83dx")") == "=\"\uFFFDx\"");
  CHECK(shown(R"("\ud83d\u0041")") == "=\"\uFFFDA\"");
  CHECK(shown(R"("\ude00")") == "=\"\uFFFD\"");
}

TEST_CASE("json: of a text that is cut short or breaks off, what was read is there") {
  struct Row {
    std::string_view text;
    std::string_view shown;
  };
  constexpr Row rows[] = {
      {R"({"error":"unable to pa)", R"(error="unable to pa")"},
      {R"({"error":"a\)", R"(error="a")"},
      {R"({"error":"a\u00)", R"(error="a")"},
      {R"({"error":"a\x")", R"(error="a")"},
      {R"({"a":1,"n":12)", "a=1"},  // might be 123
      {R"({"a":1,"n)", "a=1"},
      {R"({"a":1,)", "a=1"},
      {R"({"a":1 "b":2})", "a=1"},
      {R"({"a":<html>)", ""},
      {R"([1,2)", "[0]=1"},
      {"<html>", ""},
      {"", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(shown(row.text) == row.shown);
    CHECK(read_json(row.text).is_whole == false);
  }
  CHECK(read_json("{} trailing").is_whole == false);
}

TEST_CASE("json: what is nested without end is not followed without end") {
  CHECK(read_json(std::string(1'000'000, '[')).is_whole == false);
  CHECK(read_json(std::string(16, '[') + std::string(16, ']')).is_whole);
  CHECK(read_json(std::string(18, '[') + std::string(18, ']')).is_whole == false);
}

TEST_CASE("json: string_at finds strings only") {
  const Json json = read_json(R"({"a":1,"b":"x","b":"y"})");
  CHECK(string_at(json, "a").empty());
  CHECK(string_at(json, "b") == "x");
  CHECK(string_at(json, "c").empty());
}
