#pragma once
// What the tests of the spool share: a directory in memory, payloads that tell who they are, and
// files to be damaged.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "spool/spool.hpp"

namespace tally::testing {

/// A directory of its own in /dev/shm, or else below TMPDIR: removed with all it holds.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::string& path() const { return path_; }
  std::string spool() const { return path_ + "/spool/db-00000007"; }

  /// Of the files of the spool, by name, that end like this.
  std::vector<std::string> files(std::string_view suffix = ".lp") const;
  std::uint64_t spool_bytes() const;  ///< of all files called like segments

  std::string read(const std::string& name) const;  ///< a file of the spool
  void write(const std::string& name, const std::string& bytes) const;
  void remove(const std::string& name) const;

 private:
  std::string path_;
};

/// A small spool without rules about the rest of the disk.
SpoolSettings small_spool(const Scratch& scratch);

inline constexpr WallTime test_now{std::chrono::milliseconds(1'700'000'000'000)};

/// A payload of `lines` lines that no other id has; windows rise with the ids, a second each.
Payload payload_of(std::uint64_t id, std::uint32_t lines = 3);

/// The id of a payload; fails the test if it is not exactly what `payload_of` made.
std::uint64_t id_of(const Payload& payload);

std::unique_ptr<Spool> open_spool(const SpoolSettings& settings);

/// Puts the ids [first, last].
void put_all(Spool& spool, std::uint64_t first, std::uint64_t last);

/// Takes and acknowledges all that waits.
std::vector<std::uint64_t> drain(Spool& spool);

/// What waits according to `look_at_spool`.
std::vector<std::uint64_t> ids_on_disk(const Scratch& scratch);

/// [first, last]
std::vector<std::uint64_t> ids(std::uint64_t first, std::uint64_t last);

/// All findings in one text.
std::string findings(Spool& spool);

}  // namespace tally::testing
