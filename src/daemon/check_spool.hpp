#pragma once
// tallyd check, the part that looks at the spool's disk.

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/findings.hpp"
#include "spool/spool.hpp"

namespace tally {

/// Of each spool: can its directory be used, what waits in it, is there room. One note if there are
/// none, so that points wait in memory only. Makes nothing and takes no lock, so a running tallyd
/// is not disturbed; what it does meanwhile may show half.
std::vector<Finding> find_spool_problems(const std::vector<SpoolSettings>& spools);

/// The file system of a spool. Bytes.
struct DiskRoom {
  std::uint64_t total = 0;
  std::uint64_t free = 0;   ///< for us
  std::uint64_t spool = 0;  ///< what the spool takes up already
};

/// Whether the spool may grow to its `bytes_max` before it must leave the rest to others. No I/O.
Finding judge_room(const DiskRoom& room, const SpoolSettings& settings);

}  // namespace tally
