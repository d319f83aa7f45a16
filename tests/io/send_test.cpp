// tallyd send: the program itself, with a listener of the test's own.

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "posix/descriptor.hpp"
#include "process.hpp"
#include "receive/datagram_socket.hpp"
#include "receive/socket_address.hpp"
#include "receive/stream_socket.hpp"

using namespace tally;
using namespace std::chrono_literals;
using testing::Process;
using testing::TemporaryDirectory;

namespace {

constexpr std::chrono::seconds patience{40};

DatagramSocket open_udp() {
  Result<DatagramSocket> socket = DatagramSocket::open({"127.0.0.1", 0}, {});
  if (!socket) FAIL(socket.error().message);
  return std::move(socket).value();
}

std::string url_of(const DatagramSocket& socket) {
  return "udp://" + to_string(socket.address());
}

/// All that has arrived, pieces parted by " / ".
std::string received(int fd) {
  std::string all;
  std::vector<char> buffer(65536);
  while (true) {
    const ssize_t bytes = recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (bytes <= 0) return all;
    all += (all.empty() ? "" : " / ") + std::string(buffer.data(), static_cast<std::size_t>(bytes));
  }
}

struct Ran {
  std::optional<int> status;
  std::string output;
  std::string log;
};

Ran finish(Process& process) {
  const std::optional<int> status = process.wait(patience);
  return {status, process.output(), process.log()};
}

Ran send(const std::string& to, std::vector<std::string> words) {
  words.insert(words.begin(), {"--config=/dev/null", "send", "--to", to});
  Process process({.path = TALLYD, .arguments = words});
  return finish(process);
}

/// As a shell would: `what` on standard input.
Ran send_lines(const std::string& to, const std::string& printf_format) {
  Process process({.path = "/bin/sh",
                   .arguments = {"-c", "printf '" + printf_format +
                                           "' | " TALLYD " --config=/dev/null send - --to " + to}});
  return finish(process);
}

std::string closed_port() {
  return "udp://" + to_string(open_udp().address());
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("send: a value arrives as one datagram, and nothing is said") {
  const DatagramSocket socket = open_udp();
  const Ran counter = send(url_of(socket), {"counter", "hits", "3", "--tag", "a:b"});
  CHECK(counter.status == 0);
  CHECK(counter.output + counter.log == "");
  CHECK(received(socket.fd()) == "hits:3|c|#a:b");
  CHECK(send(url_of(socket), {"gauge", "queue", "-3"}).status == 0);
  CHECK(send(url_of(socket), {"event", "Deploy", "v1\nby ann"}).status == 0);
  CHECK(received(socket.fd()) == "queue:-3|g / _e{6,10}:Deploy|v1\\nby ann");
}

TEST_CASE("send: without --to it goes to the first listener of the configuration") {
  const DatagramSocket socket = open_udp();
  Process process({.path = TALLYD,
                   .arguments = {"-c", "/dev/null", "--set",
                                 "listen.udp=[\"" + to_string(socket.address()) + "\"]", "send",
                                 "set", "users", "ann"}});
  CHECK(finish(process).status == 0);
  CHECK(received(socket.fd()) == "users:ann|s");
}

TEST_CASE("send: what tallyd would refuse is not sent, and the status is 2") {
  const DatagramSocket socket = open_udp();
  const Ran ran = send(url_of(socket), {"timer", "login", "12ms"});
  CHECK(ran.status == 2);
  CHECK(ran.log ==
        "refused, bad_value: the value is no finite decimal number\n"
        "  \"login:12ms|ms\"\n"
        "         ^\n");
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"counter", "x"},
                                             {"counter", "x", "1", "2"},
                                             {"time", "x"},
                                             {"cuonter", "x", "1"},
                                             {"counter", "a\nb", "1"},
                                             {"time", "a|b", "--", "/bin/true"},
                                             {"time", "tallyd.x", "--", "/bin/true"}}) {
    CAPTURE(words[0]);
    const Ran wrong = send(url_of(socket), words);
    CHECK(wrong.status == 2);
    CHECK(wrong.log != "");
  }
  CHECK(received(socket.fd()) == "");
}

TEST_CASE("send: it says that nobody listens, whatever the transport") {
  const TemporaryDirectory directory;
  for (const std::string& to :
       {closed_port(), "tcp://127.0.0.1:" + std::to_string(testing::free_tcp_port()),
        "unix://" + directory.path() + "/none", std::string("unix://@tallyd-send-test-none")}) {
    CAPTURE(to);
    const Ran ran = send(to, {"counter", "hits", "1"});
    CHECK(ran.status == 1);
    CHECK_MESSAGE(ran.log.starts_with("tallyd: nobody listens at "), ran.log);
    CHECK_MESSAGE(contains(ran.log, "is tallyd running? --to says where to send"), ran.log);
  }
}

