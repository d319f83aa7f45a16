// tallyd top: once as a program, and in a real terminal, which is tmux's.

#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "tools_rig.hpp"

using namespace tally::testing;
using tally::test::FakeReply;
using tally::test::FakeRequest;
using tally::test::reply;

namespace {

/// A tallyd that has heard a hundred packets more each time it is asked, a second later.
class Daemon {
 public:
  FakeReply operator()(const FakeRequest& request) {
    if (request.target.starts_with("/api/v1/ledger")) return ledger();
    if (request.target.starts_with("/api/v1/series")) return series(request.target);
    return reply(200,
                 R"({"by":"tag","rows":[{"name":"user_id","value":81000,"example":"api.req"}]})");
  }

 private:
  FakeReply ledger() {
    ++asked_;
    return reply(200, "{\"now\":" + std::to_string(1'700'000'000'000 + asked_ * 1000) +
                          ",\"version\":\"0.1.0\",\"host\":\"web1\",\"uptime_s\":" +
                          std::to_string(60 + asked_) +
                          R"(,"interval_ms":10000,"window":{"series":12},"lost":7,
"datagrams":{"received":)" +
                          std::to_string(asked_ * 100) +
                          R"(,"dropped_by_kernel":7},"lines":{"seen":1},"points":{"flushed":600},
"windows":{"closed":6},"destinations":[{"name":"db:8086","state":"ok","last_answer":"204"}]})");
  }
  static FakeReply series(const std::string& target) {
    const bool is_filtered = target.find("match=zz") != std::string::npos;
    return reply(200, is_filtered ? R"({"total":2,"matched":0,"series":[]})"
                                  : R"({"total":2,"matched":2,"series":[
{"name":"api.hits","kind":"counter","tags":{"env":"prod"},"last":12,"rate":1.2,"spark":[1,2]},
{"name":"api.\u001b[2Jred","kind":"gauge","tags":{},"last":1,"rate":0,"spark":[]}]})");
  }

  int asked_ = 0;
};

bool tmux_is_there() {
  return access("/usr/bin/tmux", X_OK) == 0;
}

/// One terminal of 80 by 24, with a shell that runs the tool and then says its status.
class Tmux {
 public:
  Tmux(ToolRig& rig, const Command& tool) : rig_(rig) {
    std::string line = "echo before; ";
    for (const auto& [name, value] : tool.environment) line += name + "=" + value + " ";
    line += tool.path;
    for (const std::string& word : tool.arguments) line += " " + word;
    run({"-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24",
         line + "; echo status $?; exec sleep 1000"});
  }
  ~Tmux() { run({"kill-server"}); }
  Tmux(const Tmux&) = delete;
  Tmux& operator=(const Tmux&) = delete;

  void keys(const std::vector<std::string>& keys) {
    std::vector<std::string> words = {"send-keys"};
    words.insert(words.end(), keys.begin(), keys.end());
    run(words);
  }
  void resize(int columns, int rows) {
    run({"resize-window", "-x", std::to_string(columns), "-y", std::to_string(rows)});
  }
  std::string screen() { return run({"capture-pane", "-p"}); }

  /// Whether the screen comes to hold `text`.
  bool shows(const std::string& text) {
    return rig_.serve_until([&] { return contains(screen(), text); });
  }
  bool does_not_show(const std::string& text) {
    return rig_.serve_until([&] { return !contains(screen(), text); });
  }
  /// The child of the terminal's shell.
  pid_t tool() {
    const std::string shell =
        std::to_string(std::stoi(run({"display-message", "-p", "#{pane_pid}"})));
    std::ifstream children("/proc/" + shell + "/task/" + shell + "/children");
    pid_t child = 0;
    children >> child;
    REQUIRE(child > 0);
    return child;
  }
  std::string terminal() {
    std::string name = run({"display-message", "-p", "#{pane_tty}"});
    name.pop_back();
    return name;
  }

  std::string run(std::vector<std::string> words) {
    words.insert(words.begin(), {"-S", directory_.path() + "/tmux"});
    Process process(
        {.path = "/usr/bin/tmux",
         .arguments = words,
         .environment = {{"TERM", "screen"}, {"LC_ALL", "C.UTF-8"}, {"SHELL", "/bin/sh"}}});
    REQUIRE_MESSAGE(process.wait(std::chrono::seconds(20)) == 0, process.log());
    return process.output();
  }

 private:
  ToolRig& rig_;
  TemporaryDirectory directory_;
};

/// Flags of the terminal as stty tells them.
std::string settings_of(const std::string& terminal) {
  Process process({.path = "/bin/stty", .arguments = {"-F", terminal, "-a"}});
  REQUIRE(process.wait(std::chrono::seconds(20)) == 0);
  return process.output();
}

}  // namespace

TEST_CASE("top --once: one table without a single control byte") {
  ToolRig rig{Daemon()};
  const Ran ran = rig.run({"top", "--once"});
  CHECK(ran.status == 0);
  CHECK(ran.log == "");
  CHECK(ran.output ==
        "tallyd 0.1.0 on web1   up 1m 2s   window 10s" + std::string(148, ' ') +
            "22:13:22\n"
            "packets 100/s   lines 0/s   points 9.84/s   series 12   LOST 7: 7 by the kernel\n"
            "db:8086   ok   queued 0   spooled 0   204\n"
            " RATE/S    LAST LAST 30 WINDOWS                   NAME   2 series, by rate\n"
            "   1.20      12                             ▅█ c  api.hits env=prod\n"
            "      0       1                                g  api.\\x1B[2Jred\n");
}

