#include "watch/tap_lines.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace tally;
using namespace std::chrono_literals;

namespace {

const Peer sender{.family = Peer::Family::v4, .ip = {127, 0, 0, 1}, .port = 4711};

Tapped piece_of(std::string_view bytes, bool is_truncated = false) {
  return {.at = WallTime(5ms),
          .listener = 0,
          .peer = sender,
          .is_truncated = is_truncated,
          .bytes = bytes};
}

/// The lines that a filter lets through, a '!' in front of refused ones.
std::string read(const TapFilter& filter, const Tapped& piece) {
  TapLines lines(filter, {});
  std::string out;
  for (const TapLine& line : lines.read(piece))
    out += (line.reason ? "!" : "") + std::string(line.text) + " ";
  return out;
}

constexpr std::string_view mixed = "api.a:1|c\nbad:x|c\napi.b:2:3|ms|#k:v\n\n_e{1,1}:t|x\napi.c\n";

}  // namespace

TEST_CASE("tap: all lines in their order, taken and refused") {
  CHECK(read({}, piece_of(mixed)) == "api.a:1|c !bad:x|c api.b:2:3|ms|#k:v _e{1,1}:t|x !api.c ");
  CHECK(read({}, piece_of("")).empty());
}

TEST_CASE("tap: a filter is on the name, by a glob or a part of it") {
  struct Row {
    const char* match;
    const char* lines;
  };
  const Row rows[] = {{"api.*", "api.a:1|c api.b:2:3|ms|#k:v !api.c "},
                      {"api", "api.a:1|c api.b:2:3|ms|#k:v !api.c "},
                      {"api.?", "api.a:1|c api.b:2:3|ms|#k:v !api.c "},
                      {"*a", "api.a:1|c "},
                      {"bad", "!bad:x|c "},
                      {"x", ""},  // that is its value
                      {"*", "api.a:1|c !bad:x|c api.b:2:3|ms|#k:v _e{1,1}:t|x !api.c "},
                      {"api.", "api.a:1|c api.b:2:3|ms|#k:v !api.c "},
                      {"t", "_e{1,1}:t|x "}};
  for (const Row& row : rows) {
    CAPTURE(row.match);
    CHECK(read({.match = row.match}, piece_of(mixed)) == row.lines);
  }
}

TEST_CASE("tap: only refused ones, and only of one sender") {
  CHECK(read({.only_refused = true}, piece_of(mixed)) == "!bad:x|c !api.c ");
  CHECK(read({.sender = "127.0.0.1"}, piece_of("a:1|c")) == "a:1|c ");
  CHECK(read({.sender = ":4711"}, piece_of("a:1|c")) == "a:1|c ");
  CHECK(read({.sender = "127.0.0.2"}, piece_of("a:1|c")).empty());
}

TEST_CASE("tap: the end of a datagram that was cut off is no line") {
  CHECK(read({}, piece_of("a:1|c\nb:1|c", true)) == "a:1|c !b:1|c ");
  CHECK(read({}, piece_of("b:1|c", true)) == "!b:1|c ");
  CHECK(read({}, piece_of("a:1|c\n", true)) == "a:1|c ");
  TapLines lines({}, {});
  CHECK(lines.read(piece_of("b:1", true)).at(0).reason == Reason::truncated);
  CHECK(lines.read(piece_of("b:1|c")).size() == 1);  // nothing of it is left over
  CHECK_FALSE(lines.read(piece_of("b:1|c")).at(0).reason);
}

TEST_CASE("tap: the daemon's own rules decide what is refused") {
  ParseRules rules;
  rules.dialects.influx = false;
  rules.limits.name_bytes = 16;
  TapLines lines({}, rules);
  CHECK(lines.read(piece_of("a_name_that_is_too_long:1|c")).at(0).reason == Reason::name_too_long);
}

TEST_CASE("tap: the texts of its events") {
  const Tapped piece = piece_of("a:\x01|c");
  CHECK(
      tap_line_json({.text = piece.bytes}, piece, "udp 127.0.0.1:8125") ==
      R"({"at":5,"sender":"127.0.0.1:4711","listener":"udp 127.0.0.1:8125","line":"a:\u0001|c"})");
  CHECK(
      tap_line_json({.text = "a:x", .reason = Reason::bad_value, .caret = 2}, piece, "l") ==
      R"({"at":5,"sender":"127.0.0.1:4711","listener":"l","line":"a:x","reason":"bad_value","caret":2})");
  CHECK(tap_line_json({.text = "\xff:x", .reason = Reason::invalid_utf8, .caret = 0}, piece, "l") ==
        "{\"at\":5,\"sender\":\"127.0.0.1:4711\",\"listener\":\"l\",\"line\":\"\xEF\xBF\xBD:x\","
        "\"bytes\":\"ff3a78\",\"reason\":\"invalid_utf8\",\"caret\":0}");
  const std::string large(10'000, 'x');
  const std::string text =
      tap_line_json({.text = large, .reason = Reason::truncated, .caret = 9000}, piece, "l");
  CHECK(text.size() < 4300);
  CHECK(text.ends_with(R"(x","reason":"truncated","caret":4096})"));
  CHECK(tap_skipped_json(123) == R"({"datagrams":123})");
}
