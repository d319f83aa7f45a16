#include "tally/peer.hpp"

#include <doctest/doctest.h>

using namespace tally;

namespace {

Peer v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d, std::uint16_t port = 4711) {
  return {.family = Peer::Family::v4, .ip = {a, b, c, d}, .port = port};
}

Peer v6(std::uint8_t first, std::uint8_t second, std::uint8_t last) {
  Peer peer{.family = Peer::Family::v6, .ip = {first, second}, .port = 4711};
  peer.ip[15] = last;
  return peer;
}

Network network(std::string_view text) {
  const auto parsed = parse_network(text);
  if (!parsed) FAIL(parsed.error().message);
  return parsed.value();
}

}  // namespace

TEST_CASE("peer: is written as tools write it") {
  CHECK(to_string(v4(10, 1, 2, 3)) == "10.1.2.3:4711");
  CHECK(to_string(v6(0, 0, 1)) == "[::1]:4711");
  CHECK(to_string(v6(0xfd, 0, 0x1f)) == "[fd00::1f]:4711");
  CHECK(to_string(Peer{.pid = 4711}) == "pid 4711");
  CHECK(to_string(Peer{}) == "local");
}

TEST_CASE("network: what is read is written back in full") {
  struct Row {
    std::string_view text, back;
  };
  constexpr Row rows[] = {
      {"10.0.0.0/8", "10.0.0.0/8"},
      {"10.1.2.3", "10.1.2.3/32"},
      {"10.1.2.3/32", "10.1.2.3/32"},
      {"10.1.2.128/25", "10.1.2.128/25"},
      {"0.0.0.0/0", "0.0.0.0/0"},
      {"::/0", "::/0"},
      {"fd00::/8", "fd00::/8"},
      {"FD00:0:0::1", "fd00::1/128"},
      {"2001:db8::8000/113", "2001:db8::8000/113"},
      // Peers of this kind are IPv4 peers, so a network of them must be one too.
      {"::ffff:10.0.0.0/104", "10.0.0.0/8"},
      {"::ffff:10.1.2.3", "10.1.2.3/32"},
      {"::ffff:0:0/96", "0.0.0.0/0"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(to_string(network(row.text)) == row.back);
  }
}

TEST_CASE("network: what is no network is refused with what to write") {
  struct Row {
    std::string_view text, message;
  };
  using namespace std::string_view_literals;
  constexpr Row rows[] = {
      {"", "\"\" is no network: write 10.0.0.0/8, fd00::/8 or an IP address"},
      {"example.com", "\"example.com\" is no network: write 10.0.0.0/8, fd00::/8 or an IP address"},
      {"10.0.0/8", "\"10.0.0/8\" is no network: write 10.0.0.0/8, fd00::/8 or an IP address"},
      {"10.0.0.1\0/32"sv,
       "\"10.0.0.1\\x00/32\" is no network: write 10.0.0.0/8, fd00::/8 or an IP address"},
      {"10.0.0.0/33", "\"10.0.0.0/33\": behind the '/' stands a number of bits, 0 .. 32"},
      {"fd00::/129", "\"fd00::/129\": behind the '/' stands a number of bits, 0 .. 128"},
      {"10.0.0.0/", "\"10.0.0.0/\": behind the '/' stands a number of bits, 0 .. 32"},
      {"10.0.0.0/8x", "\"10.0.0.0/8x\": behind the '/' stands a number of bits, 0 .. 32"},
      {"10.0.0.0/-1", "\"10.0.0.0/-1\": behind the '/' stands a number of bits, 0 .. 32"},
      {"10.0.0.0/264", "\"10.0.0.0/264\": behind the '/' stands a number of bits, 0 .. 32"},
      {"10.1.0.0/8",
       "\"10.1.0.0/8\": the address has bits behind the prefix; did you mean 10.0.0.0/8?"},
      {"fd00::1/127",
       "\"fd00::1/127\": the address has bits behind the prefix; did you mean fd00::/127?"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto parsed = parse_network(row.text);
    CHECK_FALSE(parsed);
    if (!parsed) CHECK(parsed.error().message == row.message);
  }
}

TEST_CASE("network: holds the addresses whose first bits are its own, and no others") {
  struct Row {
    std::string_view network;
    Peer peer;
    bool contains;
  };
  const Row rows[] = {
      {"10.0.0.0/8", v4(10, 255, 255, 255), true},
      {"10.0.0.0/8", v4(11, 0, 0, 0), false},
      {"10.1.2.128/25", v4(10, 1, 2, 128), true},
      {"10.1.2.128/25", v4(10, 1, 2, 127), false},
      {"10.1.2.3", v4(10, 1, 2, 3), true},
      {"10.1.2.3", v4(10, 1, 2, 2), false},
      {"0.0.0.0/0", v4(255, 1, 2, 3), true},
      {"0.0.0.0/0", v6(0, 0, 1), false},
      {"::/0", v4(10, 1, 2, 3), false},
      {"::/0", v6(0xff, 1, 2), true},
      {"fd00::/9", v6(0xfd, 0x7f, 1), true},
      {"fd00::/9", v6(0xfd, 0x80, 1), false},
      {"::1", v6(0, 0, 1), true},
      {"::1", v6(0, 0, 2), false},
      {"0.0.0.0/0", Peer{.pid = 1}, false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.network);
    CAPTURE(to_string(row.peer));
    CHECK(network(row.network).contains(row.peer) == row.contains);
  }
}

TEST_CASE(
    "allow list: empty lets all in, else one network must hold the peer, but for local ones") {
  const std::vector<Network> two = {network("10.0.0.0/8"), network("::1")};
  CHECK(is_allowed({}, v4(1, 2, 3, 4)));
  CHECK(is_allowed(two, v4(10, 2, 3, 4)));
  CHECK(is_allowed(two, v6(0, 0, 1)));
  CHECK_FALSE(is_allowed(two, v4(1, 2, 3, 4)));
  CHECK_FALSE(is_allowed(two, v6(0, 0, 2)));
  CHECK(is_allowed(two, Peer{.pid = 4711}));
}
