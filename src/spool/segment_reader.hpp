#pragma once
// The records of one file, read one after the other past what is damaged.

#include <cstdint>
#include <optional>
#include <string>

#include "posix/descriptor.hpp"
#include "spool/format.hpp"
#include "spool/segment.hpp"
#include "spool/shared.hpp"

namespace tally {

class SegmentReader {
 public:
  explicit SegmentReader(SpoolShared& shared) : shared_(shared) {}

  /// 0 or an errno, if it is not open yet. What is not there any more (ENOENT) is lost; all else is
  /// said once and may go better later.
  int open(const Segment& segment);
  void close() { file_.reset(); }

  struct Record {
    RecordHeader header;
    std::string payload;
    std::uint64_t end = 0;
  };
  /// The next batch that is not a repetition; moves `segment.next` to it. REQUIRES: open.
  std::optional<Record> next(Segment& segment);

 private:
  std::optional<Record> read_at(const Segment& segment, std::uint64_t offset);
  bool skip_damage(Segment& segment);

  SpoolShared& shared_;
  std::optional<Descriptor> file_;
  bool is_stuck_ = false;  ///< and that was said
  std::string buffer_;
};

}  // namespace tally
