#include "tools/statsd_line.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tally/parse.hpp"

using namespace tally;

TEST_CASE(
    "statsd line: each kind is written in its type, and the parser reads back what was said") {
  struct Row {
    LineParts parts;
    std::string_view line;
    Kind kind;
  };
  const std::vector<Row> rows = {
      {{"counter", "a", "3", "", {}}, "a:3|c", Kind::counter},
      {{"gauge", "a.b", "-3", "", {"k:v"}}, "a.b:-3|g|#k:v", Kind::gauge},
      {{"timer", "a", "1.5", "0.1", {"k:v", "bare"}}, "a:1.5|ms|@0.1|#k:v,bare", Kind::timer},
      {{"histogram", "a", "1", "", {}}, "a:1|h", Kind::histogram},
      {{"distribution", "a", "1", "", {}}, "a:1|d", Kind::distribution},
      {{"set", "a", "x:y", "", {}}, "a:x:y|s", Kind::set},
  };
  for (const Row& row : rows) {
    CAPTURE(row.line);
    const Result<std::string> line = value_line(row.parts);
    REQUIRE(line);
    CHECK(line.value() == row.line);
    CHECK_FALSE(why_refused(line.value(), {}));
    Batch batch;
    parse_datagram(line.value(), {}, batch);
    REQUIRE(batch.samples.size() == 1);
    CHECK(batch.samples[0].kind == row.kind);
    CHECK(batch.samples[0].name == row.parts.name);
    CHECK(batch.tags.size() == row.parts.tags.size());
  }
}

TEST_CASE("statsd line: a part that holds a separator is an error, not another line") {
  const std::vector<LineParts> rows = {
      {"counter", "a:1|c\nb", "1", "", {}},    {"counter", "a|b", "1", "", {}},
      {"counter", "a\nb", "1", "", {}},        {"counter", "a", "1|c|@0.5", "", {}},
      {"counter", "a", "1\nb:2", "", {}},      {"counter", "a", "1", "1|#k:v", {}},
      {"counter", "a", "1", "", {"k:v,l:w"}},  {"counter", "a", "1", "", {"k:v|c:x"}},
      {"counter", "a", "1", "", {"k:v\nb:1"}}, {"meter", "a", "1", "", {}},
  };
  for (const LineParts& parts : rows) {
    CAPTURE(parts.name);
    CHECK_FALSE(value_line(parts));
  }
  CHECK(value_line(rows[6]).error().message ==
        "a tag cannot hold \",\", and this one does: \"k:v,l:w\"");
}

TEST_CASE("statsd line: an event says its lengths in bytes and keeps its line ends") {
  const std::string line = event_line("caf\u00e9", "one\ntwo|three", {"env:prod"}).value();
  CHECK(line == "_e{5,14}:caf\u00e9|one\\ntwo|three|#env:prod");
  CHECK_FALSE(why_refused(line, {}));
  Batch batch;
  parse_datagram(line, {}, batch);
  REQUIRE(batch.notices.size() == 1);
  CHECK(unescape_notice(batch.notices[0].text) == "one\ntwo|three");
  CHECK_FALSE(event_line("a", "b", {"k:v,w"}));
}

TEST_CASE("statsd line: what tallyd would refuse is refused with its reason and a caret") {
  CHECK(why_refused("a:one|c", {}) ==
        "refused, bad_value: the value is no finite decimal number\n"
        "  \"a:one|c\"\n"
        "     ^\n");
  CHECK(why_refused("tallyd.a:1|c", {})->starts_with("refused, reserved_name: "));
  Config config;
  config.parse.limits.name_bytes = 3;
  CHECK(why_refused("abcd:1|c", config)->find("more than 3 bytes") != std::string::npos);
  config.parse.dialects.dogstatsd = false;
  CHECK(why_refused("a:1|c|#k:v", config)->starts_with("refused, dialect_off: "));
}
