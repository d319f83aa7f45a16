#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>

#include "tally/senders.hpp"

using namespace tally;

namespace {

Peer peer(std::uint32_t address, std::uint16_t port) {
  Peer peer{.family = Peer::Family::v4, .port = port};
  for (std::size_t i = 0; i < 4; ++i)
    peer.ip[i] = static_cast<std::uint8_t>(address >> (24 - 8 * i));
  return peer;
}

}  // namespace

TEST_CASE("senders: each peer has one number, and keeps it") {
  Senders senders;
  std::map<std::uint16_t, std::uint32_t> numbers;
  for (std::uint32_t round = 0; round < 2; ++round) {
    for (std::uint32_t i = 0; i < 2000; ++i) {
      const std::uint16_t number =
          senders.number_of(peer(0x7f000001, static_cast<std::uint16_t>(i)));
      if (round == 0) {
        CHECK(number != 0);
        CHECK(numbers.emplace(number, i).second);
      } else {
        CHECK(numbers.at(number) == i);
      }
    }
  }
  CHECK(senders.all().size() == 2001);
}

TEST_CASE("senders: family, address, port and process each tell two peers apart") {
  const Peer v4 = peer(0x0a000001, 7);
  Peer v6 = v4, other = v4, local{.family = Peer::Family::local, .pid = 4711};
  v6.family = Peer::Family::v6;
  other.ip[3] = 2;
  Peer sibling = local;
  sibling.pid = 4712;
  Senders senders;
  std::vector<std::uint16_t> numbers;
  for (const Peer& each : {v4, v6, other, peer(0x0a000001, 8), local, sibling})
    numbers.push_back(senders.number_of(each));
  std::ranges::sort(numbers);
  CHECK(std::ranges::adjacent_find(numbers) == numbers.end());
  CHECK(senders.number_of(v4) == 1);
}

TEST_CASE("senders: past the most that are told apart all others share number 0") {
  Senders senders;
  std::size_t known = 0;
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    const std::uint16_t number = senders.number_of(peer(i, 1));
    known += number != 0;
    ++senders[number].lines;
  }
  // A few find no place earlier, where many meet.
  CHECK(known <= Senders::senders_max);
  CHECK(known > Senders::senders_max - 50);
  CHECK(senders.all().size() == known + 1);
  CHECK(senders[0].lines == 100'000 - known);
  CHECK(senders.number_of(peer(0, 1)) == 1);
}

TEST_CASE("senders: merged they are what one would have heard, and the numbers lead over") {
  Senders left, right;
  for (std::uint16_t i = 0; i < 100; ++i) left[left.number_of(peer(1, i))].lines += 1;
  for (std::uint16_t i = 50; i < 150; ++i) {
    Sender& sender = right[right.number_of(peer(1, i))];
    sender.lines += 10;
    sender.refused += 2;
    sender.bytes += 3;
    sender.datagrams += 4;
  }
  right[0].lines = 7;
  const std::vector<std::uint16_t> numbers = left.merge(right);
  CHECK(left.all().size() == 151);
  CHECK(left[0].lines == 7);
  CHECK(left[left.number_of(peer(1, 0))].lines == 1);
  CHECK(left[left.number_of(peer(1, 60))].lines == 11);
  CHECK(left[left.number_of(peer(1, 149))] ==
        Sender{.peer = peer(1, 149), .datagrams = 4, .bytes = 3, .lines = 10, .refused = 2});
  for (std::uint16_t number = 1; number < right.all().size(); ++number)
    CHECK(left[numbers[number]].peer == right[number].peer);
}
