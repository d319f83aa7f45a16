#include "watch/history_documents.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <limits>

using namespace std::chrono_literals;
using namespace tally;

namespace {

constexpr double nothing = std::numeric_limits<double>::quiet_NaN();
const WallTime noon{1'700'000'000'000ms};

HistoryRow hits() {
  return {.id = 0xabc,
          .series = {.kind = Kind::counter,
                     .name = "api.<hits>",
                     .tags = {{"env", "prod"}, {"zone", "\"a\""}}},
          .last = 12,
          .rate = 1.25,
          .last_seen = noon,
          .spark = {1, nothing, 3}};
}

}  // namespace

TEST_CASE("series: a list of rows, null where nothing was heard") {
  const History::Found found{.total = 100'000, .matched = 1234, .rows = {hits()}};
  CHECK(series_json(found) ==
        R"({"total":100000,"matched":1234,"series":[{"id":"0000000000000abc","name":"api.<hits>",)"
        R"("kind":"counter","tags":{"env":"prod","zone":"\"a\""},"last":12,"rate":1.25,)"
        R"("last_seen":1700000000000,"spark":[1,null,3]}]})");
  CHECK(series_json({}) == R"({"total":0,"matched":0,"series":[]})");
}

TEST_CASE("a series: its windows, fields, sender, time to live and lines") {
  HistoryDetail detail{
      .row = hits(),
      .windows = {noon, noon + 10s},
      .fields = {{"count", {12, nothing}}, {"rate", {1.2, nothing}}},
      .last_sender = Peer{.family = Peer::Family::v4, .ip = {127, 0, 0, 1}, .port = 9},
      .ttl = 3600s,
      .lines = {"a count=1 1", "a rate=2 1"}};
  CHECK(
      detail_json(detail) ==
      R"({"id":"0000000000000abc","name":"api.<hits>","kind":"counter","tags":{"env":"prod","zone":"\"a\""},)"
      R"("windows":[1700000000000,1700000010000],"fields":{"count":[12,null],"rate":[1.2,null]},)"
      R"("last":12,"rate":1.25,"last_seen":1700000000000,"last_sender":"127.0.0.1:9","ttl_ms":3600000,)"
      R"("line":"a count=1 1\na rate=2 1"})");
  detail.last_sender.reset();
  detail.ttl.reset();
  detail.lines.clear();
  CHECK(detail_json(detail).ends_with(R"("last_sender":null,"ttl_ms":null,"line":null})"));
}

TEST_CASE("top: rankings name their window, and there may be none yet") {
  CHECK(
      busiest_json({.total = 1, .matched = 1, .rows = {hits()}}, noon) ==
      R"({"by":"rate","window":1700000000000,"rows":[{"id":"0000000000000abc","name":"api.<hits>",)"
      R"("kind":"counter","tags":{"env":"prod","zone":"\"a\""},"value":1.25}]})");
  const std::vector<History::Ranked> rows = {{"api.*", 81'000, ""}, {"user_id", 2, "api.req"}};
  CHECK(ranking_json("tag", rows, {}) ==
        R"({"by":"tag","window":null,"rows":[{"name":"api.*","value":81000},)"
        R"({"name":"user_id","value":2,"example":"api.req"}]})");
}

TEST_CASE("ids: sixteen digits, and back") {
  for (const SeriesId id : {SeriesId{0}, SeriesId{1}, SeriesId{0x0123456789abcdef}, ~SeriesId{0}})
    CHECK(parse_id(id_text(id)) == id);
  for (const char* bad : {"", "1", "0123456789abcde", "0123456789abcdef0", "0123456789abcdeg",
                          "-123456789abcdef", "0x23456789abcdef", " 123456789abcdef"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_id(bad));
  }
}
