#include "daemon/explain.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

using namespace tally;

namespace {

// 2023-11-14 22:13:27.5 UTC: in the ten-second window of 1700000000.
constexpr WallTime now{std::chrono::milliseconds(1'700'000'007'500)};

std::string text_of(std::string_view datagram, const Config& config = {},
                    const std::vector<StaticTag>& tags = {{"host", "web1"}}) {
  return Explainer(config, tags).text(datagram, now);
}

std::string json_of(std::string_view datagram) {
  static const Config config;
  return Explainer(config, {}).json(datagram, now);
}

/// Without the points, which other rows look at.
std::string samples_of(std::string_view datagram) {
  const std::string json = json_of(datagram);
  return json.substr(0, json.find(",\"points\":"));
}

}  // namespace

TEST_CASE("explain: for people") {
  CHECK(text_of("page.views:3|c|@0.1|#env:prod,urgent") ==
        R"(counter "page.views" = 3, sample rate 0.1: stands for 10, tags "env"="prod" "urgent"
written:
  page.views.count,env=prod,host=web1,urgent=true count=30,rate=3 1700000000
)");
  CHECK(text_of("temp:-3|g\nusers:ann|s") == R"(gauge "temp" moves by -3
set "users" holds "ann"
written:
  temp.gauge,host=web1 value=-3 1700000000
  users.set,host=web1 count=1 1700000000
)");
  CHECK(text_of("page.views:abc|c\ngood:1|c") == R"(counter "good" = 1
refused, bad_value: the value is no finite decimal number
  "page.views:abc|c"
              ^
written:
  good.count,host=web1 count=1,rate=0.1 1700000000
)");
  CHECK(text_of("") == "an empty datagram: nothing is counted, nothing is refused\n");
  CHECK(text_of("\n\n") == text_of(""));
}

TEST_CASE("explain: the config's interval, percentiles, prefix, tags and limits count") {
  Config config;
  config.flush.interval = std::chrono::milliseconds(500);
  config.flush.percentiles = {50, 99.9};
  config.output.prefix = "web.";
  config.parse.limits.name_bytes = 16;
  CHECK(text_of("t:5|ms", config, {}) == R"(timer "t" = 5
written:
  web.t.timer count=1,mean=5,min=5,max=5,sum=5,stddev=0,p50=5,p999=5 1700000007500
)");
  CHECK(text_of("abcdefghijklmnopq:1|c", config, {})
            .starts_with(
                "refused, name_too_long: the name has more than 16 bytes (limits.name_bytes)\n"));
}

TEST_CASE("explain: points are shown in the names that are configured") {
  Config config;
  config.flush.percentiles = {90};
  config.output.naming = Profile::gostatsd;
  const std::string gostatsd = text_of("t:5|ms", config, {});
  CHECK(gostatsd.find("  t lower=5,upper=5,count=1,rate=0.1,mean=5,median=5,stddev=0,sum=5,"
                      "sum_squares=25,count_90=1,mean_90=5,upper_90=5,sum_90=5,sum_squares_90=25 "
                      "1700000000\n") != std::string::npos);
  config.output.naming = Profile::native;
  config.output.measurement = MeasurementPer::type;
  CHECK(text_of("a.b:1|c", config, {}).find("  counter,metric=a.b count=1,rate=0.1 1700000000\n") !=
        std::string::npos);
}

TEST_CASE("explain: a sender's own time is told, and decides the point as in the daemon") {
  // Of the open window: its point is the window's.
  CHECK(text_of("a:2|c|T1700000005|#k:v", {}, {}) ==
        R"(counter "a" = 2, at 2023-11-14 22:13:25 UTC by its own clock, tags "k"="v"
written:
  a.count,k=v count=2,rate=0.2 1700000000
)");
  // Before it: a point of its own, in that second.
  const std::string late = text_of("a:2|c|T1699999990", {}, {});
  CHECK(late.starts_with("counter \"a\" = 2, at 2023-11-14 22:13:10 UTC by its own clock\n"));
  CHECK(late.find(" 1699999990") != std::string::npos);
  CHECK(late.find(" 1700000000") == std::string::npos);
  CHECK(text_of("a:+2|g|T1699999990", {}, {}).starts_with("gauge \"a\" moves by 2\n"));
  CHECK(text_of("a:2|c|T0", {}, {}).starts_with("counter \"a\" = 2\n"));
}

