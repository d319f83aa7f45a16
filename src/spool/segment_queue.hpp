#pragma once
// A queue of files: records are put behind the last of them and taken from the first, which is
// deleted when it is through.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "posix/descriptor.hpp"
#include "spool/format.hpp"
#include "spool/segment.hpp"
#include "spool/segment_reader.hpp"
#include "spool/shared.hpp"
#include "spool/sync.hpp"
#include "tally/payload.hpp"
#include "tally/result.hpp"
#include "tally/time.hpp"

namespace tally {

/// A file that failed once is never written again: the next record begins another. One thread.
class SegmentQueue {
 public:
  SegmentQueue(SpoolShared& shared, SyncDebt& debt) : shared_(shared), debt_(debt) {}
  SegmentQueue(const SegmentQueue&) = delete;
  SegmentQueue& operator=(const SegmentQueue&) = delete;
  ~SegmentQueue() { retire_writer(); }

  /// Behind the last, as it was found on disk.
  void add(Segment segment) { segments_.push_back(std::move(segment)); }

  /// Puts all of another queue behind this one; the next record begins a file. REQUIRES: nothing of
  /// the other is held.
  void take_over(SegmentQueue& other);

  // ---- writing ----

  /// Whether the file that is being written takes a record of so many bytes.
  bool has_room_for(std::uint64_t bytes) const;

  /// Begins a file with room for so many bytes, headers included.
  Status begin(std::uint64_t bytes, WallTime now);

  /// Appends a record, and forces it onto the disk if the policy is `always`. On an error nothing
  /// of it is left. REQUIRES: a file that was begun.
  Status append(RecordHeader header, std::string_view payload);

  /// What was appended waits.
  void count(const Payload& payload);

  /// Ends writing to the last file, for whatever reason. What is behind its last record goes.
  void retire_writer();
  /// As `retire_writer`, of a file that the disk did not confirm: it is not synced again.
  void abandon_writer();

  // ---- reading ----

  /// The oldest record that waits, read from disk; nothing if none does. Expired and damaged ones
  /// are dropped and counted on the way. Asked again without `ack` it gives the same again, or the
  /// next one if its file has been dropped meanwhile.
  std::optional<Payload> front(WallTime now);

  /// What `front` gave is done. Does nothing if it gave nothing.
  void ack();

  /// What `front` gave and was not acknowledged waits again; if its file was dropped, it is lost
  /// too.
  void give_back();

  bool holds() const { return held_.has_value(); }  ///< something that `front` gave

  // ---- bounds ----

  /// Drops the first file, but for the record that `front` gave: that one is with the caller. The
  /// points are added to `counter`. REQUIRES: not empty.
  Stretch drop_oldest(std::uint64_t& counter);

  /// Whether the first file holds nothing young enough to be sent.
  bool is_oldest_expired(WallTime now) const;

  bool empty() const { return segments_.empty(); }
  std::uint64_t bytes() const;
  std::optional<WallTime> oldest() const;  ///< window of the oldest point that waits
  std::optional<WallTime> newest() const;

  /// The file that is being written; nothing if none is.
  std::optional<SyncDebt::Open> open_file();

 private:
  /// What `front` gave.
  struct Held {
    std::uint64_t end = 0;
    std::uint64_t number = 0;
    std::uint64_t points = 0;
    bool is_orphan = false;  ///< its file has been dropped meanwhile
  };
  void pass(Segment& segment, const Held& record, std::uint64_t& counter);
  void end_front();
  void remove_front();

  SpoolShared& shared_;
  SyncDebt& debt_;
  std::deque<Segment> segments_;      ///< the first is the one read, the last the one written
  std::optional<Descriptor> writer_;  ///< of the last
  bool is_dirty_ = false;             ///< and it has bytes that no sync was begun for
  SegmentReader reader_{shared_};     ///< of the first
  std::optional<Held> held_;
  std::string buffer_;
};

}  // namespace tally
