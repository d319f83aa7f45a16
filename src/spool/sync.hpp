#pragma once
// What was written and has not been confirmed by the disk.

#include <cstdint>
#include <optional>
#include <vector>

#include "posix/descriptor.hpp"
#include "spool/shared.hpp"
#include "tally/result.hpp"

namespace tally {

/// One call of fdatasync a file, to be run on any thread; it knows nothing of the spool and may
/// outlive it.
class SpoolSync {
 public:
  /// Forces everything to disk that had been put when this was made. May block for seconds.
  Status run() const;

 private:
  friend class SyncDebt;
  std::vector<Descriptor> files_;
  std::optional<Descriptor> directory_;  ///< where a segment is new
};

/// What is owed to the disk, and the story of paying it. A file that was not confirmed is never
/// synced again: after an error of fsync the kernel may have thrown the pages away and called them
/// clean.
class SyncDebt {
 public:
  explicit SyncDebt(SpoolShared& shared) : shared_(shared) {}

  void add_points(std::uint64_t points) { points_owed_ += points; }
  void add_name() { is_listed_ = false; }  ///< the directory has a new file
  void add_retired(Descriptor file);       ///< written to, and no more
  void forget();                           ///< nothing is on disk any more

  /// At once, for the policy `always`; 0 or an errno.
  int pay_now(int file);

  /// A file that is being written.
  struct Open {
    int file = -1;
    bool* is_dirty = nullptr;  ///< cleared when it becomes part of the task
  };
  /// Nothing if nothing is owed, if one is under way, or if no descriptor is free: then the next
  /// window tries again.
  std::optional<SpoolSync> start(const std::vector<Open>& open);

  /// False if the disk did not confirm: then nothing more may be written to the open files.
  bool end(const Status& outcome);

 private:
  SpoolShared& shared_;
  std::vector<Descriptor> retired_;
  bool is_listed_ = true;  ///< no file is newer than the last sync of the directory
  bool is_paying_ = false;
  bool has_failed_ = false;  ///< and none has succeeded since
  std::uint64_t points_owed_ = 0;
  std::uint64_t points_paying_ = 0;
};

}  // namespace tally
