#include "daemon/check_spool.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <optional>

#include "spool/report.hpp"
#include "tally/text.hpp"

namespace tally {
namespace {

using Level = Finding::Level;

/// Sizes of disks, where bytes tell nobody anything.
std::string in_mebibytes(std::uint64_t bytes) {
  return as_size(bytes >> 20 << 20);
}

std::string subject_of(const SpoolSettings& settings) {
  return "spool " + settings.directory;
}

Finding mend(const SpoolSettings& settings, std::string message) {
  const std::string subject = subject_of(settings);
  if (message.starts_with(subject + ": ")) message.erase(0, subject.size() + 2);
  return {Level::mend, subject, std::move(message)};
}

/// What waits, added up over all segments.
struct Waiting {
  std::uint64_t bytes = 0;
  SegmentSurvey survey;
};

Waiting add_up(const std::vector<SegmentReport>& segments) {
  Waiting all;
  for (const SegmentReport& segment : segments) {
    all.bytes += segment.bytes;
    if (segment.survey.records == 0) continue;
    const bool is_first = all.survey.records == 0;
    const SegmentSurvey& one = segment.survey;
    all.survey.points += one.points;
    all.survey.records += one.records;
    all.survey.oldest = is_first ? one.oldest : std::min(all.survey.oldest, one.oldest);
    all.survey.newest = is_first ? one.newest : std::max(all.survey.newest, one.newest);
  }
  return all;
}

Finding describe_waiting(const Waiting& waiting, const SpoolSettings& settings) {
  const SegmentSurvey& survey = waiting.survey;
  if (survey.records == 0)
    return {Level::well, subject_of(settings), "can be used, and nothing waits in it"};
  return {Level::note, subject_of(settings),
          fmt::format("{} points wait in it, of {}; see tallyd spool", with_commas(survey.points),
                      range_in_words(survey.oldest, survey.newest))};
}

std::optional<Finding> try_room(const SpoolSettings& settings, std::uint64_t spool_bytes) {
  std::filesystem::path there = settings.directory;
  std::error_code error;
  while (!std::filesystem::exists(there, error) && there.has_relative_path())
    there = there.parent_path();
  struct statvfs info {};
  if (statvfs(there.empty() ? "." : there.c_str(), &info) != 0) return std::nullopt;
  return judge_room({.total = info.f_blocks * info.f_frsize,
                     .free = info.f_bavail * info.f_frsize,
                     .spool = spool_bytes},
                    settings);
}

/// Root may look anywhere, and tallyd does not run as root.
std::optional<Finding> find_other_owner(const SpoolSettings& settings) {
  struct stat info {};
  if (geteuid() != 0 || lstat(settings.directory.c_str(), &info) != 0 || info.st_uid == 0)
    return std::nullopt;
  return Finding{Level::note, subject_of(settings),
                 fmt::format("belongs to user {}; run tallyd check as that user to look into it",
                             info.st_uid)};
}

void try_spool(const SpoolSettings& settings, std::vector<Finding>& findings) {
  Waiting waiting;
  if (std::optional<Finding> other = find_other_owner(settings)) {
    findings.push_back(*std::move(other));
  } else if (const auto segments = look_at_spool(settings.directory)) {
    waiting = add_up(segments.value());
    findings.push_back(describe_waiting(waiting, settings));
    if (access(settings.directory.c_str(), W_OK | X_OK) != 0)
      findings.push_back(
          mend(settings, "cannot be written to: give tallyd a directory that it can write to"));
  } else if (segments.error().code != ENOENT) {
    return findings.push_back(mend(settings, segments.error().message));
  } else if (const Status cannot = SpoolDirectory::try_to_make(settings.directory)) {
    return findings.push_back(mend(settings, cannot->message));
  } else {
    findings.push_back({Level::well, subject_of(settings), "can be made"});
  }
  if (auto room = try_room(settings, waiting.bytes)) findings.push_back(*std::move(room));
}

}  // namespace

Finding judge_room(const DiskRoom& room, const SpoolSettings& settings) {
  const std::uint64_t left = settings.left_to_others(room.total);
  const std::string subject = subject_of(settings);
  if (room.free < left)
    return {Level::mend, subject,
            fmt::format("the disk has {} left and tallyd leaves {} to others (spool.min_free): "
                        "points would wait in memory only; make room, or put spool.directory on "
                        "another disk",
                        in_mebibytes(room.free), in_mebibytes(left))};
  const std::uint64_t room_left = room.free - left;
  const std::uint64_t wanted = settings.bytes_max - std::min(settings.bytes_max, room.spool);
  if (room_left < wanted)
    return {Level::note, subject,
            fmt::format("the disk has room for {} more, and spool.max_bytes would allow {}; make "
                        "room, or lower it",
                        in_mebibytes(room_left), in_mebibytes(wanted))};
  return {
      Level::well, subject,
      fmt::format("the disk has room for the {} of spool.max_bytes", as_size(settings.bytes_max))};
}

std::vector<Finding> find_spool_problems(const std::vector<SpoolSettings>& spools) {
  if (spools.empty())
    return {{Level::note, "spool",
             "there is none, so points wait in memory only, and a stop while the database is away "
             "loses them; set spool.directory"}};
  std::vector<Finding> findings;
  for (const SpoolSettings& settings : spools) try_spool(settings, findings);
  return findings;
}

}  // namespace tally
