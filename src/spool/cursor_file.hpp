#pragma once
// The file that remembers where reading goes on.

#include <cstdint>
#include <optional>

#include "posix/descriptor.hpp"
#include "spool/directory.hpp"
#include "spool/format.hpp"

namespace tally {

/// Written after each acknowledgement and never synced; an error changes nothing: without it a
/// start sends a segment again, and the database overwrites its points with the same.
class CursorFile {
 public:
  explicit CursorFile(const SpoolDirectory& directory)
      : directory_(directory), found_(directory.cursor()), generation_(found_.generation) {}

  /// As an earlier process left it.
  const Cursor& found() const { return found_; }

  /// What lies before `offset` of this segment is done.
  void move_to(std::uint64_t segment, std::uint64_t random, std::uint64_t offset);

 private:
  const SpoolDirectory& directory_;
  Cursor found_;
  std::uint64_t generation_;
  std::optional<Descriptor> file_;
};

}  // namespace tally
