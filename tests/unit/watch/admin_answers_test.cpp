#include "watch/admin_answers.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "fake_insight.hpp"

using namespace tally;
using testing::FakeInsight;
using testing::series_key;

namespace {

/// Answers, and an Insight with a few series.
struct Answering {
  Answering() {
    add(Kind::counter, "a.x", 1);
    add(Kind::counter, "a.y", 2, {{"env", "prod"}});
    add(Kind::counter, "a.y", 3, {{"env", "test"}});
    add(Kind::timer, "a.x", 0);
    add(Kind::histogram, "a.x", 0);
    insight.open_window.back().values = {5};
    add(Kind::gauge, "a.x", 4);
    insight.open_window.back().is_delta = true;
    add(Kind::set, "a.x", 5);
    insight.carried = {{series_key(Kind::gauge, "a.x"), 10}, {series_key(Kind::gauge, "idle"), 7}};
  }

  void add(Kind kind, std::string_view name, double number, const std::vector<Tag>& tags = {}) {
    insight.open_window.push_back(
        {.kind = kind, .key = series_key(kind, name, tags), .number = number});
  }

  std::string operator()(std::string_view line) {
    std::string said = "nothing";
    answers.answer(read_admin_command(line), [&](std::string answer) { said = std::move(answer); });
    return said;
  }

  FakeInsight insight;
  std::vector<AdminName> known = {{"idle", Kind::counter}, {"a.x", Kind::counter}};
  std::vector<Kind> asked_for;
  AdminAnswers answers{insight, [this](const std::vector<Kind>& kinds) {
                         asked_for = kinds;
                         return known;
                       }};
};

}  // namespace

TEST_CASE("admin answers: counters are of the open window, known ones at 0") {
  Answering ask;
  CHECK(ask("counters") ==
        "{\n  'a.x': 1,\n  'a.y;env=prod': 2,\n  'a.y;env=test': 3,\n  'idle': 0\n}\nEND\n\n");
  CHECK(ask.asked_for == std::vector<Kind>{Kind::counter});
}

TEST_CASE("admin answers: timers are timers, histograms and distributions") {
  Answering ask;
  ask.known = {{"old", Kind::distribution}};
  ask.insight.open_window[3].values = {1, 2};
  CHECK(ask("timers") ==
        "{\n  'a.x': [ 1, 2 ],\n  'a.x (histogram)': [ 5 ],\n  'old': []\n}\nEND\n\n");
  CHECK(ask.asked_for == std::vector<Kind>{Kind::timer, Kind::histogram, Kind::distribution});
}

TEST_CASE("admin answers: gauges are carried ones, moved by the open window") {
  Answering ask;
  CHECK(ask("gauges") == "{\n  'a.x': 14,\n  'idle': 7\n}\nEND\n\n");
}

TEST_CASE("admin answers: of too many gauges those that were moved are among the shown") {
  Answering ask;
  ask.insight.carried.clear();
  for (std::size_t i = 0; i < Insight::looked_max + 5; ++i)
    ask.insight.carried[series_key(Kind::gauge, std::to_string(10'000 + i))] = 1;
  ask.insight.carried[series_key(Kind::gauge, "a.x")] = 10;
  const std::string text = ask("gauges");
  CHECK(text.find("  'a.x': 14,\n  'tallyd.cut_after': 10001\n}\n") != std::string::npos);
}

TEST_CASE("admin answers: what is deleted is named, and gone") {
  Answering ask;
  CHECK(ask("delcounters a.y nosuch") ==
        "deleted: a.y;env=prod\ndeleted: a.y;env=test\nmetric nosuch not found\nEND\n\n");
  CHECK(ask("counters") == "{\n  'a.x': 1,\n  'idle': 0\n}\nEND\n\n");
  CHECK(ask("delgauges *") == "deleted: a.x\ndeleted: idle\nEND\n\n");
  CHECK(ask("gauges") == "{}\nEND\n\n");
  ask.known.clear();
  CHECK(ask("deltimers a.*") == "deleted: a.x\nEND\n\n");
  CHECK(ask("timers") == "{}\nEND\n\n");
  CHECK(ask("delcounters") == "END\n\n");
  CHECK(ask.insight.open_window.size() == 2);  // a counter and a set, which no command names
}

TEST_CASE("admin answers: a series is deleted by its name with tags") {
  Answering ask;
  CHECK(ask("delcounters a.y;env=prod") == "deleted: a.y;env=prod\nEND\n\n");
  CHECK(ask("delcounters *;env=te*") == "deleted: a.y;env=test\nEND\n\n");
  CHECK(ask("delcounters a.x;env=prod") == "metric a.x;env=prod not found\nEND\n\n");
}

TEST_CASE("admin answers: more series than one answer of Insight holds are all deleted") {
  Answering ask;
  ask.insight.open_window.clear();
  for (std::size_t i = 0; i < 2 * Insight::looked_max + 1; ++i)
    ask.add(Kind::counter, std::to_string(i), 1);
  const std::string text = ask("delcounters *");
  CHECK(ask.insight.open_window.empty());
  CHECK(text.ends_with("deleted: 9999\ndeleted: 10001 more\nEND\n\n"));
}

TEST_CASE("admin answers: health is what was said last") {
  Answering ask;
  CHECK(ask("health") == "health: up\n");
  CHECK(ask("health down") == "health: down\n");
  CHECK_FALSE(ask.answers.is_up());
  CHECK(ask("health") == "health: down\n");
  CHECK(ask("health foo") == "health: down\n");
  CHECK(ask("health up") == "health: up\n");
  CHECK(ask.answers.is_up());
}

TEST_CASE("admin answers: the rest comes from Insight as it is") {
  Answering ask;
  ask.insight.state.ledger.ingest.lines_refused[3] = 2;
  CHECK(ask("stats") ==
        "uptime: 0\nmessages.last_msg_seen: 0\nmessages.bad_lines_seen: 2\ntallyd.lost: 2\n"
        "END\n\n");
  CHECK(ask("config").starts_with("\nflush > interval: \"10s\"  # default\n"));
  CHECK(ask("help").starts_with("Commands: stats, "));
  CHECK(ask("nonsense") == "ERROR\n");
  CHECK(ask("quit").empty());
  CHECK(ask("").empty());
}

TEST_CASE("admin answers: an answer of Insight may come later") {
  Answering ask;
  ask.insight.answers_later = true;
  std::string said;
  ask.answers.answer(read_admin_command("delcounters a.x nosuch"),
                     [&](std::string answer) { said = std::move(answer); });
  for (int i = 0; i < 2; ++i) {
    CHECK(said.empty());
    REQUIRE(ask.insight.owed() == 1);
    ask.insight.answer_one();
  }
  CHECK(said == "deleted: a.x\nmetric nosuch not found\nEND\n\n");
}
