#pragma once
// What waits on disk for a destination that the configuration does not name any more goes to one
// that it names.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tally/result.hpp"

namespace tally {

/// Segments that changed folders.
struct Adopted {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
};

/// Which of the spools in use takes the points of another one below the same root: the only one
/// there is, else the one whose destination has the same name. Nothing if none does.
std::optional<std::string> heir_of(const std::string& stranger,
                                   const std::vector<std::string>& in_use);

/// Moves all segments of `from` into `into`, under new names, and removes what is left of the
/// folder but for dead letters. Whatever ends it, each segment is in one of both. Where reading had
/// come to is not taken along: up to one segment is sent twice, which changes nothing in a
/// database. Errors: one of the folders is in use or not safe, or a file cannot be moved; what was
/// moved until then stays so. REQUIRES: nobody of this process has them open.
Result<Adopted> adopt_spool(const std::string& from, const std::string& into);

}  // namespace tally
