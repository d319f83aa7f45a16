#include "tally/text.hpp"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <limits>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

/// The definition of RFC 3629, the slow way: decode, then look at the number.
bool is_valid_utf8_naive(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto byte = [&](std::size_t i) -> std::uint32_t {
      return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    const std::uint32_t lead = byte(at);
    const std::size_t bytes = lead < 0x80       ? 1
                              : lead >> 5 == 6  ? 2
                              : lead >> 4 == 14 ? 3
                              : lead >> 3 == 30 ? 4
                                                : 0;
    if (bytes == 0) return false;
    std::uint32_t code = bytes == 1 ? lead : lead & (0x7FU >> bytes);
    for (std::size_t i = 1; i < bytes; ++i) {
      if (byte(at + i) >> 6 != 2) return false;
      code = code << 6 | (byte(at + i) & 0x3F);
    }
    constexpr std::array<std::uint32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
    if (code < least[bytes] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return false;
    at += bytes;
  }
  return true;
}

std::string json(std::string_view text) {
  std::string out;
  tally::append_json_string(out, text);
  return out;
}

}  // namespace

TEST_CASE("text: UTF-8 is strict") {
  struct Row {
    const char* name;
    std::string_view text;
    bool valid;
  };
  const std::vector<Row> rows{
      {"empty", "", true},
      {"ASCII with a NUL", "a\0b"sv, true},
      {"long ASCII", "page.views.of.the.front.page", true},
      {"two, three and four bytes", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", true},
      {"bad byte behind a word of ASCII", "12345678\xFF", false},
      {"bad byte at the end of a word", "1234567\xFF", false},
      {"good character behind a word", "12345678\xC3\xA9", true},
      {"lone continuation", "\x80", false},
      {"overlong slash", "\xC0\xAF", false},
      {"overlong in three", "\xE0\x9F\xBF", false},
      {"overlong in four", "\xF0\x8F\xBF\xBF", false},
      {"surrogate", "\xED\xA0\x80", false},
      {"last before the surrogates", "\xED\x9F\xBF", true},
      {"U+FFFF", "\xEF\xBF\xBF", true},
      {"U+10FFFF", "\xF4\x8F\xBF\xBF", true},
      {"above U+10FFFF", "\xF4\x90\x80\x80", false},
      {"0xFF", "\xFF", false},
      {"cut after the first of two", "a\xC3", false},
      {"cut after the third of four", "\xF0\x9F\x98", false},
      {"second byte is ASCII", "\xC3(", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(tally::is_valid_utf8(row.text) == row.valid);
  }
}

TEST_CASE("text: UTF-8 of every three bytes is judged as the definition says") {
  // Every first and second byte, with third and fourth bytes at the edges of what is allowed.
  const std::string edges = "\x00\x41\x7F\x80\x8F\x90\x9F\xA0\xBF\xC0\xFF"s;
  std::size_t wrong = 0;
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      for (const char third : edges) {
        for (const char fourth : edges) {
          const std::string text{static_cast<char>(first), static_cast<char>(second), third,
                                 fourth};
          if (tally::is_valid_utf8(text) != is_valid_utf8_naive(text)) ++wrong;
          const std::size_t valid = tally::valid_utf8_bytes(text);
          if (!is_valid_utf8_naive(text.substr(0, valid))) ++wrong;
        }
      }
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("text: quote shows printable ASCII and hides all else") {
  CHECK(tally::quote("plain text") == R"("plain text")");
  CHECK(tally::quote("") == R"("")");
  CHECK(tally::quote(R"(say "a\b")") == R"("say \"a\\b\"")");
  CHECK(tally::quote("\x1B[2J\n\r\t\x7F\0"sv) == R"("\x1B[2J\x0A\x0D\x09\x7F\x00")");
  CHECK(tally::quote("\xC3\xA9\xFF") == R"("\xC3\xA9\xFF")");
}

TEST_CASE("text: printable hides the same, and leaves quotes as they are") {
  CHECK(tally::printable("a\x1B\"b") == R"(a\x1B"b)");
  CHECK(tally::printable(tally::quote("a\"b\n")) == tally::quote("a\"b\n"));
  CHECK(tally::printable("abcdefg", 6) == "abcdef and 1 more bytes");
}

TEST_CASE("text: quote is bounded and says what it left out") {
  CHECK(tally::quote("abcdef", 6) == R"("abcdef")");
  CHECK(tally::quote("abcdefg", 6) == R"("abcdef" and 1 more bytes)");
  CHECK(tally::quote(std::string(70'000, '\0')).size() < 900);
}

TEST_CASE("text: a JSON string is valid whatever it is made of") {
  CHECK(json("plain") == R"("plain")");
  CHECK(json("") == R"("")");
  CHECK(json("a\"b\\c\n\r\t") == R"("a\"b\\c\n\r\t")");
  CHECK(json("\x01\x1F\x7F\0"sv) == R"("\u0001\u001f\u007f\u0000")");
  CHECK(json("\xC3\xA9\xF0\x9F\x98\x80") == "\"\xC3\xA9\xF0\x9F\x98\x80\"");
}

TEST_CASE("text: in a JSON string what is not UTF-8 becomes U+FFFD") {
  CHECK(json("a\xFF") == "\"a\xEF\xBF\xBD\"");
  CHECK(json("\xC3") == "\"\xEF\xBF\xBD\"");
  CHECK(json("\xC3(") == "\"\xEF\xBF\xBD(\"");
  CHECK(json("\xED\xA0\x80") == "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

TEST_CASE("text: counts have their thousands apart") {
  CHECK(tally::with_commas(0) == "0");
  CHECK(tally::with_commas(999) == "999");
  CHECK(tally::with_commas(1'000) == "1,000");
  CHECK(tally::with_commas(1'234'567) == "1,234,567");
  CHECK(tally::with_commas(std::numeric_limits<std::uint64_t>::max()) ==
        "18,446,744,073,709,551,615");
}

TEST_CASE("text: a size is written in the largest unit that keeps it whole") {
  CHECK(tally::as_size(0) == "0");
  CHECK(tally::as_size(1) == "1B");
  CHECK(tally::as_size(1'500) == "1500B");
  CHECK(tally::as_size(1'024) == "1KiB");
  CHECK(tally::as_size(33'554'432) == "32MiB");
  CHECK(tally::as_size(std::uint64_t{1} << 30) == "1GiB");
  CHECK(tally::as_size(std::uint64_t{1} << 40) == "1024GiB");
}

TEST_CASE("text: for a reader sizes have three digits and times two units") {
  CHECK(tally::about_size(0) == "0B");
  CHECK(tally::about_size(999) == "999B");
  CHECK(tally::about_size(1'000) == "0.98KiB");
  CHECK(tally::about_size(1'500) == "1.46KiB");
  CHECK(tally::about_size(12'345'678) == "11.8MiB");
  CHECK(tally::about_size(851'443'712) == "812MiB");
  CHECK(tally::about_size(std::uint64_t{3} << 40) == "3.00TiB");
  CHECK(tally::about_size(std::uint64_t{5000} << 40) == "5000TiB");
  CHECK(tally::about_time(0s) == "0 s");
  CHECK(tally::about_time(99s) == "99 s");
  CHECK(tally::about_time(150s) == "2 min");
  CHECK(tally::about_time(540s) == "9 min");
  CHECK(tally::about_time(5'000s) == "1 h 23 min");
  CHECK(tally::about_time(26h) == "26 h 0 min");
}

TEST_CASE("text: the edit distance counts bytes put in, taken out and replaced") {
  CHECK(tally::edit_distance("", "") == 0);
  CHECK(tally::edit_distance("", "abc") == 3);
  CHECK(tally::edit_distance("abc", "") == 3);
  CHECK(tally::edit_distance("intervall", "interval") == 1);
  CHECK(tally::edit_distance("kitten", "sitting") == 3);
  CHECK(tally::edit_distance("sitting", "kitten") == 3);
}

TEST_CASE("text: nearest finds a slip and no strangers") {
  const std::array<std::string_view, 3> keys{"flush.interval", "flush.percentiles", "listen.udp"};
  CHECK(tally::nearest("flush.intervall", keys) == "flush.interval");
  CHECK(tally::nearest("listen.upd", keys) == "listen.udp");
  CHECK(tally::nearest("xyzzy", keys) == "");
}
