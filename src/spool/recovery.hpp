#pragma once
// What an earlier process left, gone through one file at a time. The reading, which takes as long
// as the disk needs, is done by steps that run on any thread; what they find is taken by the spool.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "spool/directory.hpp"
#include "spool/format.hpp"
#include "spool/segment_queue.hpp"
#include "spool/shared.hpp"
#include "spool/survey.hpp"
#include "tally/result.hpp"

namespace tally {

/// What a step found out.
struct RecoveryFinding {
  Status failed;                     ///< then the file, or all of them, wait until the next start
  std::vector<SegmentFile> files;    ///< of the first step: all that there are
  SegmentSurvey survey;              ///< of the others: one file
  std::vector<std::string> notices;  ///< in it: what an earlier process said of gaps
};

/// One look at the disk. Knows nothing of the spool and may outlive it.
class RecoveryStep {
 public:
  /// May block as long as the disk likes. Cuts what is torn off the end of a file.
  RecoveryFinding run() const;

 private:
  friend class SpoolRecovery;
  struct File {
    std::string name;
    std::uint64_t bytes = 0;
    std::uint64_t offset = 0;  ///< where reading goes on
    std::uint64_t random = 0;
    std::uint64_t last_number = 0;  ///< records up to here are known
  };

  explicit RecoveryStep(Result<SpoolDirectory> directory) : directory_(std::move(directory)) {}
  RecoveryFinding list() const;
  RecoveryFinding survey() const;

  Result<SpoolDirectory> directory_;  ///< a descriptor of its own, or why there is none
  std::optional<File> file_;          ///< nothing: all are listed
};

/// From the first step until the last file was read. One thread.
class SpoolRecovery {
 public:
  /// `queue` gets what is found. REQUIRES: all names on disk are below `shared.next_segment`, which
  /// tells our own files, made meanwhile, from the others.
  SpoolRecovery(SpoolShared& shared, SegmentQueue& queue)
      : shared_(shared), queue_(queue), first_of_ours_(shared.next_segment) {}
  SpoolRecovery(const SpoolRecovery&) = delete;
  SpoolRecovery& operator=(const SpoolRecovery&) = delete;

  bool is_done() const { return is_listed_ && files_.empty(); }

  /// What is to be looked at now. REQUIRES: not done, and none is under way.
  RecoveryStep next() const;

  /// What came of the step that `next` gave. Whole records wait in the queue from then on.
  void take(RecoveryFinding finding);

  /// Of files that were not read yet.
  std::uint64_t bytes_unread() const;

 private:
  void list(std::vector<SegmentFile> files);
  bool is_ours(const SegmentFile& file);
  void put_aside(const SegmentFile& file);
  std::string rename_to(const std::string& name, const std::string& suffix);
  void take_survey(const SegmentFile& file, const SegmentSurvey& survey);
  void report_damage(const std::string& name, const SegmentSurvey& survey);
  void report();
  std::uint64_t last_number_before(const SegmentHeader& header) const;

  SpoolShared& shared_;
  SegmentQueue& queue_;
  bool is_listed_ = false;
  std::deque<SegmentFile> files_;    ///< to be read
  SegmentHeader previous_;           ///< of the file that was read last,
  std::uint64_t previous_last_ = 0;  ///< and the number of its last record
  std::uint64_t first_of_ours_;      ///< in the order of names
  std::uint64_t foreign_files_ = 0;
  std::uint64_t foreign_bytes_ = 0;
  std::uint64_t bytes_found_ = 0;
  Stretch found_;  ///< what waited
};

}  // namespace tally
