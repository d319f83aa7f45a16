#pragma once
// The backlog of one destination on disk: what the database has not acknowledged yet survives the
// process. Files are only ever appended to and deleted whole, so there is no clean end: what lies
// on disk after each call is complete, and opening is always a recovery.
//
//     <directory>/            0700, ours
//       LOCK                  flock: one process; holds its pid
//       cursor                where reading goes on: two slots, written in turn
//       seg-<16 digits>.lp    segments, see format.hpp
//       dead/                 see dead_letters.hpp

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "posix/descriptor.hpp"
#include "spool/directory.hpp"
#include "spool/format.hpp"
#include "tally/payload.hpp"
#include "tally/result.hpp"
#include "tally/time.hpp"

namespace tally {

/// When what was put is forced onto the disk. Without it the death of the process loses nothing, a
/// power cut what the kernel has not written yet (some 30 s).
enum class SpoolSyncPolicy : std::uint8_t {
  interval,  ///< by the caller through `start_sync`, once a window, off the loop
  always,    ///< inside `put`, which may then take as long as the disk likes
  never
};

struct SpoolSettings {
  std::string directory;          ///< as `spool_directory_of` makes it
  std::uint64_t fingerprint = 0;  ///< as `spool_fingerprint` makes it
  bool adopts = false;            ///< else segments with another fingerprint are not sent
  std::uint64_t bytes_max = std::uint64_t{1} << 30;  ///< of the segments, at least two of them
  std::chrono::milliseconds age_max = std::chrono::hours(24);  ///< of a window's start
  double free_share_min = 0.05;                                ///< of the file system, and
  std::uint64_t free_bytes_min = std::uint64_t{512} << 20;     ///< the larger of both; 0 and 0: off
  SpoolSyncPolicy sync = SpoolSyncPolicy::interval;
  std::uint64_t segment_bytes = std::uint64_t{8} << 20;

  /// Bytes that stay free on a file system of `disk_bytes`.
  std::uint64_t left_to_others(std::uint64_t disk_bytes) const;
};

/// Where every point is: `recovered + put = acked + waiting + dropped`. Of this process; points
/// that an earlier one dropped are in its own counts.
struct SpoolCounts {
  std::uint64_t recovered = 0;  ///< found when it was opened, the damaged ones among them
  std::uint64_t put = 0;
  std::uint64_t acked = 0;
  std::uint64_t waiting = 0;          ///< the one that `front` gave included
  std::uint64_t dropped_full = 0;     ///< oldest segment first, for bytes_max
  std::uint64_t dropped_expired = 0;  ///< older than age_max
  /// Lost to damage on the disk. Exact for what was put or was whole when it was opened; of damage
  /// found at opening it is what the headers and neighbours of the lost records tell.
  std::uint64_t dropped_damaged = 0;

  std::uint64_t records_waiting = 0;
  std::uint64_t records_damaged = 0;  ///< at opening, by gaps in their numbers
  std::uint64_t bytes_damaged = 0;
  std::uint64_t put_failures = 0;   ///< `put` gave an error; not in `put`
  std::uint64_t sync_failures = 0;  ///< the disk did not confirm
  std::uint64_t points_not_durable =
      0;  ///< of these failures: readable now, perhaps not after a power cut

  std::uint64_t dropped() const { return dropped_full + dropped_expired + dropped_damaged; }
  bool balances() const { return recovered + put == acked + waiting + dropped(); }
};

/// One call of fdatasync, to be run on any thread; it knows nothing of the spool and may outlive
/// it.
class SpoolSync {
 public:
  /// Forces everything to disk that had been put when this was made. May block for seconds.
  Status run() const;

 private:
  friend class Spool;
  std::vector<Descriptor> files_;
  std::optional<Descriptor> directory_;  ///< where a segment is new
};

/// First in, first out, of one destination. One thread. Nothing here ends the process or throws; a
/// disk that fails gives errors and keeps what it has.
class Spool {
 public:
  /// Makes the directory (0700) if need be, locks it and recovers what is there. `findings` has
  /// then what an operator should read. Errors: in use by another process (code EWOULDBLOCK), a
  /// directory that is a symbolic link, not ours or writable by others, or one that cannot be made
  /// or read.
  static Result<std::unique_ptr<Spool>> open(SpoolSettings settings, WallTime now);

  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;
  ~Spool();

  /// Appends a record, into the page cache unless the policy is `always`. On an error nothing of
  /// it is left on disk and the payload is still the caller's; a later `put` tries again by itself,
  /// in a new segment. Past `bytes_max` the oldest segment is dropped, counted and remembered. A
  /// body of more than `spool_body_bytes_max` is an error each time.
  Status put(const Payload& payload, WallTime now);

  /// The oldest record that is not acknowledged, read from disk (id is 0); nothing if none waits.
  /// Expired and damaged ones are dropped and counted on the way. Until `ack` the record counts as
  /// waiting, whatever becomes of its segment. Asked again without `ack`, it gives the same again,
  /// or the next one if its segment has been dropped meanwhile.
  std::optional<Payload> front(WallTime now);

