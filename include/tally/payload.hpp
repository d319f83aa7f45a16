#pragma once
// The encoded bytes of one request.

#include <cstdint>
#include <string>

#include "tally/time.hpp"

namespace tally {

using PayloadId = std::uint64_t;

/// Line protocol of whole lines, each ended by '\n'. Never changed once made: a resend is the same
/// bytes with the same stamps, so the database overwrites instead of doubling.
struct Payload {
  PayloadId id = 0;  ///< given by the outbox, ascending
  std::string body;
  std::uint32_t points = 0;   ///< lines in `body`
  bool milliseconds = false;  ///< precision of its stamps: ms, else s
  WallTime window{};          ///< start of the window it holds, for messages
};

}  // namespace tally
