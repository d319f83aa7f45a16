#include "spool/segment_queue.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "spool/report.hpp"

// Each segment knows how many of its points still wait, so whatever happens to its file, what is
// lost with it is known to the point.

namespace tally {
namespace {

std::int64_t to_ns(WallTime time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

/// Reserves the space, so that a full disk says so before anything is written. Some file systems
/// cannot; then `append` finds out.
int reserve(int file, std::uint64_t bytes) {
  if (fallocate(file, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes)) == 0) return 0;
  const bool is_full =
      errno == ENOSPC || errno == EDQUOT || errno == EFBIG || errno == EIO || errno == EROFS;
  return is_full ? errno : 0;
}

int start_file(int file, const SegmentHeader& header, std::uint64_t bytes) {
  if (const int code = reserve(file, bytes); code != 0) return code;
  const auto text = encode_segment_header(header);
  return write_all(file, {text.data(), text.size()}, 0);
}

}  // namespace

void SegmentQueue::take_over(SegmentQueue& other) {
  other.retire_writer();
  if (other.segments_.empty()) return;
  retire_writer();
  std::ranges::move(other.segments_, std::back_inserter(segments_));
  other.segments_.clear();
  other.reader_.close();
}

// ---- writing ------------------------------------------------------------------------------------

bool SegmentQueue::has_room_for(std::uint64_t bytes) const {
  return writer_ && segments_.back().bytes + bytes <= shared_.segment_bytes;
}

Status SegmentQueue::begin(std::uint64_t bytes, WallTime now) {
  retire_writer();
  Segment segment{.name = segment_name(shared_.next_segment), .number = shared_.next_segment};
  segment.random = static_cast<std::uint64_t>(to_ns(now)) ^ (segment.number << 32);
  // Without it, which happens in a sandbox at most, time and number have to do.
  [[maybe_unused]] const ssize_t got =
      getrandom(&segment.random, sizeof segment.random, GRND_NONBLOCK);
  Result<Descriptor> file = shared_.directory.open_file(segment.name, O_RDWR | O_CREAT | O_EXCL);
  if (!file) return file.error();
  ++shared_.next_segment;
  const SegmentHeader header{.number = segment.number,
                             .created_ns = to_ns(now),
                             .fingerprint = shared_.settings.fingerprint,
                             .random = segment.random};
  if (const int code = start_file(file.value().get(), header, bytes); code != 0) {
    shared_.directory.remove(segment.name);
    return shared_.directory.error(segment.name, "cannot be begun", code);
  }
  writer_ = std::move(file).value();
  is_dirty_ = true;
  debt_.add_name();
  segments_.push_back(std::move(segment));
  return {};
}

// What was written of a record before an error does not count, and goes with the next record or at
// the end of the file.
Status SegmentQueue::append(RecordHeader header, std::string_view payload) {
  Segment& segment = segments_.back();
  header.number = shared_.next_record++;
  buffer_.clear();
  append_record(buffer_, header, payload, segment.random);
  is_dirty_ = true;
  int code = write_all(writer_->get(), buffer_, segment.bytes);
  if (code == 0 && shared_.settings.sync == SpoolSyncPolicy::always) {
    is_dirty_ = false;
    code = debt_.pay_now(writer_->get());
  }
  if (code == 0) {
    segment.bytes += buffer_.size();
    return {};
  }
  Error error = shared_.directory.error(segment.name, "cannot be written", code);
  retire_writer();
  return error;
}

void SegmentQueue::count(const Payload& payload) {
  Segment& segment = segments_.back();
  segment.points += payload.points;
  ++segment.records;
  segment.oldest = std::min(segment.oldest, payload.window);
  segment.newest = std::max(segment.newest, payload.window);
}

void SegmentQueue::retire_writer() {
  if (!writer_) return;
  Descriptor file = std::move(*writer_);
  writer_.reset();
  const Segment& segment = segments_.back();
  // What cannot be cut reads as damage with the next start, and nothing is lost.
  static_cast<void>(ftruncate(file.get(), static_cast<off_t>(segment.bytes)) == 0);
  const bool is_kept = segment.bytes > segment_header_bytes;
  if (is_kept && is_dirty_ && shared_.settings.sync == SpoolSyncPolicy::interval)
    debt_.add_retired(std::move(file));
  is_dirty_ = false;
  if (is_kept) return;
  shared_.directory.remove(segment.name);
  segments_.pop_back();
}

void SegmentQueue::abandon_writer() {
  is_dirty_ = false;
  retire_writer();
}

std::optional<SyncDebt::Open> SegmentQueue::open_file() {
  if (!writer_) return std::nullopt;
  return SyncDebt::Open{writer_->get(), &is_dirty_};
}

// ---- reading ------------------------------------------------------------------------------------

std::optional<Payload> SegmentQueue::front(WallTime now) {
  give_back();
  while (!segments_.empty()) {
    Segment& segment = segments_.front();
    const int code = reader_.open(segment);
    if (code != 0 && code != ENOENT) return std::nullopt;
    std::optional<SegmentReader::Record> record;
    if (code == 0) record = reader_.next(segment);
    if (!record) {
      end_front();
      continue;
    }
    const Held here{.end = record->end,
                    .number = record->header.number,
                    .points = std::min<std::uint64_t>(record->header.lines, segment.points)};
    if (record->header.window < now - shared_.settings.age_max) {
      segment.expired += here.points;
      pass(segment, here, shared_.counts.dropped_expired);
      continue;
    }
    if (std::optional<Payload> payload = to_payload(record->header, record->payload)) {
      held_ = here;
      return payload;
    }
    pass(segment, here, shared_.counts.dropped_damaged);
  }
  return std::nullopt;
}

void SegmentQueue::ack() {
  if (!held_) return;
  const Held held = *held_;
  held_.reset();
  if (held.is_orphan) {
    shared_.counts.acked += held.points;
    shared_.counts.waiting -= held.points;
    --shared_.counts.records_waiting;
    return;
  }
  Segment& segment = segments_.front();
  pass(segment, held, shared_.counts.acked);
  if (segment.next >= segment.bytes)
    end_front();
  else
    shared_.cursor.move_to(segment.number, segment.random, segment.next);
}

void SegmentQueue::give_back() {
  if (held_ && held_->is_orphan) {
    shared_.counts.dropped_full += held_->points;
    shared_.counts.waiting -= held_->points;
    --shared_.counts.records_waiting;
  }
  held_.reset();
}

/// The record is behind us; where its points went is `counter`.
void SegmentQueue::pass(Segment& segment, const Held& record, std::uint64_t& counter) {
  counter += record.points;
  shared_.counts.waiting -= record.points;
  --shared_.counts.records_waiting;
  segment.points -= record.points;
  --segment.records;
  segment.next = record.end;
  segment.last_number = record.number;
}

/// The first segment is read to its end: what it had and we did not see was damaged.
void SegmentQueue::end_front() {
  const Segment& segment = segments_.front();
  SpoolCounts& counts = shared_.counts;
  if (segment.points > 0)
    shared_.say(fmt::format("{} is damaged: {} of it are lost", segment.name,
                            points_in_words(segment.points)));
  counts.dropped_damaged += segment.points;
  counts.waiting -= segment.points;
  counts.records_waiting -= segment.records;
  counts.records_damaged += segment.records;
  remove_front();
}

/// Deletes the first segment's file. If that fails it is sent once more after the next start, which
/// changes nothing in the database. What of it was read too late is said now, in one line.
void SegmentQueue::remove_front() {
  if (const std::uint64_t expired = segments_.front().expired; expired > 0)
    shared_.say(expired_in_words(expired, shared_.settings.age_max));
  if (segments_.size() == 1) {
    writer_.reset();
    is_dirty_ = false;
  }
  shared_.directory.remove(segments_.front().name);
  segments_.pop_front();
  reader_.close();
}

// ---- bounds -------------------------------------------------------------------------------------

Stretch SegmentQueue::drop_oldest(std::uint64_t& counter) {
  Segment& segment = segments_.front();
  const bool holds = held_ && !held_->is_orphan;
  if (holds) {
    segment.points -= held_->points;
    --segment.records;
    held_->is_orphan = true;
  }
  const Stretch lost{segment.points, segment.oldest, segment.newest};
  counter += segment.points;
  shared_.counts.waiting -= segment.points;
  shared_.counts.records_waiting -= segment.records;
  remove_front();
  return lost;
}

bool SegmentQueue::is_oldest_expired(WallTime now) const {
  if (segments_.empty()) return false;
  const Segment& segment = segments_.front();
  return segment.records > 0 && segment.newest < now - shared_.settings.age_max;
}

std::uint64_t SegmentQueue::bytes() const {
  std::uint64_t sum = 0;
  for (const Segment& segment : segments_) sum += segment.bytes;
  return sum;
}

std::optional<WallTime> SegmentQueue::oldest() const {
  const auto found =
      std::ranges::find_if(segments_, [](const Segment& s) { return s.records > 0; });
  if (found == segments_.end()) return std::nullopt;
  return found->oldest;
}

std::optional<WallTime> SegmentQueue::newest() const {
  const auto found = std::find_if(segments_.rbegin(), segments_.rend(),
                                  [](const Segment& s) { return s.records > 0; });
  if (found == segments_.rend()) return std::nullopt;
  return found->newest;
}

}  // namespace tally