TEST_CASE("top --once: rankings, filters and limits are asked for") {
  ToolRig rig{Daemon()};
  const Ran ran = rig.run({"top", "--once", "--by", "tag", "--limit", "5"});
  CHECK_MESSAGE(contains(ran.output, "    81.0k user_id api.req\n"), ran.output);
  CHECK(rig.server().requests().at(1).target == "/api/v1/top?by=tag&limit=5");
  rig.run({"top", "--once", "--match", "a*", "--sort", "name"});
  CHECK(rig.server().requests().at(4).target ==
        "/api/v1/series?match=a%2A&sort=name&order=asc&limit=20&offset=0&own=0");
  CHECK(rig.run({"top", "--once", "--by", "size"}).log ==
        "tallyd: --by knows rate, series, bytes, sender, tag, not \"size\"\n");
  CHECK(rig.run({"top", "--once", "--limit", "0"}).status == 2);
}

TEST_CASE("top --json: the answers as they came, in one object") {
  ToolRig rig([](const FakeRequest& request) {
    return reply(200, "{\"asked\":\"" + request.target.substr(0, 14) + "\"}");
  });
  const Ran ran = rig.run({"top", "--json", "--by", "sender"});
  CHECK(ran.status == 0);
  CHECK(ran.output ==
        R"({"ledger":{"asked":"/api/v1/ledger"},"by":"sender","table":{"asked":"/api/v1/top?by"}})"
        "\n");
}

TEST_CASE("top: without a terminal, or without an answer, it says what to do") {
  ToolRig rig([](const FakeRequest&) { return reply(200, "<!doctype html>"); });
  const Ran no_terminal = rig.run({"top"});
  CHECK(no_terminal.status == 2);
  CHECK(no_terminal.log == "tallyd: top needs a terminal; tallyd top --once prints one table\n");
  const Ran page = rig.run({"top", "--once"});
  CHECK(page.status == 1);
  CHECK_MESSAGE(contains(page.log, " answers something that is no JSON: another program"),
                page.log);
}

TEST_CASE("top: in a terminal it shows, sorts, filters, resizes, and gives the terminal back" *
          doctest::skip(!tmux_is_there())) {
  ToolRig rig{Daemon()};
  Tmux tmux(rig, rig.command({"top"}));
  REQUIRE(tmux.shows("packets 100/s"));
  CHECK(contains(tmux.screen(), "api.hits env=prod"));
  CHECK(contains(tmux.screen(), "api.\\x1B[2Jred"));
  CHECK(contains(tmux.screen(), "LOST 7: 7 by the kernel"));
  CHECK(contains(tmux.screen(), "q quit"));
  CHECK_FALSE(contains(tmux.screen(), "before"));  // the alternate screen
  CHECK(contains(settings_of(tmux.terminal()), "-icanon"));

  tmux.keys({"5"});
  CHECK(tmux.shows("81.0k user_id api.req"));
  tmux.keys({"1", "n"});
  CHECK(tmux.shows("2 series, by name, ascending"));
  tmux.keys({"/", "z", "z", "y", "BSpace"});
  CHECK(tmux.shows("filter, with * and ?: zz_"));
  tmux.keys({"Enter"});
  CHECK(tmux.shows("0 series like zz, by name"));
  CHECK_FALSE(contains(tmux.screen(), "api.hits"));
  tmux.keys({"/", "x", "Escape"});
  CHECK(tmux.shows("q quit"));

  tmux.resize(120, 30);
  CHECK(tmux.shows("LAST 30 WINDOWS"));
  tmux.resize(40, 10);
  CHECK(tmux.does_not_show("WINDOWS"));
  CHECK(tmux.shows("LAST     NAME   0 series"));

  tmux.keys({"q"});
  CHECK(tmux.shows("status 0"));
  CHECK(contains(tmux.screen(), "before"));
  const std::string after = settings_of(tmux.terminal());
  CHECK_FALSE(contains(after, "-icanon"));
  CHECK_FALSE(contains(after, "-echo "));
}

TEST_CASE("top: signals and Ctrl-C give the terminal back too" * doctest::skip(!tmux_is_there())) {
  for (const int number : {SIGINT, SIGTERM, SIGQUIT, 0}) {
    CAPTURE(number);
    ToolRig rig{Daemon()};
    Tmux tmux(rig, rig.command({"top"}));
    REQUIRE(tmux.shows("packets 100/s"));
    if (number == 0)
      tmux.keys({"C-c"});
    else
      kill(tmux.tool(), number);
    CHECK(tmux.shows("status 0"));
    CHECK(contains(tmux.screen(), "before"));
    CHECK_FALSE(contains(settings_of(tmux.terminal()), "-icanon"));
  }
}

TEST_CASE("top: a daemon that goes away is told of, and seen again when it is back" *
          doctest::skip(!tmux_is_there())) {
  bool is_away = false;
  Daemon daemon;
  ToolRig rig(
      [&](const FakeRequest& request) { return is_away ? tally::test::cut("") : daemon(request); });
  Tmux tmux(rig, rig.command({"top"}));
  REQUIRE(tmux.shows("packets 100/s"));
  is_away = true;
  CHECK(tmux.shows(" gave no whole answer: "));
  CHECK(contains(tmux.screen(), "api.hits"));  // what was known stays
  is_away = false;
  CHECK(tmux.shows("q quit"));
  tmux.keys({"q"});
  CHECK(tmux.shows("status 0"));
}
