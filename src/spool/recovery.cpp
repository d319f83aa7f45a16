#include "spool/recovery.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "spool/report.hpp"
#include "tally/text.hpp"

namespace tally {
namespace {

/// A larger file was not written by us.
constexpr std::uint64_t segment_file_bytes_max = std::uint64_t{256} << 20;

}  // namespace

// ---- a step, on any thread ----------------------------------------------------------------------

RecoveryFinding RecoveryStep::run() const {
  if (!directory_) return {.failed = directory_.error()};
  return file_ ? survey() : list();
}

RecoveryFinding RecoveryStep::list() const {
  Result<std::vector<SegmentFile>> files = directory_.value().segments();
  if (!files) return {.failed = files.error()};
  return {.files = std::move(files).value()};
}

RecoveryFinding RecoveryStep::survey() const {
  RecoveryFinding finding;
  Result<Descriptor> opened = directory_.value().open_file(file_->name, O_RDWR);
  if (!opened) opened = directory_.value().open_file(file_->name, O_RDONLY);
  if (!opened) return {.failed = opened.error()};
  std::string bytes;
  read_range(opened.value().get(), 0, file_->bytes, bytes);
  const auto keep_notice = [&](const FoundRecord& record) {
    if (record.header.type == RecordType::notice)
      finding.notices.push_back("an earlier tallyd " + std::string(record.payload));
  };
  finding.survey =
      survey_segment(bytes, file_->offset, file_->random, file_->last_number, keep_notice);
  const auto end = static_cast<off_t>(finding.survey.end);
  // What cannot be cut is found again by the next start.
  if (file_->bytes > finding.survey.end)
    static_cast<void>(ftruncate(opened.value().get(), end) == 0);
  return finding;
}

// ---- all of them --------------------------------------------------------------------------------

RecoveryStep SpoolRecovery::next() const {
  RecoveryStep step(shared_.directory.twin());
  if (!is_listed_) return step;
  const SegmentFile& file = files_.front();
  const SegmentHeader& header = file.head.header;
  step.file_ = RecoveryStep::File{.name = file.name,
                                  .bytes = file.bytes,
                                  .offset = shared_.cursor.found().begin_of(header),
                                  .random = header.random,
                                  .last_number = last_number_before(header)};
  return step;
}

/// A copy of the file before: what that one has is not taken twice.
std::uint64_t SpoolRecovery::last_number_before(const SegmentHeader& header) const {
  return header == previous_ ? previous_last_ : 0;
}

void SpoolRecovery::take(RecoveryFinding finding) {
  if (finding.failed)
    shared_.say(finding.failed->message + "; what it holds waits until the next start");
  for (std::string& notice : finding.notices) shared_.say(std::move(notice));
  if (!is_listed_) {
    list(std::move(finding.files));
  } else {
    const SegmentFile file = std::move(files_.front());
    files_.pop_front();
    if (!finding.failed) take_survey(file, finding.survey);
  }
  if (is_done()) report();
}

void SpoolRecovery::list(std::vector<SegmentFile> files) {
  is_listed_ = true;
  for (SegmentFile& file : files) {
    if (segment_number(file.name) >= first_of_ours_) continue;
    shared_.next_segment = std::max(shared_.next_segment, file.head.header.number + 1);
    if (!file.is_readable() || file.bytes > segment_file_bytes_max)
      put_aside(file);
    else if (is_ours(file))
      files_.push_back(std::move(file));
  }
}

bool SpoolRecovery::is_ours(const SegmentFile& file) {
  if (file.head.header.fingerprint == shared_.settings.fingerprint) return true;
  ++foreign_files_;
  foreign_bytes_ += file.bytes;
  return shared_.settings.adopts;
}

/// Deals with what is called a segment and cannot be read as one.
void SpoolRecovery::put_aside(const SegmentFile& file) {
  if (file.error != 0)
    return shared_.say(
        fmt::format("{} cannot be opened ({}); what it holds waits until the next start", file.name,
                    std::strerror(file.error)));
  if (file.is_blank && file.bytes <= segment_header_bytes) {
    shared_.directory.remove(file.name);
    return shared_.say(file.name + " is empty, as a power cut leaves a new file; removed");
  }
  if (file.head.state == HeaderState::unknown_version)
    return shared_.say(fmt::format("{} has version {}, this tallyd knows version {}; {}", file.name,
                                   file.head.version, spool_version,
                                   rename_to(file.name, ".unknown")));
  shared_.counts.bytes_damaged += file.bytes;
  shared_.say(
      fmt::format("{} ({}) is no segment any more: how many points are lost with it is not known; "
                  "{}",
                  file.name, as_size(file.bytes), rename_to(file.name, ".damaged")));
}

/// Puts a file out of the way and says so.
std::string SpoolRecovery::rename_to(const std::string& name, const std::string& suffix) {
  const int code = shared_.directory.rename(name, name + suffix);
  if (code != 0) return std::string("left as it is, it cannot be renamed: ") + std::strerror(code);
  return "renamed to " + name + suffix + " and left";
}

void SpoolRecovery::take_survey(const SegmentFile& file, const SegmentSurvey& survey) {
  const SegmentHeader& header = file.head.header;
  SpoolCounts& counts = shared_.counts;
  shared_.next_record =
      std::max(shared_.next_record, survey.last_number + survey.damaged_records + 1);
  counts.recovered += survey.points + survey.damaged_points;
  counts.waiting += survey.points;
  counts.records_waiting += survey.records;
  if (survey.damaged_bytes > 0) report_damage(file.name, survey);
  if (survey.records == 0) {
    shared_.directory.remove(file.name);
  } else {
    found_.add({survey.points, survey.oldest, survey.newest});
    bytes_found_ += survey.end;
    queue_.add({.name = file.name,
                .number = header.number,
                .random = header.random,
                .bytes = survey.end,
                .next = shared_.cursor.found().begin_of(header),
                .last_number = last_number_before(header),
                .points = survey.points,
                .records = survey.records,
                .oldest = survey.oldest,
                .newest = survey.newest});
  }
  previous_ = header;
  previous_last_ = survey.last_number;
}

void SpoolRecovery::report_damage(const std::string& name, const SegmentSurvey& survey) {
  SpoolCounts& counts = shared_.counts;
  counts.dropped_damaged += survey.damaged_points;
  counts.records_damaged += survey.damaged_records;
  counts.bytes_damaged += survey.damaged_bytes;
  shared_.say(fmt::format(
      "{}: {} of it damaged or cut short: {} lost with about {}; all others are whole", name,
      as_size(survey.damaged_bytes),
      survey.damaged_records == 1 ? "1 record" : with_commas(survey.damaged_records) + " records",
      points_in_words(survey.damaged_points)));
}

void SpoolRecovery::report() {
  if (foreign_files_ > 0)
    shared_.say(fmt::format("{} files of another destination ({}) are {}",
                            with_commas(foreign_files_), about_size(foreign_bytes_),
                            shared_.settings.adopts
                                ? "adopted (spool.adopt): they are sent to this one"
                                : "left alone: set spool.adopt = true to send them here, or "
                                  "remove them"));
  if (found_.points > 0)
    shared_.say(fmt::format("{} of {} wait ({} on disk)", points_in_words(found_.points),
                            range_in_words(found_.oldest, found_.newest),
                            about_size(bytes_found_)));
}

std::uint64_t SpoolRecovery::bytes_unread() const {
  std::uint64_t sum = 0;
  for (const SegmentFile& file : files_) sum += file.bytes;
  return sum;
}

}  // namespace tally
