#include "tools/top_view.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tally/text.hpp"
#include "tools/columns.hpp"

using namespace tally;

namespace {

const std::string ledger =
    R"({"now":1700000000123,"version":"0.1.0","host":"web1","uptime_s":11520,"interval_ms":10000,
"window":{"start":1,"series":12345},"lost":0,
"datagrams":{"received":100,"dropped_by_kernel":0,"denied":0},"lines":{"seen":200,"refused":0},
"points":{"flushed":1152,"dropped":0},"windows":{"closed":1},
"destinations":[{"name":"127.0.0.1:8086","state":"ok","server":"InfluxDB 1.6.7","last_answer":"204",
"queued":0,"spooled":0},{"name":"far","state":"failing","server":null,
"last_answer":"nothing answers at http://far:8086: connection refused","queued":5000,"spooled":123456}]})";

const std::string series =
    R"({"total":100000,"matched":1234,"series":[
{"id":"1","name":"api.hits","kind":"counter","tags":{"env":"prod","region":"eu"},"last":12345,
"rate":1234.5,"spark":[null,0,1,2,3,4,5,6,7]},
{"id":"2","name":"api.time","kind":"timer","tags":{},"last":0.25,"rate":0.1,"spark":[]}]})";

TopState state_of(const std::string& ledger_text, const std::string& table, TopTab by) {
  TopState state;
  state.by = by;
  state.clock = "12:00:01";
  const Json summary = read_json(ledger_text), answer = read_json(table);
  REQUIRE(summary.is_whole);
  REQUIRE(answer.is_whole);
  take_summary(state, read_top_summary(JsonView(summary)));
  state.table = read_top_table(JsonView(answer), by);
  return state;
}

