#include "tools/tap_text.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "config/reason_words.hpp"
#include "tally/text.hpp"

using namespace tally;

namespace {

std::string shown(const std::string& text) {
  const Json json = read_json(text);
  return tap_text(JsonView(json), "12:00:01.123", {});
}

}  // namespace

TEST_CASE("tap text: a line is time, sender and the line in quotes") {
  CHECK(shown(R"({"at":1,"sender":"127.0.0.1:4711","listener":"udp","line":"api.hits:1|c"})") ==
        "12:00:01.123 127.0.0.1:4711 \"api.hits:1|c\"\n");
}

TEST_CASE("tap text: a refused line has its reason in words, and a caret") {
  CHECK(shown(R"({"sender":"a","line":"page.views:one|c","reason":"bad_value","caret":11})") ==
        "12:00:01.123 a refused, bad_value: the value is no finite decimal number\n"
        "  \"page.views:one|c\"\n"
        "              ^\n");
}

TEST_CASE("tap text: what is no UTF-8 is shown by the bytes that were sent") {
  CHECK(
      shown(R"({"sender":"a","line":"x\ufffd:1|c","bytes":"78ff3a317c63","reason":"invalid_utf8",)"
            R"("caret":1})") ==
      "12:00:01.123 a refused, invalid_utf8: name, tags and set members must be valid UTF-8\n"
      "  \"x\\xFF:1|c\"\n"
      "    ^\n");
  for (const std::string bytes : {"7", "7g", "x"})
    CHECK(shown(R"({"sender":"a","line":"x","bytes":")" + bytes + "\"}") ==
          "12:00:01.123 a \"x\"\n");
}

TEST_CASE("tap text: a reason that this version does not know is shown as it is") {
  CHECK(shown(R"({"sender":"a","line":"x","reason":"too_\u001bodd","caret":99})") ==
        "12:00:01.123 a refused, too_\\x1Bodd\n"
        "  \"x\"\n"
        "    ^\n");
}

TEST_CASE("tap text: no byte of a sender, a line or a reason reaches the terminal as a control") {
  std::string hostile;
  for (int byte = 1; byte < 256; ++byte) append_json_string(hostile, std::string(1, char(byte)));
  std::erase(hostile, '"');
  for (const std::string reason : {"", ",\"reason\":\"bad_value\"", ",\"reason\":\"x\""}) {
    const std::string text =
        shown("{\"sender\":\"" + hostile + "\",\"line\":\"" + hostile + "\"" + reason + "}");
    CHECK(std::ranges::all_of(text, [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); }));
  }
}

TEST_CASE("reason words: every reason has its own words and is found by its name") {
  for (std::size_t i = 0; i < reason_count; ++i) {
    const auto reason = static_cast<Reason>(i);
    CHECK(parse_reason(to_string(reason)) == reason);
    CHECK_FALSE(in_words(reason, {}).empty());
  }
  CHECK_FALSE(parse_reason("nonsense"));
}
