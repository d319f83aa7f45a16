// tallyd replay: the program itself, with a listener of the test's own.

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/socket.h>

#include <chrono>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "pcap_file.hpp"
#include "process.hpp"
#include "receive/datagram_socket.hpp"
#include "sanitized.hpp"

using namespace tally;
using namespace std::chrono_literals;
using namespace tally::testing;

namespace {

constexpr std::chrono::seconds patience{40};
constexpr std::uint32_t start = 1'700'000'000;

/// A listener, and what has arrived at it.
class Listener {
 public:
  Listener() : socket_(open()) {}

  std::string to() const { return "udp://" + to_string(socket_.address()); }

  std::vector<std::string> take() {
    std::vector<std::string> datagrams;
    std::vector<char> buffer(65536);
    for (ssize_t bytes;
         (bytes = recv(socket_.fd(), buffer.data(), buffer.size(), MSG_DONTWAIT)) >= 0;)
      datagrams.emplace_back(buffer.data(), static_cast<std::size_t>(bytes));
    return datagrams;
  }

 private:
  static DatagramSocket open() {
    Result<DatagramSocket> socket = DatagramSocket::open({"127.0.0.1", 0}, {});
    if (!socket) FAIL(socket.error().message);
    return std::move(socket).value();
  }

  DatagramSocket socket_;
};

struct Ran {
  std::optional<int> status;
  std::string output;
  std::string log;
  std::chrono::milliseconds took{};
};

Ran run(std::vector<std::string> words) {
  words.insert(words.begin(), {"--config=/dev/null", "replay"});
  const auto began = std::chrono::steady_clock::now();
  Process process({.path = TALLYD, .arguments = std::move(words)});
  const std::optional<int> status = process.wait(patience);
  return {status, process.output(), process.log(),
          std::chrono::floor<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began)};
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// RssAnon: what a process has touched of its own.
std::size_t own_memory_kib(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("RssAnon:")) return std::stoul(line.substr(8));
  FAIL("no RssAnon");
  return 0;
}

