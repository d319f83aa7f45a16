#include "tools/replay_report.hpp"

#include <doctest/doctest.h>

using namespace tally;
using namespace std::chrono_literals;

TEST_CASE("replay report: what was sent, what the file holds, what was left out and why") {
  ReplayReport report{.file = "a.pcap",
                      .header = {.link_type = 1},
                      .packets = 12'360,
                      .sent = 12'340,
                      .bytes_sent = 1'234'567,
                      .other_ports = 15,
                      .ports = {{53, 15}, {8125, 12'340}},
                      .first = 1'700'000'000s,
                      .last = 1'700'000'060s + 1ns};
  report.kinds[static_cast<std::size_t>(PacketKind::udp)] = 12'355;
  report.kinds[static_cast<std::size_t>(PacketKind::fragment)] = 3;
  report.kinds[static_cast<std::size_t>(PacketKind::not_udp)] = 2;
  CHECK(in_words(report, "udp 127.0.0.1:8125", 60'100ms) ==
        "sent 12,340 datagrams, 1,234,567 bytes, to udp 127.0.0.1:8125 in 60.1 s\n"
        "\"a.pcap\": Ethernet, 12,360 packets from 2023-11-14 22:13:20 to 2023-11-14 22:14:20 UTC\n"
        "left out: 2 no UDP, 3 fragments, 15 to other ports\n"
        "ports: 8125 (12,340), 53 (15); --port 8125 sends only those\n");
}

TEST_CASE("replay report: a plain file is two lines, one that ends inside a packet says so") {
  ReplayReport report{.file = "a.pcap",
                      .header = {.link_type = 101},
                      .packets = 1,
                      .sent = 1,
                      .ports = {{8125, 1}},
                      .is_cut_short = true};
  CHECK(
      in_words(report, "unix \"/s\"", 0s) ==
      "sent 1 datagrams, 0 bytes, to unix \"/s\" in 0.0 s\n"
      "\"a.pcap\": raw IP, 1 packets from 1970-01-01 00:00:00 to 1970-01-01 00:00:00 UTC; it ends "
      "inside a packet\n");
}

TEST_CASE("replay report: of many ports the five busiest are named") {
  ReplayReport report{.file = "a"};
  for (std::uint16_t port = 1; port <= 7; ++port) report.ports[port] = port;
  CHECK(
      in_words(report, "x", 0s)
          .ends_with(
              "ports: 7 (7), 6 (6), 5 (5), 4 (4), 3 (3) and 2 more; --port 7 sends only those\n"));
}
