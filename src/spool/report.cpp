#include "spool/report.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/gzip.hpp"

namespace tally {
namespace {

void look_into(const SpoolDirectory& directory, const PayloadSink& sink, SegmentReport& report,
               const SegmentFile& file) {
  const SegmentHeader& header = file.head.header;
  const Cursor cursor = directory.cursor();
  const Result<Descriptor> opened = directory.open_file(file.name, O_RDONLY);
  if (!opened) return;
  std::string bytes;
  read_range(opened.value().get(), 0, file.bytes, bytes);
  const auto give = [&](const FoundRecord& record) {
    if (record.header.type != RecordType::batch || !sink) return;
    if (auto payload = to_payload(record.header, record.payload)) sink(std::move(*payload));
  };
  const std::uint64_t begin = cursor.begin_of(header);
  report.survey = survey_segment(bytes, begin, header.random, report.survey.last_number, give);
}

}  // namespace

std::optional<Payload> to_payload(const RecordHeader& header, std::string_view stored) {
  Payload payload{.points = header.lines, .precision = header.precision, .window = header.window};
  if (!header.is_gzip) {
    payload.body = stored;
    return payload;
  }
  std::optional<std::string> body = gunzip(stored, spool_body_bytes_max);
  if (!body) return std::nullopt;
  payload.body = std::move(*body);
  return payload;
}

std::vector<std::string> spools_below(const std::string& root) {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(root, error)) {
    if (std::filesystem::exists(entry.path() / "LOCK", error)) found.push_back(entry.path());
  }
  std::ranges::sort(found);
  return found;
}

std::string range_in_words(WallTime from, WallTime to) {
  const auto days = [](WallTime time) { return std::chrono::floor<std::chrono::days>(time); };
  const auto seconds = [](WallTime time) { return std::chrono::floor<std::chrono::seconds>(time); };
  if (days(from) == days(to))
    return fmt::format("{:%Y-%m-%d %H:%M:%S} to {:%H:%M:%S} UTC", seconds(from), seconds(to));
  return fmt::format("{0:%Y-%m-%d %H:%M:%S} to {1:%Y-%m-%d %H:%M:%S} UTC", seconds(from),
                     seconds(to));
}

Result<std::vector<SegmentReport>> look_at_spool(const std::string& directory,
                                                 const PayloadSink& sink) {
  const Result<SpoolDirectory> opened = SpoolDirectory::look(directory);
  if (!opened) return opened.error();
  const Result<std::vector<SegmentFile>> files = opened.value().segments();
  if (!files) return files.error();
  std::vector<SegmentReport> reports;
  SegmentHeader previous;
  for (const SegmentFile& file : files.value()) {
    SegmentReport report{.name = file.name, .bytes = file.bytes};
    report.fingerprint = file.head.header.fingerprint;
    const bool is_readable = file.is_readable();
    if (!is_readable) report.version = file.head.version;
    // A copy of the file before: what that one has does not wait twice.
    if (is_readable && !reports.empty() && file.head.header == previous)
      report.survey.last_number = reports.back().survey.last_number;
    if (is_readable) look_into(opened.value(), sink, report, file);
    if (is_readable) previous = file.head.header;
    reports.push_back(std::move(report));
  }
  return reports;
}

}  // namespace tally