/// Four datagrams, 100 ms apart, to two ports, among others.
PcapFile mixed() {
  PcapFile file;
  file.add(ipv4(udp(8125, "a:1|c")), start, 0);
  file.add(ipv4("tcp", {.protocol = 6}), start, 50'000);
  file.add(ipv6(udp(8125, "b:2|c\nc:3|c")), start, 100'000);
  file.add(ipv4(udp(53, "\x01\x02")), start, 200'000);
  file.add(ipv4(udp(8125, "part"), {.fragment = 0x2000}), start, 250'000);
  file.add(ipv4(udp(8125, "d:4|c")), start, 300'000);
  return file;
}

}  // namespace

TEST_CASE("replay: datagrams are sent in their order and pace, and the file is told of") {
  const TemporaryDirectory directory;
  const std::string file = directory.write("a.pcap", mixed().bytes());
  Listener listener;
  const Ran ran = run({file, "--to", listener.to(), "--port", "8125"});
  CHECK(ran.status == 0);
  CHECK(listener.take() == std::vector<std::string>{"a:1|c", "b:2|c\nc:3|c", "d:4|c"});
  CHECK(ran.took >= 300ms);
  CHECK_MESSAGE(contains(ran.output, "sent 3 datagrams, 21 bytes, to udp 127.0.0.1:"), ran.output);
  CHECK_MESSAGE(contains(ran.output, "\": raw IP, 6 packets from 2023-11-14 22:13:20 to "),
                ran.output);
  CHECK_MESSAGE(contains(ran.output, "left out: 1 no UDP, 1 fragments, 1 to other ports\n"),
                ran.output);
}

TEST_CASE("replay: all ports by default, faster and without a pause, no more than the limit") {
  const TemporaryDirectory directory;
  const std::string file = directory.write("a.pcap", mixed().bytes());
  Listener listener;
  const Ran fast = run({file, "--to", listener.to(), "--speed", "10"});
  CHECK(fast.took >= 30ms);
  CHECK(listener.take().size() == 4);
  CHECK_MESSAGE(contains(fast.output, "ports: 8125 (3), 53 (1); --port 8125 sends only those\n"),
                fast.output);
  CHECK(run({file, "--to", listener.to(), "--speed", "max", "--limit", "2"}).status == 0);
  CHECK(listener.take() == std::vector<std::string>{"a:1|c", "b:2|c\nc:3|c"});
}

TEST_CASE("replay: a pause of the capture is waited for, and Ctrl-C ends it with a report") {
  const TemporaryDirectory directory;
  PcapFile file;
  file.add(ipv4(udp(8125, "a:1|c")), start);
  file.add(ipv4(udp(8125, "b:1|c")), start + 3600);
  Listener listener;
  Process process({.path = TALLYD,
                   .arguments = {"--config=/dev/null", "replay", "--to", listener.to(),
                                 directory.write("a.pcap", file.bytes())}});
  std::vector<std::string> heard;
  REQUIRE(eventually(patience, [&] {
    for (std::string& datagram : listener.take()) heard.push_back(std::move(datagram));
    return !heard.empty();
  }));
  process.signal(SIGINT);
  CHECK(process.wait(patience) == 0);
  CHECK_MESSAGE(contains(process.output(), "sent 1 datagrams"), process.output());
}

TEST_CASE("replay: a capture that comes through a pipe is read as it comes") {
  const TemporaryDirectory directory;
  const std::string file = directory.write("a.pcap", mixed().bytes());
  Listener listener;
  Process process(
      {.path = "/bin/sh",
       .arguments = {"-c", "cat " + file +
                               " | " TALLYD " --config=/dev/null replay - --speed=max --to " +
                               listener.to()}});
  CHECK(process.wait(patience) == 0);
  CHECK(listener.take().size() == 4);
}

TEST_CASE("replay: what cannot be read or sent is an error that says what to do") {
  const TemporaryDirectory directory;
  Listener listener;
  PcapFile wireless({.link_type = 105});
  wireless.add("x");
  PcapFile only_tcp;
  only_tcp.add(ipv4("x", {.protocol = 6}));
  struct Row {
    std::string name;
    std::string bytes;
    std::string says;
  };
  const std::vector<Row> rows = {
      {"ng", "\x0A\x0D\x0D\x0A....", "it is a pcapng file; convert it with: editcap -F pcap"},
      {"text", "hello, world", "it is no pcap file"},
      {"empty", "", "it is no pcap file: it ends before its header does"},
      {"wireless", wireless.bytes(),
       "link type 105, which is not read here; capture with: tcpdump"},
      {"tcp", only_tcp.bytes(), "there is nothing in it to send"},
      {"damaged", mixed().bytes() + std::string(16, '\x7F'), "it is damaged at byte "},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Ran ran =
        run({directory.write(row.name, row.bytes), "--to", listener.to(), "--speed=max"});
    CHECK(ran.status == 1);
    CHECK_MESSAGE(contains(ran.log, "/" + row.name + "\": "), ran.log);
    CHECK_MESSAGE(contains(ran.log, row.says), ran.log);
  }
  CHECK(run({"/nowhere/a.pcap", "--to", listener.to()}).log ==
        "tallyd: \"/nowhere/a.pcap\": cannot open it: No such file or directory\n");
  for (const std::string speed : {"0", "-1", "fast", "inf", "nan", "1x"}) {
    CAPTURE(speed);
    CHECK(run({"/dev/null", "--speed", speed}).status == 2);
  }
}

TEST_CASE("replay: nobody listens") {
  const TemporaryDirectory directory;
  const std::string file = directory.write("a.pcap", mixed().bytes());
  const std::string nobody = Listener().to();
  const Ran ran = run({file, "--to", nobody, "--speed", "max"});
  CHECK(ran.status == 1);
  CHECK_MESSAGE(contains(ran.log, "nobody listens at udp 127.0.0.1:"), ran.log);
}

TEST_CASE("replay: memory does not grow with the file" * doctest::skip(is_sanitized)) {
  const TemporaryDirectory directory;
  PcapFile file;
  const std::string packet = ipv4(udp(1, std::string(1400, 'x')));
  for (int i = 0; i < 20'000; ++i) file.add(packet, start);  // 29 MB
  file.add(ipv4(udp(8125, "all was read")), start);
  file.add(ipv4(udp(8125, "waits")), start + 3600);
  Listener listener;
  const Process process({.path = TALLYD,
                         .arguments = {"--config=/dev/null", "replay", "--port=8125", "--to",
                                       listener.to(), directory.write("a.pcap", file.bytes())}});
  REQUIRE(eventually(patience, [&] { return !listener.take().empty(); }));
  CHECK(own_memory_kib(process.pid()) < 8192);
}
