#include "receive/framing.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "naive_framing.hpp"

using namespace tally;
using namespace tally::testing;
using namespace std::string_literals;

namespace {

using Lengths = Framing::Lengths;
using Verdict = Framing::Verdict;

constexpr std::size_t most = Framing::line_bytes_max;

/// Writes down what it is told, as it is told.
struct Heard final : FramingSink {
  void on_text(std::string_view text) override { texts.emplace_back(text); }
  void on_refused(Reason reason, std::string_view start) override {
    refused.emplace_back(std::string(to_string(reason)) + " " + std::string(start));
  }
  std::vector<std::string> texts;
  std::vector<std::string> refused;
};

std::string frame(const std::string& content) {
  std::string bytes;
  for (std::size_t shift = 0; shift < 32; shift += 8) {
    bytes += static_cast<char>(content.size() >> shift);
  }
  return bytes + content;
}

std::vector<std::string_view> pieces_of(std::string_view stream, std::size_t bytes) {
  std::vector<std::string_view> pieces;
  for (; !stream.empty(); stream.remove_prefix(std::min(bytes, stream.size()))) {
    pieces.push_back(stream.substr(0, bytes));
  }
  return pieces;
}

std::string line(const std::string& text) {
  return "line " + text + "\n";
}

std::string refused(Reason reason, const std::string& start) {
  return std::string(to_string(reason)) + " " + start + "\n";
}

struct Row {
  const char* name;
  Lengths lengths;
  std::string stream;
  std::string told;
  Verdict verdict = Verdict::go_on;
};

const Row rows[] = {
    {"nothing", Lengths::none, "", ""},
    {"two lines", Lengths::none, "a:1|c\nb:2|c\n", line("a:1|c") + line("b:2|c")},
    {"no end at the end", Lengths::none, "a:1|c\nb:2|c", line("a:1|c") + line("b:2|c")},
    {"carriage returns stay", Lengths::none, "a:1|c\r\nb:2|c", line("a:1|c\r") + line("b:2|c")},
    {"empty lines", Lengths::none, "\n\n\na:1|c\n\n", line("a:1|c")},
    {"empty lines on a Unix socket", Lengths::detected, "\n\n\n\na:1|c\n", line("a:1|c")},
    {"lines on a Unix socket", Lengths::detected, "a:1|c\nb:2|c\n", line("a:1|c") + line("b:2|c")},
    {"three bytes on a Unix socket", Lengths::detected, "a:1", line("a:1")},
    {"a zero byte in a line", Lengths::none, "abc\0:1|c\n"s, line("abc\0:1|c"s)},
    {"one frame", Lengths::detected, frame("a:1|c"), line("a:1|c")},
    {"frames", Lengths::detected, frame("a:1|c") + frame("b:2|c"), line("a:1|c") + line("b:2|c")},
    {"several lines a frame", Lengths::detected, frame("a:1|c\nb:2|c\n") + frame("c:3|c"),
     line("a:1|c") + line("b:2|c") + line("c:3|c")},
    {"a frame of ten bytes begins as an empty line does", Lengths::detected, frame("abcde:12|c"),
     line("abcde:12|c")},
    {"an empty frame is nothing", Lengths::detected, frame("") + frame("a:1|c") + frame(""),
     line("a:1|c")},
    {"no lengths on TCP", Lengths::none, "\x05\0\0\0a:1|c\n"s, line("\x05\0\0\0a:1|c"s)},
    {"a frame that ends early", Lengths::detected, frame("a:1|c") + "\x05\0\0\0b:2"s,
     line("a:1|c") + refused(Reason::truncated, "b:2")},
    {"a frame of which the length is there", Lengths::detected, "\x05\0\0\0"s,
     refused(Reason::truncated, "")},
    {"a length that ends early", Lengths::detected, frame("a:1|c") + "\x05\0"s,
     line("a:1|c") + refused(Reason::truncated, "\x05\0"s)},
    {"a length over the limit", Lengths::detected, frame("a:1|c") + "\x01\0\x01\0bcdefgh"s,
     line("a:1|c") + refused(Reason::line_too_long, "\x01\0\x01\0"s), Verdict::broken},
    {"a first length over the limit", Lengths::detected, "\x01\0\x01\0bcdefgh"s,
     refused(Reason::line_too_long, "\x01\0\x01\0"s), Verdict::broken},
    {"a length beyond 16 MiB, when frames are spoken", Lengths::detected,
     frame("a:1|c") + "abcdefgh", line("a:1|c") + refused(Reason::line_too_long, "abcd"),
     Verdict::broken},
    {"the longest frame", Lengths::detected, frame(std::string(most, 'x')) + frame("a:1|c"),
     line(std::string(most, 'x')) + line("a:1|c")},
    {"the longest line", Lengths::none, std::string(most, 'x') + "\na:1|c\n",
     line(std::string(most, 'x')) + line("a:1|c")},
    {"the longest line at the end", Lengths::none, "a:1|c\n" + std::string(most, 'x'),
     line("a:1|c") + line(std::string(most, 'x'))},
    {"a line of one byte more is refused, and the next is fine", Lengths::none,
     "a:1|c\n" + std::string(most + 1, 'x') + "\nb:2|c\n",
     line("a:1|c") + refused(Reason::line_too_long, std::string(256, 'x')) + line("b:2|c")},
    {"a line of many times that is refused once", Lengths::none,
     std::string(5 * most, 'x') + "\nb:2|c\n" + std::string(3 * most, 'y'),
     refused(Reason::line_too_long, std::string(256, 'x')) + line("b:2|c") +
         refused(Reason::line_too_long, std::string(256, 'y'))},
    {"many lines that are together over the limit", Lengths::none,
     std::string(most - 1, 'x') + "\n" + std::string(most - 1, 'y') + "\n",
     line(std::string(most - 1, 'x')) + line(std::string(most - 1, 'y'))},
};

/// `name` and what the connection's first bytes are.
struct Hello {
  const char* name;
  std::string stream;
  bool is_hello;
};

const Hello hellos[] = {
    {"GET", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
    {"a POST whose body holds lines", "POST / HTTP/1.1\r\n\r\na:1|c\nb:1|c\n", true},
    {"PUT", "PUT /x", true},
    {"HEAD", "HEAD /x", true},
    {"DELETE", "DELETE /x", true},
    {"OPTIONS", "OPTIONS * HTTP/1.1", true},
    {"PATCH", "PATCH /x", true},
    {"CONNECT", "CONNECT x:1", true},
    {"TRACE", "TRACE /x", true},
    {"HTTP/2 without TLS", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", true},
    {"TLS 1.0", "\x16\x03\x01\x02\x00\x01"s, true},
    {"TLS 1.2 record", "\x16\x03\x03\x02\x00\x01"s, true},
    {"a TLS hello of less than 256 bytes", "\x16\x03\x01\0\xf0\x01"s, true},
    {"a metric called GET", "GET:1|c\n", false},
    {"a metric called GETS", "GETS:1|c\n", false},
    {"a metric called POST.requests", "POST.requests:1|c\n", false},
    {"a metric called PRI", "PRI:1|c\n", false},
    {"a metric called OPTIONS.x", "OPTIONS.x:1|c\n", false},
    {"lower case", "get :1|c\n", false},
    {"the word alone", "GET", false},
    {"the word and a line end", "GET\n/ HTTP/1.1\n", false},
    {"not as the first bytes", "a:1|c\nGET / HTTP/1.1\n", false},
    {"SSL 3", "\x16\x03\x00|c\n"s, false},
};

}  // namespace

TEST_CASE("framing: a stream gives its lines and refusals, whatever pieces it comes in") {
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const FramingOutcome expected{.told = row.told, .verdict = row.verdict};
    CHECK(naive_framing(row.stream, row.lengths) == expected);
    // A guarded copy a piece costs a system call: small pieces for short streams only.
    const bool is_short = row.stream.size() < 1000;
    for (const std::size_t bytes :
         {1U, 2U, 3U, 4U, 5U, 7U, 1000U, 40'000U, 65'536U, 65'537U, 1'000'000U}) {
      if (bytes < 1000 && !is_short) continue;
      CAPTURE(bytes);
      CHECK((framing_of(pieces_of(row.stream, bytes), row.lengths) == expected));
    }
  }
}

TEST_CASE("framing: HTTP and TLS are told from metrics by a connection's first bytes") {
  for (const Hello& hello : hellos) {
    for (const Lengths lengths : {Lengths::none, Lengths::detected}) {
      for (const std::size_t bytes : {1U, 2U, 3U, 1000U}) {
        CAPTURE(hello.name);
        CAPTURE(bytes);
        const FramingOutcome outcome = framing_of(pieces_of(hello.stream, bytes), lengths);
        CHECK((outcome.verdict == Verdict::not_statsd) == hello.is_hello);
        CHECK(outcome.told.empty() == hello.is_hello);
      }
    }
  }
}

TEST_CASE("framing: whole lines of one piece are handed on at once and without a copy") {
  Framing framing(Lengths::none);
  Heard heard;
  CHECK(framing.feed("a:1|c\nb:2|c\nc:3", heard) == Verdict::go_on);
  CHECK(heard.texts == std::vector<std::string>{"a:1|c\nb:2|c"});
  CHECK(framing.pending() == "c:3");
}

TEST_CASE("framing: memory is held for an unfinished line only, and given back with it") {
  Framing framing(Lengths::none);
  Heard heard;
  CHECK(framing.bytes_held() == 0);
  const std::string half(most / 2, 'x');
  framing.feed(half, heard);
  CHECK(framing.bytes_held() >= half.size());
  CHECK(framing.bytes_held() <= most);
  framing.feed("\n", heard);
  CHECK(framing.bytes_held() == 0);
  framing.feed(half, heard);
  framing.feed(half, heard);
  framing.feed("x", heard);  // now it is too long
  CHECK(framing.bytes_held() == 0);
  CHECK(heard.refused == std::vector<std::string>{"line_too_long " + std::string(256, 'x')});
}

TEST_CASE("framing: a pending line can be taken as it stands, and the next starts anew") {
  Framing framing(Lengths::none);
  Heard heard;
  framing.feed("a:1|c\nb:2|c", heard);
  CHECK(framing.pending() == "b:2|c");
  framing.flush_pending(heard);
  CHECK(framing.pending().empty());
  framing.feed("\nc:3|c\n", heard);
  framing.flush_pending(heard);
  framing.finish(heard);
  CHECK(heard.texts == std::vector<std::string>{"a:1|c", "b:2|c", "\nc:3|c"});
}

TEST_CASE("framing: nothing is pending while it is open what the stream is, nor inside a frame") {
  struct PendingRow {
    const char* name;
    Lengths lengths;
    std::string stream;
    std::string pending;
  };
  const PendingRow pending_rows[] = {
      {"may become GET", Lengths::none, "GET", ""},
      {"may become a TLS hello", Lengths::none, "\x16\x03", ""},
      {"may become a length", Lengths::detected, "a:1", ""},
      {"a line on a Unix socket", Lengths::detected, "a:1|", "a:1|"},
      {"a line on TCP", Lengths::none, "a:1", "a:1"},
      {"inside a frame", Lengths::detected, "\x05\0\0\0a:1|"s, ""},
      {"inside a length", Lengths::detected, frame("a:1|c") + "\x05", ""},
      {"inside a line that is too long", Lengths::none, std::string(most + 1, 'x'), ""},
  };
  for (const PendingRow& row : pending_rows) {
    CAPTURE(row.name);
    Framing framing(row.lengths);
    Heard heard;
    framing.feed(row.stream, heard);
    const std::size_t texts = heard.texts.size();
    CHECK(framing.pending() == row.pending);
    framing.flush_pending(heard);
    CHECK(heard.texts.size() - texts == (row.pending.empty() ? 0 : 1));
  }
}
