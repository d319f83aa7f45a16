#pragma once
// What the parts of one spool share.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "spool/counts.hpp"
#include "spool/cursor_file.hpp"
#include "spool/directory.hpp"
#include "spool/settings.hpp"

namespace tally {

/// Owned by the spool; its parts borrow it.
struct SpoolShared {
  SpoolShared(SpoolSettings settings_, SpoolDirectory directory_);
  SpoolShared(const SpoolShared&) = delete;
  SpoolShared& operator=(const SpoolShared&) = delete;

  SpoolSettings settings;
  std::uint64_t segment_bytes;  ///< so that at least two fit
  SpoolDirectory directory;
  CursorFile cursor{directory};
  SpoolCounts counts;
  std::uint64_t next_segment;  ///< the number of the next that is begun
  std::uint64_t next_record = 1;

  /// Something for an operator to read, one line. A hundred of them are kept until they are taken.
  void say(std::string text);
  std::vector<std::string> findings;
};

/// "1 point", "12,345 points"
std::string points_in_words(std::uint64_t count);

/// "dropped 12,345 points older than 24 h (spool.max_age)"
std::string expired_in_words(std::uint64_t points, std::chrono::milliseconds age_max);

}  // namespace tally
