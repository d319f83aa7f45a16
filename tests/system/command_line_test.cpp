// What the program does before and without a database: errors of the config, ports in use, the
// terminal.

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

#include "rig.hpp"

using namespace tally::testing;

namespace {

struct Ended {
  std::optional<int> status;
  std::string output;
  std::string log;
};

// Runs a tallyd that is meant to end by itself.
Ended run(std::vector<std::string> arguments) {
  Process process({.path = TALLYD, .arguments = std::move(arguments)});
  const std::optional<int> status = process.wait(patience);
  return {status, process.output(), process.log()};
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE(
    "tallyd: a config error names file, line and column, ends with status 2 and starts nothing") {
  struct Fault {
    const char* text;
    const char* message;
  };
  const Fault faults[] = {
      {"[flush]\nintervall = \"1s\"\n",
       ":2:1: unknown key \"flush.intervall\"; did you mean \"flush.interval\"?"},
      {"[flush]\ninterval = 7\n", ":2:"},
      {"[flush]\ninterval = \"0\"\n", ":2:"},
      {"[listen]\nudp = [\"127.0.0.1:99999\"]\n", ":2:"},
      {"[flush\n", ":1:"},
  };
  for (const Fault& fault : faults) {
    CAPTURE(fault.text);
    TemporaryDirectory directory;
    const std::string file = directory.write("tallyd.toml", fault.text);
    const Ended ended = run({"--config", file});
    CHECK(ended.status == 2);
    CHECK_MESSAGE(contains(ended.log, file + fault.message), ended.log);
    CHECK(occurrences(ended.log, "\n") == 1);
    CHECK_FALSE(contains(ended.log, "listening"));
  }
}

TEST_CASE("tallyd: a missing config file and an unknown option end with status 2 and one line") {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--config", "/nonexistent/tallyd.toml"},
        {"--nonsense"},
        {"--set", "flush.interval=no"}}) {
    CAPTURE(arguments.front());
    const Ended ended = run(arguments);
    CHECK(ended.status == 2);
    CHECK_MESSAGE(occurrences(ended.log, "\n") == 1, ended.log);
  }
}

TEST_CASE(
    "tallyd: a port in use ends the second start with status 1 and one line, and does not harm the "
    "first") {
  Tallyd first({.influxdb_url = "", .interval = "200ms"});
  const std::string address = "127.0.0.1:" + std::to_string(first.port());
  const Ended second =
      run({"--config", "/dev/null", "--set", "listen.udp=[\"" + address + "\"]", "--set",
           "http.listen=", "--set", "admin.listen=", "--set", "influxdb.url="});
  CHECK(second.status == 1);
  CHECK_MESSAGE(contains(second.log, address), second.log);
  CHECK_FALSE(contains(second.log, "ready: "));
  CHECK_MESSAGE(occurrences(second.log, " error ") == 1, second.log);
  StatsdSender(first.port()).send("still.alive:1|c");
  CHECK(eventually(patience, [&] {
    return contains(first.output(), "still.alive.count,host=testhost count=1,rate=5 ");
  }));
  first.stop();
}

TEST_CASE(
    "tallyd: a taken port of those who look, set by somebody, ends the start before it is ready") {
  Tallyd first({.influxdb_url = "", .sets = {"http.listen=127.0.0.1:0"}});
  const std::string taken = first.listener("http ").substr(5);
  for (const std::string key : {"http.listen=", "admin.listen="}) {
    const std::string other = key[0] == 'h' ? "admin.listen=" : "http.listen=";
    const Ended second = run({"--config", "/dev/null", "--set", "listen.udp=127.0.0.1:0", "--set",
                              key + taken, "--set", other, "--set", "influxdb.url="});
    CHECK(second.status == 1);
    CHECK_MESSAGE(contains(second.log, "tcp " + taken + ": cannot listen"), second.log);
    CHECK_FALSE(contains(second.log, "ready: "));
  }
}

TEST_CASE("tallyd: without file descriptors it ends with status 1 and a line, and does not abort" *
          doctest::skip(is_sanitized)) {
  // With fewer than six libuv's own start aborts.
  for (int limit = 6; limit <= 16; ++limit) {
    CAPTURE(limit);
    Process process(
        {.path = "/bin/sh",
         .arguments = {"-c", "ulimit -n " + std::to_string(limit) + " && exec " + TALLYD +
                                 " --config /dev/null --set 'listen.udp=[\"127.0.0.1:0\"]'"
                                 " --set http.listen= --set admin.listen= --set influxdb.url="}});
    const bool is_up = process.wait_for_log("ready: ", patience);
    if (is_up) process.signal(15);
    CHECK_MESSAGE(process.wait(patience) == (is_up ? 0 : 1), process.log());
  }
}

TEST_CASE("tallyd: several workers do not let a second daemon share the port") {
  Tallyd first({.influxdb_url = "", .interval = "200ms", .sets = {"listen.workers=2"}});
  const std::string address = "127.0.0.1:" + std::to_string(first.port());
  const Ended second = run({"--config", "/dev/null", "--set", "listen.udp=[\"" + address + "\"]",
                            "--set", "listen.workers=2", "--set", "http.listen=", "--set",
                            "admin.listen=", "--set", "influxdb.url="});
  CHECK(second.status == 1);
  CHECK_MESSAGE(contains(second.log, address), second.log);
  first.stop();
}

TEST_CASE("tallyd: without a database each window is printed to standard output") {
  Tallyd tallyd({.influxdb_url = "", .interval = "200ms"});
  StatsdSender sender(tallyd.port());
  sender.send("page.hits:2|c|@0.5|#env:prod\nlatency:12|ms\nbad line");
  CHECK(eventually(patience, [&] {
    return contains(tallyd.output(), "page.hits.count,env=prod,host=testhost count=4,rate=20 ");
  }));
  CHECK(contains(
      tallyd.output(),
      "latency.timer,host=testhost count=1,mean=12,min=12,max=12,sum=12,stddev=0,p50=12,"));
  tallyd.stop();
  CHECK(contains(tallyd.log(), "bad line"));
}

TEST_CASE("tallyd: environment and --set are heard, --set last") {
  Tallyd tallyd(
      {.influxdb_url = "",
       .interval = "10s",
       .sets = {"flush.interval=100ms"},
       .environment = {{"TALLYD_FLUSH_INTERVAL", "5s"}, {"TALLYD_OUTPUT_PREFIX", "env."}}});
  StatsdSender(tallyd.port()).send("hits:1|c");
  CHECK(eventually(patience, [&] {
    return contains(tallyd.output(), "env.hits.count,host=testhost count=1,rate=10 ");
  }));
}

TEST_CASE("tallyd: explain, config and check answer on standard output") {
  const Ended explained = run({"--config", "/dev/null", "explain", "a.b:3|c|@0.5|#k:v"});
  CHECK(explained.status == 0);
  CHECK_MESSAGE(contains(explained.output, "a.b.count"), explained.output);
  const Ended config = run({"--config", "/dev/null", "config"});
  CHECK(config.status == 0);
  CHECK_MESSAGE(contains(config.output, "interval = \"10s\""), config.output);
  TemporaryDirectory directory;
  const Ended checked =
      run({"--config", directory.write("again.toml", config.output), "check", "--offline"});
  CHECK_MESSAGE(checked.status == 0, checked.log);
  CHECK(run({"--version"}).status == 0);
  CHECK(run({"--help"}).status == 0);
}