TEST_CASE("send: Unix sockets of both kinds and TCP take lines") {
  const TemporaryDirectory directory;
  Result<DatagramSocket> gram = DatagramSocket::open_unix(directory.path() + "/g", {});
  REQUIRE(gram);
  CHECK(send("unix://" + directory.path() + "/g", {"counter", "a", "1"}).status == 0);
  CHECK(received(gram.value().fd()) == "a:1|c");

  Result<StreamSocket> stream = StreamSocket::open_unix(directory.path() + "/s", {});
  Result<StreamSocket> tcp = StreamSocket::open_tcp({"127.0.0.1", 0});
  REQUIRE(stream);
  REQUIRE(tcp);
  CHECK(send("unix://" + directory.path() + "/s", {"counter", "b", "1"}).status == 0);
  CHECK(send("tcp://" + to_string(tcp.value().address()), {"counter", "c", "1"}).status == 0);
  const Descriptor on_stream(accept(stream.value().fd(), nullptr, nullptr));
  const Descriptor on_tcp(accept(tcp.value().fd(), nullptr, nullptr));
  CHECK(received(on_stream.get()).starts_with("b:1|c\n"));
  CHECK(received(on_tcp.get()).starts_with("c:1|c\n"));
}

TEST_CASE("send -: lines are packed into datagrams; those that would be refused are named") {
  const DatagramSocket socket = open_udp();
  const Ran ran = send_lines(url_of(socket), "a:1|c\\n\\nnonsense\\nb:2|ms|#x:y\\nc:3|g");
  CHECK(ran.status == 1);
  CHECK(ran.log ==
        "refused, missing_value: there is no value: a line is name:value|type\n"
        "  \"nonsense\"\n"
        "           ^\n");
  CHECK(received(socket.fd()) == "a:1|c\nb:2|ms|#x:y\nc:3|g");
}

TEST_CASE("send -: no datagram is larger than a frame, no line is lost, a line too long is named") {
  const DatagramSocket socket = open_udp();
  Process process(
      {.path = "/bin/sh",
       .arguments = {"-c",
                     "{ seq -f 'name.of.metric.%g:1|c' 1 500;"
                     " head -c 70000 /dev/zero | tr '\\0' x; echo; echo last:1\\|c; } | " TALLYD
                     " --config=/dev/null send - --to " +
                         url_of(socket)}});
  const Ran ran = finish(process);
  CHECK(ran.status == 1);
  CHECK(ran.log == "refused: a line of more than 65,507 bytes\n");
  std::vector<char> buffer(65536);
  std::size_t lines = 0;
  for (ssize_t bytes;
       (bytes = recv(socket.fd(), buffer.data(), buffer.size(), MSG_DONTWAIT)) > 0;) {
    CHECK(bytes <= 1432);
    lines += 1 + static_cast<std::size_t>(std::count(buffer.begin(), buffer.begin() + bytes, '\n'));
  }
  CHECK(lines == 501);
}

TEST_CASE("send -: nobody listens shows at the end at the latest") {
  const Ran ran = send_lines(closed_port(), "a:1|c\\n");
  CHECK(ran.status == 1);
  CHECK_MESSAGE(contains(ran.log, "nobody listens at udp 127.0.0.1:"), ran.log);
}

TEST_CASE("send time: a command's duration is a timer, its status the exit status") {
  const DatagramSocket socket = open_udp();
  const Ran ran = send(url_of(socket), {"time", "job", "--tag", "a:b", "--", "/bin/sh", "-c",
                                        "echo out; echo err >&2; sleep 0.02; exit 3"});
  CHECK(ran.status == 3);
  CHECK(ran.output == "out\n");
  CHECK(ran.log == "err\n");
  const std::string line = received(socket.fd());
  REQUIRE(line.starts_with("job:"));
  CHECK(line.ends_with("|ms|#a:b,status:failed"));
  const double ms = std::strtod(line.c_str() + 4, nullptr);
  CHECK(ms >= 20);
  CHECK(ms < 40'000);

  CHECK(send(url_of(socket), {"time", "job", "--", "true"}).status == 0);
  CHECK(received(socket.fd()).ends_with("|ms|#status:ok"));
}

TEST_CASE("send time: a command that cannot be run is 127 or 126, and nothing is sent") {
  const DatagramSocket socket = open_udp();
  const Ran missing = send(url_of(socket), {"time", "job", "--", "no-such-command"});
  CHECK(missing.status == 127);
  CHECK(missing.log == "tallyd: cannot run \"no-such-command\": No such file or directory\n");
  CHECK(send(url_of(socket), {"time", "job", "--", "/etc/passwd"}).status == 126);
  CHECK(received(socket.fd()) == "");
}

TEST_CASE("send time: when nobody listens it says so, and the status is still the command's") {
  const Ran ran = send(closed_port(), {"time", "job", "--", "/bin/sh", "-c", "exit 5"});
  CHECK(ran.status == 5);
  CHECK_MESSAGE(contains(ran.log, "nobody listens"), ran.log);
}

TEST_CASE("send time: signals reach the command, and it is waited for") {
  const DatagramSocket socket = open_udp();
  for (const int number : {SIGTERM, SIGINT, SIGUSR1}) {
    Process process(
        {.path = TALLYD,
         .arguments = {
             "--config=/dev/null", "send", "--to", url_of(socket), "time", "job", "--", "/bin/sh",
             "-c", "trap 'exit 7' TERM INT USR1; echo ready >&2; while :; do sleep 0.01; done"}});
    REQUIRE(process.wait_for_log("ready", patience));
    process.signal(number);
    CHECK(process.wait(patience) == 7);
  }
  CHECK(contains(received(socket.fd()), "status:failed"));
}

TEST_CASE("send time: a command that a signal ends gives 128 and the signal's number") {
  const DatagramSocket socket = open_udp();
  CHECK(send(url_of(socket), {"time", "job", "--", "/bin/sh", "-c", "kill -9 $$"}).status == 137);
  CHECK(received(socket.fd()).ends_with("status:failed"));
}
