#pragma once
// Lines that the database will never take, kept for an operator to read or to try again.
//
//     <spool's directory>/dead/dead-<16 digits>.tsv    the oldest file goes when there is too much
//
// A line of such a file: reason, tab, start of its window in UTC, tab, line protocol.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "posix/descriptor.hpp"
#include "spool/directory.hpp"
#include "tally/outbox.hpp"
#include "tally/result.hpp"

namespace tally {

/// `added` + what lay there = `kept` + `dropped_full`.
struct DeadLetterCounts {
  std::uint64_t found = 0;  ///< when it was opened
  std::uint64_t added = 0;
  std::uint64_t kept = 0;          ///< on disk now
  std::uint64_t dropped_full = 0;  ///< oldest file first
  std::uint64_t failed = 0;        ///< could not be written; not in `added`

  bool balances() const { return found + added == kept + dropped_full; }
};

/// `letter` as a line of a file, line end included. A reason's tabs, line ends and other control
/// characters become spaces.
std::string to_tsv(const DeadLetter& letter);

/// The letter that a line of a file (without its end) holds; nothing if it is none.
std::optional<DeadLetter> from_tsv(std::string_view line);

/// Of one destination; only the process that has the spool's lock may write here. One thread.
class DeadLetters {
 public:
  /// Makes `<spool>/dead` (0700) if need be. `bytes_max`: of all files, which come by sixteenths.
  static Result<std::unique_ptr<DeadLetters>> open(const std::string& spool,
                                                   std::uint64_t bytes_max = 16 << 20);

  DeadLetters(const DeadLetters&) = delete;
  DeadLetters& operator=(const DeadLetters&) = delete;

  /// Into the page cache. On an error the letter is counted as failed, and nothing of it is kept.
  Status add(const DeadLetter& letter);

  const DeadLetterCounts& counts() const { return counts_; }
  std::uint64_t bytes_max() const { return bytes_max_; }
  std::uint64_t bytes() const;

 private:
  struct File {
    std::string name;
    std::uint64_t bytes = 0;
    std::uint64_t letters = 0;
  };

  DeadLetters(SpoolDirectory directory, std::uint64_t bytes_max)
      : directory_(std::move(directory)), bytes_max_(bytes_max) {}

  Status find_files();
  Status begin_file();
  void drop_oldest();

  SpoolDirectory directory_;
  std::uint64_t bytes_max_;
  std::vector<File> files_;  ///< oldest first
  std::uint64_t next_number_ = 1;
  std::optional<Descriptor> writer_;  ///< of the last one
  DeadLetterCounts counts_;
};

/// All letters of `<spool>/dead`, oldest first; needs no lock. Lines that are no letters, such as
/// one that was cut short, are left out.
Result<std::vector<DeadLetter>> read_dead_letters(const std::string& spool);

/// Deletes all files there. REQUIRES: the spool's lock.
Status remove_dead_letters(const std::string& spool);

}  // namespace tally