  /// What `front` gave is done: written, dead-lettered, or dropped by the caller with a reason of
  /// its own. Does nothing if `front` gave nothing.
  void ack();

  /// What is to be forced to disk; nothing if all is, if the policy is not `interval`, or if one
  /// is under way. Run it anywhere and give its outcome to `end_sync`.
  std::optional<SpoolSync> start_sync();

  /// Never tries again what failed: after an error of fsync the kernel may have thrown the pages
  /// away and called them clean. The segment is left as it is and a new one begun.
  void end_sync(const Status& outcome);

  const SpoolCounts& counts() const { return counts_; }
  std::uint64_t bytes() const;  ///< of the segments on disk
  bool empty() const { return counts_.waiting == 0; }

  /// Window of the oldest and the newest point that wait; nothing if none does.
  std::optional<WallTime> oldest() const;
  std::optional<WallTime> newest() const;

  /// What happened since the last call, one line each, at most a hundred: recovery, segments
  /// dropped, damage met, disks that do not sync.
  std::vector<std::string> take_findings();

  const SpoolSettings& settings() const { return settings_; }

 private:
  /// A file of the spool. The first is the one read, the last the one written, if any is.
  struct Segment {
    std::string name;
    std::uint64_t number = 0;
    std::uint64_t random = 0;
    std::uint64_t bytes = segment_header_bytes;  ///< of whole records
    std::uint64_t next = segment_header_bytes;   ///< where the first record that waits begins
    std::uint64_t last_number = 0;               ///< of the records read
    std::uint64_t points = 0;                    ///< that wait
    std::uint64_t records = 0;
    WallTime oldest = WallTime::max();
    WallTime newest = WallTime::min();
  };
  /// What `front` gave.
  struct Held {
    std::uint64_t end = 0;
    std::uint64_t number = 0;
    std::uint64_t points = 0;
    bool is_orphan = false;  ///< its segment has been dropped meanwhile
  };
  struct Stored {
    RecordHeader header;
    std::string payload;
    std::uint64_t end = 0;
  };
  struct Lost {
    std::uint64_t points = 0;
    WallTime oldest = WallTime::max();
    WallTime newest = WallTime::min();
  };

  /// What is known while the files are gone through.
  struct Recovery {
    Cursor cursor;
    SegmentHeader previous;
    std::uint64_t previous_last = 0;  ///< number of its last record
    std::uint64_t foreign_files = 0;
    std::uint64_t foreign_bytes = 0;
  };

  Spool(SpoolSettings settings, SpoolDirectory directory);

  Status recover(WallTime now);
  void recover_file(const SegmentFile& file, Recovery& recovery);
  void recover_segment(const SegmentFile& file, Recovery& recovery);
  void put_aside(const SegmentFile& file);
  std::string rename_to(const std::string& name, const std::string& suffix);
  void take_survey(Segment& segment, const SegmentSurvey& survey);
  void report_damage(const std::string& name, const SegmentSurvey& survey);
  void report_recovery(const Recovery& recovery);

  Status try_to_put(const Payload& payload, WallTime now);
  Status make_place(std::uint64_t bytes, WallTime now);
  Status check_space() const;
  Status begin_segment(std::uint64_t bytes, WallTime now);
  int start_file(int file, const Segment& segment, std::uint64_t bytes, WallTime now);
  void write_notice(const std::string& text, const Lost& lost);
  int append(RecordHeader header, std::string_view payload);
  void retire_writer();
  Lost make_room(std::uint64_t bytes);
  void expire(WallTime now);
  Lost drop_front(std::uint64_t& counter);

  std::optional<Stored> next_record(Segment& segment);
  std::optional<Stored> read_at(const Segment& segment, std::uint64_t offset);
  bool skip_damage(Segment& segment);
  void pass(Segment& segment, const Held& record, std::uint64_t& counter);
  int open_reader(const Segment& segment);
  void give_back();
  int sync_now();
  void remove_front();
  void forget_front();
  void write_cursor(const Segment& segment);

  void say(std::string text);

  SpoolSettings settings_;
  std::uint64_t segment_bytes_;  ///< so that at least two fit
  SpoolDirectory directory_;
  std::deque<Segment> segments_;
  std::optional<Descriptor> writer_;  ///< of the last segment
  std::optional<Descriptor> reader_;  ///< of the first
  bool is_reader_stuck_ = false;      ///< and that was said
  std::optional<Held> held_;
  std::uint64_t next_segment_ = 1;
  std::uint64_t next_record_ = 1;
  std::optional<Descriptor> cursor_file_;
  std::uint64_t cursor_generation_ = 0;
  std::string buffer_;

  bool is_dirty_ = false;             ///< the writer has bytes that no sync was begun for
  bool is_listed_ = true;             ///< no file is newer than the last sync of the directory
  bool is_syncing_ = false;           ///< between `start_sync` and `end_sync`
  bool has_failed_sync_ = false;      ///< and none has succeeded since
  std::vector<Descriptor> unsynced_;  ///< segments that were full before they were synced
  std::uint64_t points_dirty_ = 0;
  std::uint64_t points_syncing_ = 0;

  SpoolCounts counts_;
  std::vector<std::string> findings_;
};

}  // namespace tally