TEST_CASE("explain: why a line is refused stands in words, by the config's rules") {
  Config config;
  config.parse.dialects.dogstatsd = false;
  CHECK(text_of("a:1|c|#k:v", config, {}) ==
        R"(refused, dialect_off: it needs a dialect that is switched off ([dialects])
  "a:1|c|#k:v"
         ^
)");
  CHECK(text_of("a:1|c|T1.5", {}, {}).starts_with("refused, bad_timestamp: behind |T there"));
}

TEST_CASE("explain: a time that is too far off is shown, with the word that it is not used") {
  const std::string off = ", which is too far off to be used (limits.lateness)\n";
  CHECK(text_of("a:1|c|T1699990000", {}, {}).find("by its own clock" + off) != std::string::npos);
  CHECK(text_of("a:1|c|T1700000068", {}, {}).find("by its own clock" + off) != std::string::npos);
  CHECK(text_of("a:1|c|T1700000067", {}, {}).find("by its own clock\n") != std::string::npos);
  CHECK(text_of("a:1|c|T999999999999999999", {}, {})
            .starts_with("counter \"a\" = 1, its own time is no time in seconds"));
}

TEST_CASE("explain: names.sanitize and names.signed_gauges show in what would be written") {
  Config config;
  config.parse.sanitize = Sanitize::etsy;
  config.parse.signed_gauges = SignedGauges::absolute;
  CHECK(text_of("room 1/temp:-3|g", config, {}) == R"(gauge "room_1-temp" = -3
written:
  room_1-temp.gauge value=-3 1700000000
)");
}

TEST_CASE("explain: the caret stands under the byte, also behind escapes and in long lines") {
  const auto caret_line = [](const std::string& text) {
    const std::size_t end = text.rfind('\n', text.size() - 2);
    const std::size_t begin = text.rfind('\n', end - 1);
    const std::string shown = text.substr(begin + 1, end - begin - 1);
    const std::string caret = text.substr(end + 1);
    return shown.substr(caret.find('^'));
  };
  CHECK(caret_line(text_of("a\x01\"b:x|c")).starts_with("x|c"));
  CHECK(caret_line(text_of(std::string(300, 'n') + ":x|c")) == "x|c\"");
  CHECK(caret_line(text_of("n:x" + std::string(300, 'y') + "|c")).ends_with("yyy\".."));
}

TEST_CASE("explain: foreign bytes reach a terminal only as escapes") {
  const std::string text = text_of("a\x1b[2J:1|c|#k:\x1b[3J\nb:\x1b|c\ns:\x1b|s");
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(text.find("\\x1B") != std::string::npos);
}

TEST_CASE("explain: a line that the table refuses is refused, not half taken") {
  const std::string json = json_of("a:1e308|c\nx:1|c\na:1e308|c\nb");
  CHECK(
      json ==
      R"({"samples":[{"kind":"counter","name":"a","value":1e+308,"tags":{}},)"
      R"({"kind":"counter","name":"x","value":1,"tags":{}}],)"
      R"("refused":[{"line":"a:1e308|c","reason":"overflow"},{"line":"b","reason":"missing_value"}],)"
      R"("points":["a.count count=1e+308,rate=1e+307 1700000000","x.count count=1,rate=0.1 1700000000"]})");
}

