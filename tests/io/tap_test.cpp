#include <doctest/doctest.h>
#include <signal.h>

#include "tools_rig.hpp"

using namespace tally::testing;
using tally::test::cut;
using tally::test::FakeReply;
using tally::test::FakeRequest;
using tally::test::reply;

namespace {

const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
const std::string fine =
    "event: line\n"
    R"(data: {"at":1700000000123,"sender":"127.0.0.1:4711","listener":"udp","line":"a.b:1|c"})"
    "\n\n";
const std::string refused =
    "event: line\n"
    R"(data: {"at":1700000001000,"sender":"pid 7","line":"a:x|c","reason":"bad_value","caret":2})"
    "\n\n";

}  // namespace

TEST_CASE("tap: asks for what was named, prints what comes and ends with the limit") {
  ToolRig rig([](const FakeRequest&) { return cut(head + ":\n\n" + fine + refused); });
  const Ran ran = rig.run({"tap", "a.* &b", "--sender", "10.0.0.5", "--refused", "--limit", "2"});
  CHECK(ran.status == 0);
  CHECK(ran.output ==
        "22:13:20.123 127.0.0.1:4711 \"a.b:1|c\"\n"
        "22:13:21.000 pid 7 refused, bad_value: the value is no finite decimal number\n"
        "  \"a:x|c\"\n"
        "     ^\n");
  CHECK(ran.log == "");
  CHECK(rig.server().requests().at(0).target ==
        "/api/v1/tap?match=a.%2A%20%26b&sender=10.0.0.5&refused=1&limit=2");
}

TEST_CASE("tap: lines are printed while the stream is open; Ctrl-C ends it well") {
  ToolRig rig([](const FakeRequest&) { return FakeReply{.bytes = head + fine}; });
  Process process(rig.command({"tap"}));
  REQUIRE(rig.serve_until([&] { return contains(process.output(), "a.b:1|c"); }));
  process.signal(SIGINT);
  CHECK(rig.finish(process).status == 0);
}

TEST_CASE("tap: what was skipped is said, at once and at the end") {
  const std::string skipped = "event: skipped\ndata: {\"datagrams\":1000}\n\n";
  ToolRig rig([&](const FakeRequest&) { return cut(head + skipped + fine + skipped); });
  const Ran ran = rig.run({"tap", "--limit=1"});
  CHECK(ran.status == 0);
  CHECK(ran.log ==
        "tallyd: 1,000 datagrams skipped so far: more arrive than a tap takes; name a pattern or "
        "--sender\n"
        "tallyd: 1 lines shown, 2,000 datagrams skipped\n");
}

TEST_CASE("tap: a stream that tallyd ends is an error, as is everything that is no stream") {
  struct Row {
    FakeReply answer;
    std::string says;
  };
  const std::vector<Row> rows = {
      {cut(head + fine), " ended the stream: tallyd was stopped"},
      {cut("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n:\n\n\n\r\n"),
       " ended its answer in the middle: tallyd was stopped, or we read too slowly"},
      {reply(503, R"({"error":"64 streams are open; close one"})"),
       " answers 503 \"64 streams are open; close one\""},
      {reply(401, "{}"), " asks for a token: give --token-file (see http.token_file)"},
      {reply(404, "404 page not found"),
       " does not know what was asked for (\"404 page not found\")"},
      {reply(500, "<\x1b[2J"), " answers 500 \"<\\x1B[2J\""},
      {cut("nonsense"), " gave no whole answer: "},
  };
  for (const Row& row : rows) {
    CAPTURE(row.says);
    ToolRig rig([&](const FakeRequest&) { return row.answer; });
    const Ran ran = rig.run({"tap"});
    CHECK(ran.status == 1);
    CHECK_MESSAGE(contains(ran.log, "tallyd: " + rig.server().url() + row.says), ran.log);
  }
}

TEST_CASE("tap: when nothing answers it says what to look for") {
  const std::string url = "http://127.0.0.1:" + std::to_string(free_tcp_port());
  Process process({.path = TALLYD, .arguments = {"-c", "/dev/null", "tap", "--url", url}});
  CHECK(process.wait(std::chrono::seconds(40)) == 1);
  CHECK(process.log() == "tallyd: nothing answers at " + url +
                             ": is tallyd running with http.listen set? (connection refused)\n");
}

TEST_CASE("tools: without --url they ask where the configuration says, with its token") {
  const TemporaryDirectory directory;
  const std::string token = "token_file = \"" + directory.write("token", "s3cret\n") + "\"\n";
  ToolRig rig([](const FakeRequest&) { return reply(200, "{}"); });
  CHECK(rig.run_configured({"top", "--json"}, token).status == 0);
  REQUIRE(rig.server().requests().size() == 2);
  CHECK(rig.server().requests()[0].headers.at("authorization") == "Bearer s3cret");
  // Another address must not learn it.
  CHECK(rig.run_configured({"top", "--json", "--url", rig.server().url()}, token).status == 0);
  REQUIRE(rig.server().requests().size() == 4);
  CHECK_FALSE(rig.server().requests()[2].headers.contains("authorization"));
  const Ran none = rig.run_configured({"top", "--json", "--set", "http.listen="});
  CHECK(none.status == 2);
  CHECK(none.log ==
        "tallyd: http.listen is off in this configuration: say --url http://127.0.0.1:8127\n");
  const Ran unreadable = rig.run_configured({"top", "--json", "--set", "http.token_file=/none"});
  CHECK_MESSAGE(contains(unreadable.log, "; see http.token_file\n"), unreadable.log);
}

TEST_CASE("tap: the token goes along, and is never shown") {
  const TemporaryDirectory directory;
  ToolRig rig([](const FakeRequest&) { return reply(401, R"({"error":"the token is wrong"})"); });
  const Ran ran = rig.run({"tap", "--token-file", directory.write("token", "s3cret\n")});
  CHECK(ran.status == 1);
  CHECK(ran.log == "tallyd: " + rig.server().url() + " answers 401 \"the token is wrong\"\n");
  CHECK(rig.server().requests().at(0).headers.at("authorization") == "Bearer s3cret");
  const Ran missing = rig.run({"tap", "--token-file", directory.path() + "/none"});
  CHECK(missing.status == 2);
  CHECK_MESSAGE(contains(missing.log, "/none"), missing.log);
}

TEST_CASE("tap: it ends when nobody reads what it prints") {
  ToolRig rig([](const FakeRequest&) {
    std::string many = head;
    for (int i = 0; i < 10'000; ++i) many += fine;
    return FakeReply{.bytes = many};
  });
  Command command = rig.command({"tap"});
  std::string line = command.path;
  for (const std::string& word : command.arguments) line += " " + word;
  Process process({.path = "/bin/sh", .arguments = {"-c", line + " | head -n 3"}});
  const Ran ran = rig.finish(process);
  CHECK(std::count(ran.output.begin(), ran.output.end(), '\n') == 3);
}
