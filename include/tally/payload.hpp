#pragma once
// The encoded bytes of one request.

#include <cstdint>
#include <string>

#include "tally/time.hpp"

namespace tally {

using PayloadId = std::uint64_t;

enum class Precision : std::uint8_t { seconds, milliseconds, nanoseconds };

/// Line protocol of whole lines, each ended by '\n'. Never changed once made: a resend is the same
/// bytes with the same stamps, so the database overwrites instead of doubling.
struct Payload {
  PayloadId id = 0;  ///< given by the outbox, ascending
  std::string body;
  std::uint32_t points = 0;                  ///< lines in `body`
  Precision precision = Precision::seconds;  ///< of its stamps
  WallTime window{};                         ///< start of the window it holds, for messages
  bool is_on_disk = false;                   ///< the spool has it too
};

}  // namespace tally
