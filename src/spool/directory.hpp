#pragma once
// A spool's directory and its files. All names are relative to a descriptor of the directory, so
// nobody can put another one in its place afterwards; no symbolic link is ever followed.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "posix/descriptor.hpp"
#include "spool/format.hpp"
#include "tally/result.hpp"

namespace tally {

/// One file that is called like a segment.
struct SegmentFile {
  std::string name;
  std::uint64_t bytes = 0;
  ReadHeader head;
  bool is_blank = false;  ///< nothing but zeros where the header should be
  int error = 0;          ///< errno of opening it; then nothing else is known

  bool is_readable() const {
    return error == 0 && (head.state == HeaderState::whole || head.state == HeaderState::mended);
  }
};

/// Writes all of `bytes` at `offset`; 0 or an errno. What was written before an error stays.
int write_all(int file, std::string_view bytes, std::uint64_t offset);

/// Reads [begin, end) of a file into `bytes`. What cannot be read, or lies behind the end of the
/// file, reads as zeros: then the CRCs say what is missing.
void read_range(int file, std::uint64_t begin, std::uint64_t end, std::string& bytes);

/// "seg-0000000000000042.lp", and the number in such a name, whatever is behind it; 0 if there is
/// none.
std::string segment_name(std::uint64_t number);
std::uint64_t segment_number(std::string_view name);

/// Owns the directory's descriptor and, if opened for writing, its lock. Movable.
class SpoolDirectory {
 public:
  /// Makes the directory and those above it if need be (0700), checks that it is safe, and locks it
  /// for this process. Errors: code EWOULDBLOCK if another one has it, which is named.
  static Result<SpoolDirectory> open(const std::string& path);

  /// To look at only: no lock, nothing is made. The same checks.
  static Result<SpoolDirectory> look(const std::string& path);

  /// Whether `open` could make a directory that is not there yet. Nothing is made.
  static Status try_to_make(const std::string& path);

  /// The same directory for another thread; without the lock, which stays with this one.
  Result<SpoolDirectory> twin() const;

  const std::string& path() const { return path_; }
  int fd() const { return directory_.get(); }

  /// The names that begin and end like this, sorted.
  Result<std::vector<std::string>> names(std::string_view prefix, std::string_view suffix) const;

  /// Regular files only; never waits. `flags` as of open(2); what is made has mode 0600. An error's
  /// code is the errno.
  Result<Descriptor> open_file(const std::string& name, int flags) const;

  /// All that is called seg-*.lp, with headers read, in the order of their numbers.
  Result<std::vector<SegmentFile>> segments() const;

  /// The cursor as it is; generation 0 if there is none.
  Cursor cursor() const;

  int remove(const std::string& name) const;  ///< 0 or an errno
  int rename(const std::string& from, const std::string& to) const;
  int move_to(const SpoolDirectory& other, const std::string& from, const std::string& to) const;

  /// An error that begins with the path of `name` in here.
  Error error(std::string_view name, std::string_view what, int code) const;

 private:
  static Result<SpoolDirectory> look(const std::string& path, bool makes);
  SpoolDirectory(std::string path, Descriptor directory)
      : path_(std::move(path)), directory_(std::move(directory)) {}
  Status lock();
  SegmentFile look_at(const std::string& name) const;

  std::string path_;
  Descriptor directory_;
  Descriptor lock_{-1};
};

}  // namespace tally
