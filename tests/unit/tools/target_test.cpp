#include "tools/target.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

using namespace tally;
using Transport = Target::Transport;

TEST_CASE("target: every form of an address is read, and shown as tallyd names listeners") {
  struct Row {
    std::string_view text;
    Target expected;
    std::string_view shown;
  };
  const std::vector<Row> rows = {
      {"udp://127.0.0.1:8125", {Transport::udp, "127.0.0.1", 8125}, "udp 127.0.0.1:8125"},
      {"udp://statsd.local", {Transport::udp, "statsd.local", 8125}, "udp statsd.local:8125"},
      {"tcp://[::1]:9125", {Transport::tcp, "::1", 9125}, "tcp [::1]:9125"},
      {"tcp://[fe80::1]", {Transport::tcp, "fe80::1", 8125}, "tcp [fe80::1]:8125"},
      {"unix:///run/s.sock", {Transport::unix_socket, "/run/s.sock"}, "unix \"/run/s.sock\""},
      {"unix://@statsd", {Transport::unix_socket, "@statsd"}, "unix \"@statsd\""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const Result<Target> target = parse_target(row.text);
    if (!target) FAIL_CHECK(target.error().message);
    if (!target) continue;
    CHECK(target.value() == row.expected);
    CHECK(to_string(target.value()) == row.shown);
  }
}

TEST_CASE("target: what is no address is an error that shows the forms") {
  for (const std::string_view text :
       {"", "127.0.0.1:8125", "http://a", "udp://", "udp://:8125", "udp://a:", "udp://a:0",
        "udp://a:65536", "udp://a:8125x", "udp://::1:8125", "tcp://[::1", "tcp://[::1]8125",
        "unix://"}) {
    CAPTURE(text);
    const Result<Target> target = parse_target(text);
    REQUIRE_FALSE(target);
    CHECK(target.error().message.find("write udp://127.0.0.1:8125, tcp://") != std::string::npos);
  }
}

TEST_CASE("target: without --to it is the first listener of the configuration") {
  Config config;
  CHECK(target_of({}, config).value() == Target{Transport::udp, "127.0.0.1", 8125});
  config.listen.udp = {{"*", 9125}, {"10.0.0.1", 8125}};
  CHECK(target_of({}, config).value() == Target{Transport::udp, "127.0.0.1", 9125});
  config.listen.udp.clear();
  config.listen.unix_stream = {"/run/stream"};
  CHECK(target_of({}, config).value() == Target{Transport::unix_socket, "/run/stream"});
  config.listen.unixgram = {"@statsd"};
  CHECK(target_of({}, config).value() == Target{Transport::unix_socket, "@statsd"});
  config.listen.tcp = {{"localhost", 7}};
  CHECK(target_of({}, config).value() == Target{Transport::tcp, "127.0.0.1", 7});
  const Arguments arguments{.flags = {{"to", {"udp://h:1"}}}};
  CHECK(target_of(arguments, config).value() == Target{Transport::udp, "h", 1});
  config.listen = {.udp = {}};
  CHECK(target_of({}, config).error().message ==
        "the configuration listens nowhere: say --to udp://127.0.0.1:8125");
}
