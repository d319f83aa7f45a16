#pragma once
// Who sent in one window, and how much.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tally/peer.hpp"

namespace tally {

/// What one sender sent.
struct Sender {
  Peer peer;
  std::uint64_t datagrams = 0;
  std::uint64_t bytes = 0;  ///< of datagrams and streams
  std::uint64_t lines = 0;  ///< not empty
  std::uint64_t refused = 0;

  friend bool operator==(const Sender&, const Sender&) = default;
};

/// The senders of one window by number, so that a series can remember its last one in two bytes.
/// Number 0 stands for all who came when `senders_max` were known: their sum is kept, their names
/// are not. One owner and one thread at a time; moved whole, beside the Table.
class Senders {
 public:
  static constexpr std::size_t senders_max = 4095;

  Senders();

  /// The number of a peer, 1 .. `senders_max`; 0 when there is no room for it. O(1); of the peer
  /// that was asked for last without a look at the others. Allocates in the first calls only.
  std::uint16_t number_of(const Peer& peer);

  Sender& operator[](std::uint16_t number) { return senders_[number]; }
  const Sender& operator[](std::uint16_t number) const { return senders_[number]; }

  /// All, number 0 first.
  std::span<const Sender> all() const { return senders_; }

  /// Adds what `other` knows. Returns for each of its numbers the one here.
  std::vector<std::uint16_t> merge(const Senders& other);

 private:
  std::uint16_t find_or_add(const Peer& peer);
  void grow_index();

  std::vector<Sender> senders_;  // by number
  std::vector<std::uint16_t>
      index_;               // open addressing; 0 is free; a power of two, at most half full
  std::uint16_t last_ = 0;  // number_of's last answer
};

}  // namespace tally
