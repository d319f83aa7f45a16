#include "tally/senders.hpp"

#include <cstring>

namespace tally {
namespace {

// A sender that finds no place within so many slots is one of the others: whatever addresses are
// made up, a datagram costs no more than this.
constexpr std::size_t probes_max = 64;
constexpr std::size_t index_least = 64;

std::uint64_t hash_of(const Peer& peer) {
  std::uint64_t words[2];
  std::memcpy(words, peer.ip.data(), sizeof words);
  const auto rest = std::uint64_t{peer.port} | static_cast<std::uint64_t>(peer.family) << 16 |
                    static_cast<std::uint64_t>(static_cast<std::uint32_t>(peer.pid)) << 32;
  std::uint64_t x = words[0] + words[1] * 0x9e3779b97f4a7c15 + rest;
  // The finish of splitmix64 (Steele, Lea and Flood 2014).
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

}  // namespace

Senders::Senders() : senders_(1) {}

std::uint16_t Senders::number_of(const Peer& peer) {
  if (last_ != 0 && senders_[last_].peer == peer) return last_;
  return last_ = find_or_add(peer);
}

std::uint16_t Senders::find_or_add(const Peer& peer) {
  if (2 * senders_.size() > index_.size() && senders_.size() <= senders_max) grow_index();
  const std::uint64_t hash = hash_of(peer);
  for (std::size_t probe = 0; probe < probes_max; ++probe) {
    std::uint16_t& number = index_[(hash + probe) & (index_.size() - 1)];
    if (number == 0) {
      if (senders_.size() > senders_max) return 0;
      senders_.push_back({.peer = peer});
      return number = static_cast<std::uint16_t>(senders_.size() - 1);
    }
    if (senders_[number].peer == peer) return number;
  }
  return 0;
}

void Senders::grow_index() {
  index_.assign(index_.empty() ? index_least : 2 * index_.size(), 0);
  for (std::uint16_t number = 1; number < senders_.size(); ++number) {
    const std::uint64_t hash = hash_of(senders_[number].peer);
    for (std::size_t probe = 0; probe < probes_max; ++probe) {
      std::uint16_t& slot = index_[(hash + probe) & (index_.size() - 1)];
      if (slot != 0) continue;
      slot = number;
      break;
    }
  }
}

std::vector<std::uint16_t> Senders::merge(const Senders& other) {
  std::vector<std::uint16_t> numbers(other.senders_.size(), 0);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const Sender& theirs = other.senders_[i];
    if (i != 0) numbers[i] = number_of(theirs.peer);
    Sender& ours = senders_[numbers[i]];
    ours.datagrams += theirs.datagrams;
    ours.bytes += theirs.bytes;
    ours.lines += theirs.lines;
    ours.refused += theirs.refused;
  }
  return numbers;
}

}  // namespace tally
