// How it works: segments_ is a queue of files. `put` appends to the last, `front` and `ack` read
// the first and delete it when it is through. Each segment knows how many of its points still wait,
// so whatever happens to the file, what is lost with it is known to the point. A file that failed
// once is never written again: the next `put` begins another.
#include "spool/spool.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/gzip.hpp"
#include "spool/report.hpp"
#include "tally/text.hpp"

namespace tally {
namespace {

constexpr std::size_t findings_max = 100;
constexpr std::size_t unsynced_max = 16;  // files; beyond, the kernel writes them when it likes
/// A larger file was not written by us.
constexpr std::uint64_t segment_file_bytes_max = std::uint64_t{256} << 20;
constexpr std::size_t gzip_from_bytes = 256;  // below, the frame costs more than it saves

std::string points(std::uint64_t count) {
  return with_commas(count) + (count == 1 ? " point" : " points");
}

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

/// Cuts a file, or what is reserved behind its end.
int cut(int file, std::uint64_t bytes) {
  return ftruncate(file, static_cast<off_t>(bytes)) == 0 ? 0 : errno;
}

struct Packed {
  std::string bytes;
  bool is_gzip = false;
};

Packed pack(const std::string& body) {
  if (body.size() >= gzip_from_bytes) {
    std::optional<std::string> small = gzip(body);
    if (small && small->size() < body.size()) return {std::move(*small), true};
  }
  return {body, false};
}

}  // namespace

std::uint64_t SpoolSettings::left_to_others(std::uint64_t disk_bytes) const {
  const double share = std::ceil(free_share_min * static_cast<double>(disk_bytes));
  return std::max(static_cast<std::uint64_t>(share), free_bytes_min);
}

Status SpoolSync::run() const {
  int code = 0;
  for (const Descriptor& file : files_) {
    if (fdatasync(file.get()) != 0 && code == 0) code = errno;
  }
  if (directory_ && fsync(directory_->get()) != 0 && code == 0) code = errno;
  if (code == 0) return {};
  return Error{std::strerror(code), code};
}

Result<std::unique_ptr<Spool>> Spool::open(SpoolSettings settings, WallTime now) {
  Result<SpoolDirectory> directory = SpoolDirectory::open(settings.directory);
  if (!directory) return directory.error();
  std::unique_ptr<Spool> spool(new Spool(std::move(settings), std::move(directory).value()));
  if (Status failed = spool->recover(now)) return *failed;
  return spool;
}

Spool::Spool(SpoolSettings settings, SpoolDirectory directory)
    : settings_(std::move(settings)),
      segment_bytes_(std::min(settings_.segment_bytes, settings_.bytes_max / 2)),
      directory_(std::move(directory)) {}

Spool::~Spool() {
  retire_writer();
}

// --- Recovery ---

Status Spool::recover(WallTime now) {
  Recovery recovery;
  recovery.cursor = directory_.cursor();
  cursor_generation_ = recovery.cursor.generation;
  next_segment_ = recovery.cursor.segment + 1;
  const Result<std::vector<std::string>> names = directory_.names("seg-", "");
  const Result<std::vector<SegmentFile>> files = directory_.segments();
  if (!names) return names.error();
  if (!files) return files.error();
  for (const std::string& name : names.value())
    next_segment_ = std::max(next_segment_, segment_number(name) + 1);
  for (const SegmentFile& file : files.value()) recover_file(file, recovery);
  report_recovery(recovery);
  expire(now);
  return {};
}

void Spool::recover_file(const SegmentFile& file, Recovery& recovery) {
  next_segment_ = std::max(next_segment_, file.head.header.number + 1);
  if (!file.is_readable() || file.bytes > segment_file_bytes_max) return put_aside(file);
  if (file.head.header.fingerprint != settings_.fingerprint) {
    ++recovery.foreign_files;
    recovery.foreign_bytes += file.bytes;
    if (!settings_.adopts) return;
  }
  recover_segment(file, recovery);
}

/// Deals with what is called a segment and cannot be read as one.
void Spool::put_aside(const SegmentFile& file) {
  if (file.error != 0)
    return say(fmt::format("{} cannot be opened ({}); what it holds waits until the next start",
                           file.name, std::strerror(file.error)));
  if (file.is_blank && file.bytes <= segment_header_bytes) {
    directory_.remove(file.name);
    return say(file.name + " is empty, as a power cut leaves a new file; removed");
  }
  if (file.head.state == HeaderState::unknown_version)
    return say(fmt::format("{} has version {}, this tallyd knows version {}; {}", file.name,
                           file.head.version, spool_version, rename_to(file.name, ".unknown")));
  counts_.bytes_damaged += file.bytes;
  say(
      fmt::format("{} ({}) is no segment any more: how many points are lost with it is not known; "
                  "{}",
                  file.name, as_size(file.bytes), rename_to(file.name, ".damaged")));
}

/// Puts a file out of the way and says so.
std::string Spool::rename_to(const std::string& name, const std::string& suffix) {
  const int code = directory_.rename(name, name + suffix);
  if (code != 0) return std::string("left as it is, it cannot be renamed: ") + std::strerror(code);
  return "renamed to " + name + suffix + " and left";
}

void Spool::recover_segment(const SegmentFile& file, Recovery& recovery) {
  const SegmentHeader& header = file.head.header;
  Segment segment{.name = file.name, .number = header.number, .random = header.random};
  segment.next = recovery.cursor.begin_of(header);
  // A copy of the file before: what that one has is not taken twice.
  if (header == recovery.previous) segment.last_number = recovery.previous_last;

  Result<Descriptor> opened = directory_.open_file(file.name, O_RDWR);
  if (!opened) opened = directory_.open_file(file.name, O_RDONLY);
  if (!opened) return say(opened.error().message + "; what it holds waits until the next start");
  read_range(opened.value().get(), 0, file.bytes, buffer_);
  const auto say_notice = [&](const FoundRecord& record) {
    if (record.header.type == RecordType::notice)
      say("an earlier tallyd " + std::string(record.payload));
  };
  const SegmentSurvey survey =
      survey_segment(buffer_, segment.next, segment.random, segment.last_number, say_notice);
  recovery.previous = header;
  recovery.previous_last = survey.last_number;
  take_survey(segment, survey);
  if (file.bytes > survey.end) cut(opened.value().get(), survey.end);
  if (segment.records == 0)
    directory_.remove(file.name);
  else
    segments_.push_back(std::move(segment));
}

void Spool::take_survey(Segment& segment, const SegmentSurvey& survey) {
  segment.bytes = survey.end;
  segment.points = survey.points;
  segment.records = survey.records;
  segment.oldest = survey.oldest;
  segment.newest = survey.newest;
  next_record_ = std::max(next_record_, survey.last_number + survey.damaged_records + 1);
  counts_.recovered += survey.points + survey.damaged_points;
  counts_.waiting += survey.points;
  counts_.records_waiting += survey.records;
  if (survey.damaged_bytes > 0) report_damage(segment.name, survey);
}

void Spool::report_damage(const std::string& name, const SegmentSurvey& survey) {
  counts_.dropped_damaged += survey.damaged_points;
  counts_.records_damaged += survey.damaged_records;
  counts_.bytes_damaged += survey.damaged_bytes;
  say(fmt::format(
      "{}: {} of it damaged or cut short: {} lost with about {}; all others are whole", name,
      as_size(survey.damaged_bytes),
      survey.damaged_records == 1 ? "1 record" : with_commas(survey.damaged_records) + " records",
      points(survey.damaged_points)));
}

void Spool::report_recovery(const Recovery& recovery) {
  if (recovery.foreign_files > 0)
    say(fmt::format("{} files of another destination ({}) are {}",
                    with_commas(recovery.foreign_files), about_size(recovery.foreign_bytes),
                    settings_.adopts ? "adopted (spool.adopt): they are sent to this one"
                                     : "left alone: set spool.adopt = true to send them here, or "
                                       "remove them"));
  if (counts_.waiting > 0)
    say(fmt::format("{} of {} wait ({} on disk)", points(counts_.waiting),
                    range_in_words(*oldest(), *newest()), as_size(bytes())));
}

// --- Writing ---

Status Spool::put(const Payload& payload, WallTime now) {
  Status failed = try_to_put(payload, now);
  if (failed) {
    ++counts_.put_failures;
    failed->message += "; " + points(payload.points) + " stay in memory, it is tried again";
    return failed;
  }
  Segment& segment = segments_.back();
  segment.points += payload.points;
  ++segment.records;
  segment.oldest = std::min(segment.oldest, payload.window);
  segment.newest = std::max(segment.newest, payload.window);
  counts_.put += payload.points;
  counts_.waiting += payload.points;
  ++counts_.records_waiting;
  points_dirty_ += payload.points;
  return {};
}

Status Spool::try_to_put(const Payload& payload, WallTime now) {
  const Packed packed = pack(payload.body);
  const std::uint64_t size = record_bytes(packed.bytes.size());
  if (payload.body.size() > spool_body_bytes_max ||
      size + segment_header_bytes > settings_.bytes_max)
    return Error{fmt::format("spool {}: a payload of {} is larger than the spool takes "
                             "(spool.max_bytes)",
                             directory_.path(), as_size(payload.body.size())),
                 EFBIG};
  if (Status failed = make_place(size, now)) return failed;
  int code = append({.type = RecordType::batch,
                     .is_gzip = packed.is_gzip,
                     .lines = payload.points,
                     .window = payload.window,
                     .precision = payload.precision},
                    packed.bytes);
  if (code == 0 && settings_.sync == SpoolSyncPolicy::always) {
    code = sync_now();
    if (code != 0) segments_.back().bytes -= size;
  }
  if (code == 0) return {};
  const Error error = directory_.error(segments_.back().name, "cannot be written", code);
  retire_writer();
  return error;
}

/// Sees to it that the last segment is open and has room for a record of `bytes`.
Status Spool::make_place(std::uint64_t bytes, WallTime now) {
  if (writer_ && segments_.back().bytes + bytes <= segment_bytes_) return {};
  retire_writer();
  return begin_segment(bytes, now);
}

Status Spool::check_space() const {
  struct statvfs info {};
  if (fstatvfs(directory_.fd(), &info) != 0) return {};  // then the write will tell
  const std::uint64_t least = settings_.left_to_others(info.f_blocks * info.f_frsize);
  const std::uint64_t free_bytes = info.f_bavail * info.f_frsize;
  if (free_bytes >= least) return {};
  return Error{fmt::format("spool {}: the disk has {} left and tallyd leaves {} to others: make "
                           "room, or put spool.directory on another disk",
                           directory_.path(), as_size(free_bytes), as_size(least)),
               ENOSPC};
}

Status Spool::begin_segment(std::uint64_t bytes, WallTime now) {
  if (Status full = check_space()) return full;
  expire(now);
  constexpr std::uint64_t notice_bytes = 256;
  const std::uint64_t reserved =
      std::max(segment_bytes_, segment_header_bytes + notice_bytes + bytes);
  const Lost lost = make_room(reserved);

  Segment segment{.name = segment_name(next_segment_), .number = next_segment_};
  segment.random = static_cast<std::uint64_t>(to_ns(now)) ^ (segment.number << 32);
  // Without it, which happens in a sandbox at most, time and number have to do.
  [[maybe_unused]] const ssize_t got =
      getrandom(&segment.random, sizeof segment.random, GRND_NONBLOCK);
  Result<Descriptor> file = directory_.open_file(segment.name, O_RDWR | O_CREAT | O_EXCL);
  if (!file) return file.error();
  ++next_segment_;
  if (const int code = start_file(file.value().get(), segment, reserved, now); code != 0) {
    directory_.remove(segment.name);
    return directory_.error(segment.name, "cannot be begun", code);
  }
  writer_ = std::move(file).value();
  is_dirty_ = true;
  is_listed_ = false;
  segments_.push_back(std::move(segment));
  if (lost.points > 0)
    write_notice(fmt::format("dropped {} of {}: spool full", points(lost.points),
                             range_in_words(lost.oldest, lost.newest)),
                 lost);
  return {};
}

int Spool::start_file(int file, const Segment& segment, std::uint64_t bytes, WallTime now) {
  if (const int code = reserve(file, bytes); code != 0) return code;
  const auto header = encode_segment_header({.number = segment.number,
                                             .created_ns = to_ns(now),
                                             .fingerprint = settings_.fingerprint,
                                             .random = segment.random});
  return write_all(file, {header.data(), header.size()}, 0);
}

/// Leaves a record of a gap. If that fails, the log and the counters have it.
void Spool::write_notice(const std::string& text, const Lost& lost) {
  const auto lines = static_cast<std::uint32_t>(std::min<std::uint64_t>(lost.points, UINT32_MAX));
  append({.type = RecordType::notice, .lines = lines, .window = lost.oldest}, text);
}

/// Writes a record behind the last one; 0 or an errno. On an error what was written of it does not
/// count, and goes with the next record or at the end of the segment.
int Spool::append(RecordHeader header, std::string_view payload) {
  Segment& segment = segments_.back();
  header.number = next_record_++;
  buffer_.clear();
  append_record(buffer_, header, payload, segment.random);
  const int code = write_all(writer_->get(), buffer_, segment.bytes);
  if (code == 0) segment.bytes += buffer_.size();
  is_dirty_ = true;
  return code;
}

/// Ends writing to the last segment, for whatever reason. What is behind its last record goes.
void Spool::retire_writer() {
  if (!writer_) return;
  Descriptor file = std::move(*writer_);
  writer_.reset();
  cut(file.get(), segments_.back().bytes);
  const bool is_kept = segments_.back().bytes > segment_header_bytes;
  if (is_kept && is_dirty_ && settings_.sync == SpoolSyncPolicy::interval &&
      unsynced_.size() < unsynced_max)
    unsynced_.push_back(std::move(file));
  is_dirty_ = false;
  if (is_kept) return;
  directory_.remove(segments_.back().name);
  segments_.pop_back();
}

/// Drops the oldest segments until `bytes` more are within the limit.
Spool::Lost Spool::make_room(std::uint64_t bytes) {
  Lost lost;
  while (!segments_.empty() && this->bytes() + bytes > settings_.bytes_max) {
    const Lost more = drop_front(counts_.dropped_full);
    lost.points += more.points;
    lost.oldest = std::min(lost.oldest, more.oldest);
    lost.newest = std::max(lost.newest, more.newest);
  }
  if (lost.points > 0)
    say(
        fmt::format("full ({}): dropped the oldest {}, of {}; mend the database, or raise "
                    "spool.max_bytes",
                    as_size(settings_.bytes_max), points(lost.points),
                    range_in_words(lost.oldest, lost.newest)));
  return lost;
}

/// Drops segments that hold nothing young enough to be sent.
void Spool::expire(WallTime now) {
  const auto is_old = [&](const Segment& segment) {
    return segment.records > 0 && segment.newest < now - settings_.age_max;
  };
  std::uint64_t dropped = 0;
  while (!segments_.empty() && is_old(segments_.front()))
    dropped += drop_front(counts_.dropped_expired).points;
  if (dropped > 0)
    say(fmt::format("dropped {} older than {} h (spool.max_age)", points(dropped),
                    std::chrono::duration_cast<std::chrono::hours>(settings_.age_max).count()));
}

/// Drops the first segment but for the record that `front` gave: that one is with the caller.
Spool::Lost Spool::drop_front(std::uint64_t& counter) {
  Segment& segment = segments_.front();
  const bool holds = held_ && !held_->is_orphan;
  if (holds) {
    segment.points -= held_->points;
    --segment.records;
    held_->is_orphan = true;
  }
  const Lost lost{segment.points, segment.oldest, segment.newest};
  counter += segment.points;
  counts_.waiting -= segment.points;
  counts_.records_waiting -= segment.records;
  forget_front();
  return lost;
}

// --- Reading ---

std::optional<Payload> Spool::front(WallTime now) {
  give_back();
  while (!segments_.empty()) {
    Segment& segment = segments_.front();
    const int code = open_reader(segment);
    if (code != 0 && code != ENOENT) return std::nullopt;
    std::optional<Stored> record;
    if (code == 0) record = next_record(segment);
    if (!record) {
      remove_front();
      continue;
    }
    const Held here{.end = record->end,
                    .number = record->header.number,
                    .points = std::min<std::uint64_t>(record->header.lines, segment.points)};
    if (record->header.window < now - settings_.age_max) {
      pass(segment, here, counts_.dropped_expired);
      continue;
    }
    if (std::optional<Payload> payload = to_payload(record->header, record->payload)) {
      held_ = here;
      return payload;
    }
    pass(segment, here, counts_.dropped_damaged);
  }
  return std::nullopt;
}

void Spool::ack() {
  if (!held_) return;
  const Held held = *held_;
  held_.reset();
  if (held.is_orphan) {
    counts_.acked += held.points;
    counts_.waiting -= held.points;
    --counts_.records_waiting;
    return;
  }
  Segment& segment = segments_.front();
  pass(segment, held, counts_.acked);
  if (segment.next >= segment.bytes)
    remove_front();
  else
    write_cursor(segment);
}

/// The next batch of the segment that is not a repetition.
std::optional<Spool::Stored> Spool::next_record(Segment& segment) {
  while (segment.next < segment.bytes) {
    std::optional<Stored> record = read_at(segment, segment.next);
    if (!record) {
      if (!skip_damage(segment)) return std::nullopt;
      continue;
    }
    if (record->header.type == RecordType::batch && record->header.number > segment.last_number)
      return record;
    segment.next = record->end;
  }
  return std::nullopt;
}

std::optional<Spool::Stored> Spool::read_at(const Segment& segment, std::uint64_t offset) {
  const int file = reader_->get();
  read_range(file, offset, std::min(offset + record_header_bytes, segment.bytes), buffer_);
  const std::optional<RecordHeader> header = read_record_header(buffer_);
  if (!header || offset + record_bytes(header->length) > segment.bytes) return std::nullopt;
  read_range(file, offset, offset + record_bytes(header->length), buffer_);
  const std::optional<FoundRecord> record = read_record(buffer_, 0, segment.random);
  if (!record) return std::nullopt;
  return Stored{record->header, std::string(record->payload), offset + record->end};
}

/// Goes on to the next whole record; false if there is none. The points between are counted when
/// the segment is through: it knows how many it had.
bool Spool::skip_damage(Segment& segment) {
  read_range(reader_->get(), segment.next, segment.bytes, buffer_);
  const std::optional<FoundRecord> record = find_record(buffer_, 0, segment.random);
  const std::uint64_t skipped = record ? record->begin : buffer_.size();
  counts_.bytes_damaged += skipped;
  segment.next += skipped;
  return record.has_value();
}

/// The record is behind us; where its points went is `counter`.
void Spool::pass(Segment& segment, const Held& record, std::uint64_t& counter) {
  counter += record.points;
  counts_.waiting -= record.points;
  --counts_.records_waiting;
  segment.points -= record.points;
  --segment.records;
  segment.next = record.end;
  segment.last_number = record.number;
}

/// 0 or an errno. What is not there any more is lost; all else is tried again later.
int Spool::open_reader(const Segment& segment) {
  if (reader_) return 0;
  Result<Descriptor> file = directory_.open_file(segment.name, O_RDONLY);
  if (file) {
    reader_ = std::move(file).value();
    is_reader_stuck_ = false;
    return 0;
  }
  if (!std::exchange(is_reader_stuck_, true)) say(file.error().message + "; tried again");
  return file.error().code;
}

/// Ends the loan of a record that was not acknowledged.
void Spool::give_back() {
  if (held_ && held_->is_orphan) {
    counts_.dropped_full += held_->points;
    counts_.waiting -= held_->points;
    --counts_.records_waiting;
  }
  held_.reset();
}

/// The first segment is read to its end: what it had and we did not see was damaged.
void Spool::remove_front() {
  const Segment& segment = segments_.front();
  if (segment.points > 0)
    say(fmt::format("{} is damaged: {} of it are lost", segment.name, points(segment.points)));
  counts_.dropped_damaged += segment.points;
  counts_.waiting -= segment.points;
  counts_.records_waiting -= segment.records;
  counts_.records_damaged += segment.records;
  forget_front();
}

/// Deletes the first segment's file. If that fails it is sent once more after the next start, which
/// changes nothing in the database.
void Spool::forget_front() {
  if (segments_.size() == 1) {
    writer_.reset();
    is_dirty_ = false;
    unsynced_.clear();
    points_dirty_ = 0;
  }
  directory_.remove(segments_.front().name);
  segments_.pop_front();
  reader_.reset();
}

/// Never synced, and an error changes nothing: without it a start sends a segment again, and the
/// database overwrites its points with the same.
void Spool::write_cursor(const Segment& segment) {
  if (!cursor_file_) {
    Result<Descriptor> file = directory_.open_file("cursor", O_RDWR | O_CREAT);
    if (!file) return;
    cursor_file_ = std::move(file).value();
  }
  ++cursor_generation_;
  const auto slot = encode_cursor({.segment = segment.number,
                                   .offset = segment.next,
                                   .generation = cursor_generation_,
                                   .random = static_cast<std::uint32_t>(segment.random)});
  write_all(cursor_file_->get(), {slot.data(), slot.size()},
            cursor_generation_ % 2 * cursor_slot_bytes);
}

// --- Syncing ---

/// For the policy `always`; 0 or an errno.
int Spool::sync_now() {
  is_dirty_ = false;
  const bool is_done = fdatasync(writer_->get()) == 0 &&
                       (std::exchange(is_listed_, true) || fsync(directory_.fd()) == 0);
  if (is_done) return 0;
  const int code = errno;
  ++counts_.sync_failures;
  return code;
}

std::optional<SpoolSync> Spool::start_sync() {
  if (settings_.sync != SpoolSyncPolicy::interval || is_syncing_) return std::nullopt;
  if (!is_dirty_ && unsynced_.empty()) return std::nullopt;
  SpoolSync sync;
  const auto twin = [](int file) { return Descriptor(fcntl(file, F_DUPFD_CLOEXEC, 3)); };
  if (writer_ && is_dirty_) {
    Descriptor file = twin(writer_->get());
    if (!file) return std::nullopt;  // no descriptor free: the next window tries again
    sync.files_.push_back(std::move(file));
  }
  if (!is_listed_) {
    sync.directory_ = twin(directory_.fd());
    if (!*sync.directory_) return std::nullopt;
  }
  std::ranges::move(unsynced_, std::back_inserter(sync.files_));
  unsynced_.clear();
  is_dirty_ = false;
  is_listed_ = true;
  is_syncing_ = true;
  points_syncing_ = std::exchange(points_dirty_, 0);
  return sync;
}

void Spool::end_sync(const Status& outcome) {
  is_syncing_ = false;
  if (!outcome) {
    has_failed_sync_ = false;
    return;
  }
  ++counts_.sync_failures;
  counts_.points_not_durable += points_syncing_ + std::exchange(points_dirty_, 0);
  is_dirty_ = false;
  retire_writer();
  if (std::exchange(has_failed_sync_, true)) return;
  say(
      fmt::format("the disk does not confirm what was written ({}): {} can be lost by a power "
                  "cut; a new file is begun. Look after this disk",
                  outcome->message, points(counts_.points_not_durable)));
}

// --- Looking ---

std::uint64_t Spool::bytes() const {
  std::uint64_t sum = 0;
  for (const Segment& segment : segments_) sum += segment.bytes;
  return sum;
}

std::optional<WallTime> Spool::oldest() const {
  const auto found =
      std::ranges::find_if(segments_, [](const Segment& s) { return s.records > 0; });
  if (found == segments_.end()) return std::nullopt;
  return found->oldest;
}

std::optional<WallTime> Spool::newest() const {
  const auto found = std::find_if(segments_.rbegin(), segments_.rend(),
                                  [](const Segment& s) { return s.records > 0; });
  if (found == segments_.rend()) return std::nullopt;
  return found->newest;
}

void Spool::say(std::string text) {
  if (findings_.size() < findings_max)
    findings_.push_back("spool " + directory_.path() + ": " + std::move(text));
}

std::vector<std::string> Spool::take_findings() {
  return std::exchange(findings_, {});
}

}  // namespace tally
