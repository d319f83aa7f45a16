#include "http/limits.hpp"

#include <doctest/doctest.h>

using namespace tally;
using namespace tally::http;

namespace {

constexpr Peer here{.family = Peer::Family::v4, .ip = {127, 1, 2, 3}};
constexpr Peer here_v6{.family = Peer::Family::v6,
                       .ip = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
constexpr Peer there{.family = Peer::Family::v4, .ip = {10, 0, 0, 1}};
constexpr Peer there_v6{.family = Peer::Family::v6, .ip = {0xfd}};
constexpr Peer local{};

}  // namespace

TEST_CASE("limits: no one has room where all places are taken") {
  for (const Peer& peer : {here, here_v6, there, there_v6, local}) {
    CHECK(has_room({.connections_max = 3}, {.all = 2}, peer));
    CHECK_FALSE(has_room({.connections_max = 3}, {.all = 3}, peer));
  }
}

TEST_CASE("limits: one address cannot take all places, unless it is this host's") {
  const Limits limits{.connections_a_peer_max = 2};
  for (const Peer& peer : {there, there_v6}) {
    CHECK(has_room(limits, {.all = 9, .of_peer = 1}, peer));
    CHECK_FALSE(has_room(limits, {.all = 9, .of_peer = 2}, peer));
  }
  for (const Peer& peer : {here, here_v6, local})
    CHECK(has_room(limits, {.all = 9, .of_peer = 9}, peer));
}