TEST_CASE("explain: JSON has each kind's own keys") {
  struct Row {
    std::string_view name;
    std::string_view datagram;
    std::string_view sample;
  };
  const std::vector<Row> rows = {
      {"counter", "a.b:3|c|@0.1|#k:v",
       R"({"kind":"counter","name":"a.b","value":3,"rate":0.1,"tags":{"k":"v"}})"},
      {"rate 1 is left out", "a:3|c|@1", R"({"kind":"counter","name":"a","value":3,"tags":{}})"},
      {"gauge", "g:-0.5|g", R"({"kind":"gauge","name":"g","value":-0.5,"delta":true,"tags":{}})"},
      {"gauge set", "g:0.5|g",
       R"({"kind":"gauge","name":"g","value":0.5,"delta":false,"tags":{}})"},
      {"timer", "t:1e3|ms", R"({"kind":"timer","name":"t","value":1000,"tags":{}})"},
      {"histogram", "h:2|h", R"({"kind":"histogram","name":"h","value":2,"tags":{}})"},
      {"distribution", "d:2|d", R"({"kind":"distribution","name":"d","value":2,"tags":{}})"},
      {"set", "s:a b\"|s", R"({"kind":"set","name":"s","member":"a b\"","tags":{}})"},
      {"a time of its own", "a:3|c|@0.5|T1699999990",
       R"({"kind":"counter","name":"a","value":3,"rate":0.5,"time":1699999990,"tags":{}})"},
      {"a time in the open window", "s:x|s|T1700000005",
       R"({"kind":"set","name":"s","member":"x","time":1700000005,"tags":{}})"},
      {"time 0 is none", "a:3|c|T0", R"({"kind":"counter","name":"a","value":3,"tags":{}})"},
      {"value-less tag", "a:1|c|#x",
       R"({"kind":"counter","name":"a","value":1,"tags":{"x":true}})"},
      {"empty value", "a:1|c|#x:", R"({"kind":"counter","name":"a","value":1,"tags":{"x":""}})"},
      {"duplicate tag, last wins", "a:1|c|#x:1,y:2,x:3",
       R"({"kind":"counter","name":"a","value":1,"tags":{"y":"2","x":"3"}})"},
      {"tag without a key", "a:1|c|#:1,y:2",
       R"({"kind":"counter","name":"a","value":1,"tags":{"y":"2"}})"},
      {"UTF-8",
       "gr\xc3\xb6\xc3\x9f"
       "e:1|c",
       "{\"kind\":\"counter\",\"name\":\"gr\xc3\xb6\xc3\x9f"
       "e\",\"value\":1,\"tags\":{}}"},
      {"shortest number", "a:0.30000000000000004|c",
       R"({"kind":"counter","name":"a","value":0.30000000000000004,"tags":{}})"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(samples_of(row.datagram) ==
          "{\"samples\":[" + std::string(row.sample) + "],\"refused\":[]");
  }
  CHECK(json_of("") == R"({"samples":[],"refused":[],"points":[]})");
  CHECK(
      samples_of("\xff:1|c") ==
      "{\"samples\":[],\"refused\":[{\"line\":\"\xEF\xBF\xBD:1|c\",\"reason\":\"invalid_utf8\"}]");
}

TEST_CASE("explain: one datagram leaves nothing behind for the next") {
  const Config config;
  Explainer explainer(config, {});
  const std::string first = explainer.json("g:5|g\nc:1|c\nbad", now);
  CHECK(explainer.json("g:+1|g", now) ==
        R"({"samples":[{"kind":"gauge","name":"g","value":1,"delta":true,"tags":{}}],"refused":[],)"
        R"("points":["g.gauge value=1 1700000000"]})");
  CHECK(explainer.json("g:5|g\nc:1|c\nbad", now) == first);
}

TEST_CASE("unescape: known escapes become bytes, all else is itself") {
  struct Row {
    std::string_view text, expected;
  };
  const std::vector<Row> rows = {
      {"", ""},
      {"a:1|c", "a:1|c"},
      {R"(a\nb\tc\rd\\e)", "a\nb\tc\rd\\e"},
      {R"(\x41\xff\x0a)", "A\xff\n"},
      {R"(\x0G\x4\x)", R"(\x0G\x4\x)"},
      {R"(\q\)", R"(\q\)"},
      {R"(\\n)", R"(\n)"},
      {R"(\x+1\x 1\x-1)", R"(\x+1\x 1\x-1)"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(unescape(row.text) == row.expected);
  }
  CHECK(unescape("\\x00") == std::string(1, '\0'));
}

TEST_CASE("explain -: one object a line, in order, each line on its own") {
  std::istringstream in("a:1|c\\nb:2|c\n\nc:x|c\nlast:1|c");
  std::ostringstream out;
  CHECK(run_explain(Config{}, "-", true, in, out) == 0);
  std::istringstream lines(out.str());
  std::vector<std::string> got;
  for (std::string line; std::getline(lines, line);) got.push_back(line);
  REQUIRE(got.size() == 4);
  CHECK(got[0].find("\"name\":\"b\"") != std::string::npos);
  CHECK(got[1] == R"({"samples":[],"refused":[],"points":[]})");
  CHECK(got[2].find("bad_value") != std::string::npos);
  CHECK(got[3].find("\"name\":\"last\"") != std::string::npos);
}

TEST_CASE("explain: refused lines are no failure, an output that takes no more is") {
  std::istringstream in;
  std::ostringstream out;
  CHECK(run_explain(Config{}, "nonsense", false, in, out) == 0);
  std::ostringstream broken;
  broken.setstate(std::ios::badbit);
  CHECK(run_explain(Config{}, "a:1|c", false, in, broken) == 1);
}