std::string shown(const TopState& state, const Screen& screen) {
  std::string text;
  for (const std::string& line : render(state, screen))
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  return text;
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  const std::size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("top view: a screen of 80 columns shows all that matters") {
  CHECK(shown(state_of(ledger, series, TopTab::rate), {.rows = 8, .columns = 80}) ==
        "tallyd 0.1.0 on web1   up 3h 12m   window 10s                           12:00:01\n"
        "packets -/s   lines -/s   points 0.10/s   series 12.3k   lost 0\n"
        "127.0.0.1:8086   ok   InfluxDB 1.6.7   queued 0   spooled 0   204\n"
        "far   failing   queued 5000   spooled 123k   nothing answers at http://far:8086:\n"
        " RATE/S    LAST LAST 20 WINDOWS         NAME   1234 series, by rate\n"
        "   1234   12.3k             ▁▂▃▄▅▆▇█ c  api.hits env=prod,region=eu\n"
        "   0.10    0.25                      ms api.time\n"
        "1 rate  2 series  3 bytes  4 senders  5 tags   r n l b sort   / filter   q quit\n");
}

TEST_CASE("top view: each ranking has its own columns") {
  const auto table = [&](TopTab by, const std::string& rows) {
    std::string text =
        shown(state_of(ledger, "{\"rows\":[" + rows + "]}", by), {.rows = 7, .columns = 80});
    for (int line = 0; line < 4; ++line) text.erase(0, text.find('\n') + 1);
    return text.substr(0, text.find("\n1 rate") + 1);
  };
  CHECK(table(TopTab::series, R"({"name":"api.*","value":81000})") ==
        "   SERIES NAMES THAT BEGIN SO\n"
        "    81.0k api.*\n");
  CHECK(table(TopTab::bytes, R"({"name":"api.hits","value":12345})") ==
        "    BYTES NAME, ITS LINE PROTOCOL IN THE LAST WINDOW\n"
        "    12.3k api.hits\n");
  CHECK(table(TopTab::sender,
              R"({"name":"127.0.0.1:4711","value":5.5,"datagrams":1,"bytes":2,"lines":3})") ==
        "  LINES/S  DATAGRAMS     BYTES     LINES   REFUSED SENDER\n"
        "     5.50          1         2         3         - 127.0.0.1:4711\n");
  CHECK(table(TopTab::tag, R"({"name":"user_id","value":81000,"example":"api.req"})") ==
        "   VALUES TAG, BY NUMBER OF ITS VALUES\n"
        "    81.0k user_id api.req\n");
}

TEST_CASE("top view: what is lost is told by place, in red; nothing lost is green") {
  const std::string lossy =
      replaced(replaced(replaced(ledger, "\"lost\":0", "\"lost\":123"), "\"dropped_by_kernel\":0",
                        "\"dropped_by_kernel\":100"),
               "\"refused\":0", "\"refused\":23");
  const Screen colored{.rows = 10, .columns = 120, .is_colored = true};
  const std::string bad = render(state_of(lossy, series, TopTab::rate), colored)[1];
  CHECK(contains(bad,
                 "\x1b[1;31mLOST 123\x1b[0m\x1b[1;31m: 100 by the kernel\x1b[0m\x1b[1;31m, 23 "
                 "refused\x1b[0m"));
  const std::vector<std::string> good = render(state_of(ledger, series, TopTab::rate), colored);
  CHECK(contains(good[1], "\x1b[32mlost 0\x1b[0m"));
  CHECK(contains(good[2], "\x1b[32mok\x1b[0m"));
  CHECK(contains(good[3], "\x1b[1;31mfailing\x1b[0m"));
}

TEST_CASE("top view: every screen is filled exactly, down to one of nothing") {
  const TopState state = state_of(ledger, series, TopTab::rate);
  for (std::size_t rows = 0; rows < 14; ++rows) {
    for (const std::size_t columns : {0UL, 1UL, 7UL, 40UL, 80UL, 109UL, 110UL, 300UL}) {
      CAPTURE(rows);
      CAPTURE(columns);
      const auto lines = render(state, {.rows = rows, .columns = columns});
      CHECK(lines.size() == rows);
      for (const std::string& line : lines) {
        CHECK(first_columns(line, columns) == line);
        CHECK((columns == 0 || first_columns(line, columns - 1) != line));
      }
    }
  }
  TopState empty;
  CHECK(render(empty, {.rows = 24, .columns = 80}).size() == 24);
}

TEST_CASE("top view: rows of the table fill what head and foot leave") {
  const TopState state = state_of(ledger, series, TopTab::rate);
  CHECK(table_rows(state, {.rows = 24}) == 18);
  CHECK(table_rows(state, {.rows = 6}) == 0);
  CHECK(table_rows(state, {.rows = 1}) == 0);
  TopState many = state;
  many.table.rows.assign(100, state.table.rows[0]);
  const std::string text = shown(many, {.rows = 24, .columns = 80});
  std::size_t hits = 0;
  for (std::size_t at = 0; (at = text.find("api.hits", at)) != std::string::npos; ++at) ++hits;
  CHECK(hits == 18);
}

TEST_CASE("top view: a ranking is scrolled here, a list of series by the server") {
  TopState ranked = state_of(ledger, R"({"rows":[{"name":"a","value":1},{"name":"b","value":1}]})",
                             TopTab::series);
  ranked.offset = 1;
  CHECK_FALSE(contains(shown(ranked, {}), " a\n"));
  CHECK(contains(shown(ranked, {}), " b\n"));
  ranked.offset = 900;
  CHECK_FALSE(contains(shown(ranked, {}), " b\n"));
  TopState list = state_of(ledger, series, TopTab::rate);
  list.offset = 1;
  CHECK(contains(shown(list, {}), "api.hits"));
}

TEST_CASE("top view: the foot is the filter that is typed, else the trouble, else the keys") {
  TopState state = state_of(ledger, series, TopTab::rate);
  state.table_trouble = "table";
  CHECK(render(state, {}).back().starts_with("table "));
  state.ledger_trouble = "nothing answers";
  CHECK(render(state, {}).back().starts_with("nothing answers "));
  state.typed = "api.*";
  CHECK(render(state, {}).back().starts_with("filter, with * and ?: api.*_   Enter"));
  state.match = "api.*";
  CHECK(contains(shown(state, {}), "NAME   1234 series like api.*, by rate"));
}

TEST_CASE("top view: no foreign byte reaches the terminal as a control, or as a wide character") {
  std::string hostile;
  for (int byte = 1; byte < 256; ++byte) {
    std::string escaped;
    append_json_string(escaped, std::string(1, static_cast<char>(byte)));
    hostile += escaped.substr(1, escaped.size() - 2);
  }
  std::string rows = "{\"name\":\"" + hostile + "\",\"kind\":\"" + hostile + "\",\"tags\":{\"" +
                     hostile + "\":\"" + hostile + "\"},\"example\":\"" + hostile + "\"}";
  const std::string head = replaced(replaced(replaced(ledger, "\"web1\"", "\"" + hostile + "\""),
                                             "\"204\"", "\"" + hostile + "\""),
                                    "\"127.0.0.1:8086\"", "\"" + hostile + "\"");
  const std::string table = "{\"series\":[" + rows + "],\"rows\":[" + rows + "]}";
  for (const TopTab by :
       {TopTab::rate, TopTab::series, TopTab::bytes, TopTab::sender, TopTab::tag}) {
    TopState state = state_of(head, table, by);
    state.match = "\x1b[2J";
    state.typed = "\x1b[2J\xC3";
    for (const std::string& line : render(state, {.rows = 24, .columns = 2000}))
      CHECK(std::ranges::all_of(line, [](char c) { return c >= ' ' && c <= '~'; }));
  }
}

TEST_CASE("top view: answers without what was expected are shown as far as they go") {
  for (const std::string& text :
       {std::string("{}"), std::string("[]"), std::string("7"),
        std::string(R"({"destinations":[1,{}],"series":[{}],"rows":[{}]})")}) {
    CAPTURE(text);
    CHECK(render(state_of(text, text, TopTab::rate), {}).size() == 24);
    CHECK(render(state_of(text, text, TopTab::sender), {}).size() == 24);
  }
}
