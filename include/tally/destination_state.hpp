#pragma once
// How a destination is, in words and numbers for those who look.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "tally/time.hpp"

namespace tally {

/// What is known of one destination beside its DeliveryCounts.
struct DestinationState {
  enum class Health : std::uint8_t { unknown, ok, failing };  ///< unknown: nothing was sent yet

  std::string name;
  std::string url;     ///< without secrets; "" is standard output
  std::string api;     ///< "1", "2", "3", "0.8"; "auto" until it is found out
  std::string server;  ///< as it calls itself: "1.6.7", of 0.8 "InfluxDB v0.8.8"; "" until it did
  Health health = Health::unknown;
  std::string last_answer;  ///< "204", or what is wrong and what to do, in one line; "" before one
  std::optional<WallTime> last_answer_at;
  std::optional<WallTime> last_success_at;
  std::optional<WallTime> last_failure_at;
  std::chrono::milliseconds last_write_took{};  ///< the last one that was acknowledged
  std::size_t last_write_bytes = 0;             ///< of line protocol in it
  std::size_t queued_bytes = 0;
  std::uint64_t spool_bytes = 0;
  std::optional<WallTime> oldest;                ///< start of the oldest window that waits
  std::optional<std::chrono::milliseconds> eta;  ///< until the backlog is empty, at this pace
};

}  // namespace tally
