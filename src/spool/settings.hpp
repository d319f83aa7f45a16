#pragma once
// How a spool is to be kept.

#include <chrono>
#include <cstdint>
#include <string>

namespace tally {

/// When what was put is forced onto the disk. Without it the death of the process loses nothing, a
/// power cut what the kernel has not written yet (some 30 s).
enum class SpoolSyncPolicy : std::uint8_t {
  interval,  ///< by the caller through `Spool::start_sync`, once a window, off the loop
  always,    ///< inside `put`, which may then take as long as the disk likes
  never
};

struct SpoolSettings {
  std::string directory;          ///< as `spool_directory_of` makes it
  std::uint64_t fingerprint = 0;  ///< as `spool_fingerprint` makes it
  bool adopts = false;            ///< else segments with another fingerprint are not sent
  std::uint64_t bytes_max = std::uint64_t{1} << 30;  ///< of the segments, at least two of them
  std::chrono::milliseconds age_max = std::chrono::hours(24);  ///< of a window's start
  double free_share_min = 0.05;                                ///< of the file system, and
  std::uint64_t free_bytes_min = std::uint64_t{512} << 20;     ///< the larger of both; 0 and 0: off
  SpoolSyncPolicy sync = SpoolSyncPolicy::interval;
  std::uint64_t segment_bytes = std::uint64_t{8} << 20;

  /// Bytes that stay free on a file system of `disk_bytes`.
  std::uint64_t left_to_others(std::uint64_t disk_bytes) const;
};

}  // namespace tally
