#include "tools/top_state.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <string_view>
#include <vector>

using namespace tally;
using Kind = KeyPress::Kind;

namespace {

std::vector<Wish> type(TopState& state, std::string_view bytes) {
  std::vector<Wish> wishes;
  for (const KeyPress& key : keys_of(bytes)) wishes.push_back(on_key(state, key, 10));
  return wishes;
}

TopSummary summary_at(double now_ms, double datagrams, double points, double windows) {
  return {.now_ms = now_ms,
          .uptime_s = now_ms / 1000,
          .interval_ms = 10'000,
          .windows_closed = windows,
          .datagrams = datagrams,
          .lines = datagrams * 10,
          .points = points};
}

}  // namespace

TEST_CASE("top state: packets and lines are what came between two ledgers") {
  TopState state;
  take_summary(state, summary_at(100'000, 5000, 0, 0));
  CHECK(std::isnan(state.packets_s));
  take_summary(state, summary_at(102'000, 6000, 0, 0));
  CHECK(state.packets_s == 500);
  CHECK(state.lines_s == 5000);
  take_summary(state, summary_at(102'000, 6000, 0, 0));  // asked twice in one millisecond
  CHECK(state.packets_s == 500);
  take_summary(state, summary_at(1000, 1, 0, 0));  // another process
  CHECK(std::isnan(state.packets_s));
  take_summary(state, summary_at(2000, 2, 0, 0));
  CHECK(state.packets_s == 1);
}

TEST_CASE("top state: points are those of the windows that closed, before that of all the time") {
  TopState state;
  take_summary(state, summary_at(100'000, 0, 1000, 10));
  CHECK(state.points_s == 10);
  take_summary(state, summary_at(101'000, 0, 1000, 10));
  CHECK(state.points_s == 10);
  take_summary(state, summary_at(102'000, 0, 1200, 11));
  CHECK(state.points_s == 20);
  take_summary(state, summary_at(103'000, 0, 1200, 11));
  CHECK(state.points_s == 20);
}

TEST_CASE(
    "top state: keys are read as terminals send them, and what is none of ours is passed over") {
  CHECK(keys_of("a\x1b[A\x1bOB\r\x7f\x03") == std::vector<KeyPress>{{Kind::character, 'a'},
                                                                    {Kind::up},
                                                                    {Kind::down},
                                                                    {Kind::enter},
                                                                    {Kind::backspace},
                                                                    {Kind::interrupt}});
  CHECK(keys_of("\x1b[5~\x1b[6~\x1b[H") ==
        std::vector<KeyPress>{{Kind::page_up}, {Kind::page_down}, {Kind::home}});
  CHECK(keys_of("\x1b") == std::vector<KeyPress>{{Kind::escape}});
  CHECK(keys_of("\x1b[1;5Cx\x1b[15~\x01y") ==
        std::vector<KeyPress>{{Kind::character, 'x'}, {Kind::character, 'y'}});
  CHECK(keys_of("\x1b[12") == std::vector<KeyPress>{});
}

TEST_CASE("top state: every key does what the foot says") {
  TopState state;
  CHECK(type(state, "5") == std::vector<Wish>{Wish::ask});
  CHECK(state.by == TopTab::tag);
  CHECK(type(state, "n") == std::vector<Wish>{Wish::draw});  // order is of the series only
  CHECK(state.sort == "rate");
  type(state, "1n");
  CHECK(state.by == TopTab::rate);
  CHECK(state.sort == "name");
  CHECK(state.is_ascending);
  type(state, "b");
  CHECK_FALSE(state.is_ascending);
  type(state, "b");
  CHECK(state.is_ascending);
  type(state, "\x1b[B\x1b[6~");
  CHECK(state.offset == 11);
  type(state, "\x1b[A\x1b[5~\x1b[5~\x1b[A");
  CHECK(state.offset == 0);
  CHECK(type(state, "q") == std::vector<Wish>{Wish::quit});
  CHECK(type(state, "\x03") == std::vector<Wish>{Wish::quit});
  CHECK(type(state, "z") == std::vector<Wish>{Wish::draw});
}

TEST_CASE("top state: a filter is typed, applied, changed and given up") {
  TopState state;
  type(state, "4/api.q5\x7f*\r");
  CHECK(state.match == "api.q*");
  CHECK(state.by == TopTab::rate);
  CHECK_FALSE(state.typed);
  type(state, "/xyz\x1b");
  CHECK(state.match == "api.q*");
  type(state, "/\x7f\x7f\x7f\x7f\x7f\x7f\x7f\r");
  CHECK(state.match == "");
  type(state, "/" + std::string(10'000, 'x') + "\r");
  CHECK(state.match.size() == 200);
  CHECK(type(state, "/\x03").back() == Wish::quit);
}

TEST_CASE("top state: what is asked for says what is wanted") {
  TopState state;
  CHECK(table_target(state, 17) ==
        "/api/v1/series?match=&sort=rate&order=desc&limit=17&offset=0&own=0");
  state.match = "a b&c*";
  type(state, "n\x1b[B");
  CHECK(table_target(state, 0) ==
        "/api/v1/series?match=a%20b%26c%2A&sort=name&order=asc&limit=1&offset=1&own=0");
  state.match = "tallyd.l";
  CHECK(table_target(state, 1) ==
        "/api/v1/series?match=tallyd.l&sort=name&order=asc&limit=1&offset=1");
  type(state, "3\x1b[B");
  CHECK(table_target(state, 17) == "/api/v1/top?by=bytes&limit=18");
  state.offset = 1000;
  CHECK(table_target(state, 17) == "/api/v1/top?by=bytes&limit=1000");
}
