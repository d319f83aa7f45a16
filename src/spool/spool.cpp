#include "spool/spool.hpp"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "base/gzip.hpp"
#include "spool/report.hpp"
#include "tally/text.hpp"

namespace tally {
namespace {

struct Packed {
  std::string bytes;
  bool is_gzip = false;
};

Packed pack(const std::string& body) {
  constexpr std::size_t gzip_from_bytes = 256;  // below, the frame costs more than it saves
  if (body.size() >= gzip_from_bytes) {
    std::optional<std::string> small = gzip(body);
    if (small && small->size() < body.size()) return {std::move(*small), true};
  }
  return {body, false};
}

}  // namespace

// ---- opening ------------------------------------------------------------------------------------

Result<std::unique_ptr<Spool>> Spool::open(SpoolSettings settings, WallTime now) {
  Result<std::unique_ptr<Spool>> spool = begin(std::move(settings));
  if (!spool) return spool;
  while (const auto step = spool.value()->next_step()) spool.value()->end_step(step->run(), now);
  return spool;
}

Result<std::unique_ptr<Spool>> Spool::begin(SpoolSettings settings) {
  Result<SpoolDirectory> directory = SpoolDirectory::open(settings.directory);
  if (!directory) return directory.error();
  const Result<std::vector<std::string>> names = directory.value().names("seg-", "");
  if (!names) return names.error();
  std::unique_ptr<Spool> spool(new Spool(std::move(settings), std::move(directory).value()));
  std::uint64_t& next = spool->shared_.next_segment;
  for (const std::string& name : names.value()) next = std::max(next, segment_number(name) + 1);
  spool->recovery_.emplace(spool->shared_, spool->backlog_);
  return spool;
}

Spool::Spool(SpoolSettings settings, SpoolDirectory directory)
    : shared_(std::move(settings), std::move(directory)) {}

std::optional<RecoveryStep> Spool::next_step() {
  if (!recovery_ || std::exchange(is_step_out_, true)) return std::nullopt;
  return recovery_->next();
}

void Spool::end_step(RecoveryFinding finding, WallTime now) {
  is_step_out_ = false;
  recovery_->take(std::move(finding));
  if (!recovery_->is_done()) return;
  recovery_.reset();
  backlog_.take_over(late_);
  expire(now);
}

// ---- writing ------------------------------------------------------------------------------------

Status Spool::put(const Payload& payload, WallTime now) {
  return put_into(recovery_ ? late_ : backlog_, payload, now);
}

Status Spool::put_fresh(const Payload& payload, WallTime now) {
  return put_into(fresh_, payload, now);
}

Status Spool::put_into(SegmentQueue& queue, const Payload& payload, WallTime now) {
  SpoolCounts& counts = shared_.counts;
  Status failed = try_to_put(queue, payload, now);
  if (failed) {
    ++counts.put_failures;
    failed->message +=
        "; " + points_in_words(payload.points) + " stay in memory, it is tried again";
    return failed;
  }
  queue.count(payload);
  counts.put += payload.points;
  counts.waiting += payload.points;
  ++counts.records_waiting;
  debt_.add_points(payload.points);
  return {};
}

Status Spool::try_to_put(SegmentQueue& queue, const Payload& payload, WallTime now) {
  const Packed packed = pack(payload.body);
  const std::uint64_t size = record_bytes(packed.bytes.size());
  if (payload.body.size() > spool_body_bytes_max ||
      size + segment_header_bytes > shared_.settings.bytes_max)
    return Error{fmt::format("spool {}: a payload of {} is larger than the spool takes "
                             "(spool.max_bytes)",
                             shared_.directory.path(), as_size(payload.body.size())),
                 EFBIG};
  if (!queue.has_room_for(size))
    if (Status failed = begin_segment(queue, size, now)) return failed;
  return queue.append({.type = RecordType::batch,
                       .is_gzip = packed.is_gzip,
                       .lines = payload.points,
                       .window = payload.window,
                       .precision = payload.precision},
                      packed.bytes);
}

Status Spool::begin_segment(SegmentQueue& queue, std::uint64_t bytes, WallTime now) {
  queue.retire_writer();
  if (Status full = check_space()) return full;
  expire(now);
  constexpr std::uint64_t notice_bytes = 256;
  const std::uint64_t reserved =
      std::max(shared_.segment_bytes, segment_header_bytes + notice_bytes + bytes);
  Stretch lost;
  if (Status failed = make_room(reserved, lost)) return failed;
  if (Status failed = queue.begin(reserved, now)) return failed;
  if (lost.points == 0) return {};
  // A record of the gap. If that fails, the log and the counters have it.
  const auto lines = static_cast<std::uint32_t>(std::min<std::uint64_t>(lost.points, UINT32_MAX));
  const std::string text = fmt::format("dropped {} of {}: spool full", points_in_words(lost.points),
                                       range_in_words(lost.oldest, lost.newest));
  return queue.append({.type = RecordType::notice, .lines = lines, .window = lost.oldest}, text);
}

Status Spool::check_space() const {
  struct statvfs info {};
  if (fstatvfs(shared_.directory.fd(), &info) != 0) return {};  // then the write will tell
  const std::uint64_t least = shared_.settings.left_to_others(info.f_blocks * info.f_frsize);
  const std::uint64_t free_bytes = info.f_bavail * info.f_frsize;
  if (free_bytes >= least) return {};
  return Error{fmt::format("spool {}: the disk has {} left and tallyd leaves {} to others: make "
                           "room, or put spool.directory on another disk",
                           shared_.directory.path(), as_size(free_bytes), as_size(least)),
               ENOSPC};
}

/// Drops the oldest segments until `bytes` more are within the limit. What was not read yet is
/// dropped by nobody: how many points that would be is not known.
Status Spool::make_room(std::uint64_t bytes, Stretch& lost) {
  while (this->bytes() + bytes > shared_.settings.bytes_max) {
    if (backlog_.empty() && recovery_)
      return Error{fmt::format("spool {}: it is full, and what is in it is not read yet",
                               shared_.directory.path()),
                   ENOSPC};
    const auto oldest =
        std::ranges::find_if(queues_, [](const SegmentQueue* queue) { return !queue->empty(); });
    if (oldest == std::end(queues_)) break;
    lost.add((*oldest)->drop_oldest(shared_.counts.dropped_full));
  }
  if (lost.points > 0)
    shared_.say(
        fmt::format("full ({}): dropped the oldest {}, of {}; mend the database, or raise "
                    "spool.max_bytes",
                    as_size(shared_.settings.bytes_max), points_in_words(lost.points),
                    range_in_words(lost.oldest, lost.newest)));
  return {};
}

void Spool::expire(WallTime now) {
  std::uint64_t dropped = 0;
  for (SegmentQueue* queue : queues_)
    while (queue->is_oldest_expired(now))
      dropped += queue->drop_oldest(shared_.counts.dropped_expired).points;
  if (dropped == 0) return;
  shared_.say(expired_in_words(dropped, shared_.settings.age_max));
}

// ---- reading ------------------------------------------------------------------------------------

// Whole segments first: what expired with them is said in one line.
std::optional<Payload> Spool::front(WallTime now) {
  backlog_.give_back();
  expire(now);
  return backlog_.front(now);
}

std::optional<Payload> Spool::fresh(WallTime now) {
  return fresh_.front(now);
}

void Spool::ack() {
  backlog_.ack();
  if (empty()) debt_.forget();
}

void Spool::ack_fresh() {
  fresh_.ack();
  if (empty()) debt_.forget();
}

void Spool::set_back() {
  fresh_.give_back();
  (recovery_ ? late_ : backlog_).take_over(fresh_);
}

std::uint64_t Spool::bytes() const {
  std::uint64_t sum = recovery_ ? recovery_->bytes_unread() : 0;
  for (const SegmentQueue* queue : queues_) sum += queue->bytes();
  return sum;
}

std::optional<WallTime> Spool::oldest() const {
  std::optional<WallTime> oldest;
  for (const SegmentQueue* queue : queues_)
    if (const auto first = queue->oldest()) oldest = oldest ? std::min(*oldest, *first) : first;
  return oldest;
}

std::optional<WallTime> Spool::newest() const {
  std::optional<WallTime> newest;
  for (const SegmentQueue* queue : queues_)
    if (const auto last = queue->newest()) newest = newest ? std::max(*newest, *last) : last;
  return newest;
}

// ---- syncing ------------------------------------------------------------------------------------

std::optional<SpoolSync> Spool::start_sync() {
  if (shared_.settings.sync != SpoolSyncPolicy::interval) return std::nullopt;
  std::vector<SyncDebt::Open> open;
  for (SegmentQueue* queue : queues_)
    if (const auto file = queue->open_file()) open.push_back(*file);
  return debt_.start(open);
}

void Spool::end_sync(const Status& outcome) {
  if (debt_.end(outcome)) return;
  for (SegmentQueue* queue : queues_) queue->abandon_writer();
}

std::vector<std::string> Spool::take_findings() {
  return std::exchange(shared_.findings, {});
}

}  // namespace tally
