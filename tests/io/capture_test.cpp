#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "pcap_file.hpp"
#include "tools_rig.hpp"

using namespace tally::testing;
using tally::test::cut;
using tally::test::FakeReply;
using tally::test::FakeRequest;
using tally::test::reply;

namespace {

std::string contents(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

PcapFile two_packets() {
  PcapFile file;
  file.add(ipv4(udp(8125, "a:1|c")));
  file.add(ipv4(udp(8125, "b:1|c")));
  return file;
}

const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.tcpdump.pcap\r\n\r\n";

}  // namespace

TEST_CASE(
    "capture: what comes is the file, which only its owner can read, and the bounds are asked "
    "for") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/a.pcap";
  ToolRig rig([](const FakeRequest&) { return cut(head + two_packets().bytes()); });
  const Ran ran = rig.run({"capture", path, "--seconds", "10", "--bytes", "1MiB"});
  CHECK(ran.status == 0);
  CHECK(ran.output == "");
  CHECK(ran.log == "tallyd: 2 packets, 122 bytes, in \"" + path + "\"\n");
  CHECK(contents(path) == two_packets().bytes());
  CHECK(rig.server().requests().at(0).target == "/api/v1/capture?seconds=10&bytes=1048576");
  struct stat made {};
  REQUIRE(stat(path.c_str(), &made) == 0);
  CHECK((made.st_mode & 0777) == 0600);

  const Ran to_pipe = rig.run({"capture", "-"});
  CHECK(to_pipe.output == two_packets().bytes());
  CHECK(rig.server().requests().at(1).target == "/api/v1/capture");
}

TEST_CASE("capture: Ctrl-C leaves a file that ends with a whole packet") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/a.pcap";
  const std::string bytes = two_packets().bytes();
  ToolRig rig([&](const FakeRequest&) {
    return FakeReply{.bytes = head + bytes.substr(0, bytes.size() - 1)};
  });
  Process process(rig.command({"capture", path}));
  REQUIRE(rig.serve_until([&] { return contents(path).size() == bytes.size() - 1; }));
  process.signal(SIGINT);
  const Ran ran = rig.finish(process);
  CHECK(ran.status == 0);
  CHECK_MESSAGE(contains(ran.log, "1 packets, 73 bytes"), ran.log);
  CHECK(contents(path) == bytes.substr(0, 73));
}

TEST_CASE("capture: when nothing comes, an earlier file stays as it is") {
  const TemporaryDirectory directory;
  const std::string path = directory.write("a.pcap", "precious");
  ToolRig rig([](const FakeRequest&) { return reply(503, R"({"error":"two captures run"})"); });
  const Ran ran = rig.run({"capture", path});
  CHECK(ran.status == 1);
  CHECK_MESSAGE(contains(ran.log, "answers 503 \"two captures run\""), ran.log);
  CHECK(contents(path) == "precious");
}

TEST_CASE("capture: a file that cannot be written, and an answer that is no capture, are errors") {
  ToolRig rig([](const FakeRequest&) { return cut(head + two_packets().bytes()); });
  const Ran nowhere = rig.run({"capture", "/nowhere/a.pcap"});
  CHECK(nowhere.status == 1);
  CHECK(nowhere.log == "tallyd: cannot write \"/nowhere/a.pcap\": No such file or directory\n");
  const Ran full = rig.run({"capture", "/dev/full"});
  CHECK(full.status == 1);
  CHECK_MESSAGE(contains(full.log, "cannot write \"/dev/full\": No space left"), full.log);
  CHECK(rig.run({"capture", "x", "--bytes", "many"}).status == 2);
  CHECK(rig.run({"capture", "x", "--seconds", "3601"}).status == 2);

  const TemporaryDirectory directory;
  ToolRig other([](const FakeRequest&) { return cut(head + "<!doctype html>"); });
  const Ran page = other.run({"capture", directory.path() + "/a.pcap"});
  CHECK(page.status == 1);
  CHECK_MESSAGE(contains(page.log, "it is no pcap file"), page.log);
}
