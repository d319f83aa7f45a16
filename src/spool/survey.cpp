#include "spool/survey.hpp"

#include <algorithm>
#include <optional>

namespace tally {
namespace {

/// More lines than this in one record are a damaged header: the encoder stops at 5,000.
constexpr std::uint32_t lines_max = 4'000'000;

/// Adds up one segment while it is walked.
class Surveyor {
 public:
  Surveyor(std::string_view file, std::size_t offset, std::uint64_t after) : file_(file) {
    survey_.end = std::min(offset, file.size());
    survey_.last_number = after;
  }

  /// Whether the record is new.
  bool take(const FoundRecord& record) {
    const RecordHeader& header = record.header;
    if (record.begin > survey_.end)
      add_damage(record.begin, missing_before(header.number), header.lines);
    survey_.end = record.end;
    if (header.number <= survey_.last_number) return false;
    survey_.last_number = header.number;
    has_number_ = true;
    if (header.type == RecordType::batch) add_batch(header);
    return true;
  }

  SegmentSurvey finish() {
    const std::string_view rest = file_.substr(survey_.end);
    // Space that was reserved and never written reads as zeros.
    if (rest.find_first_not_of('\0') == std::string_view::npos) return survey_;
    const std::size_t end = survey_.end;
    add_damage(file_.size(), std::nullopt, 0);
    survey_.end = end;
    return survey_;
  }

 private:
  struct Claims {
    std::uint64_t records = 0;
    std::uint64_t points = 0;
  };

  /// How many records there were between the last one and this, if that can be told.
  std::optional<std::uint64_t> missing_before(std::uint64_t number) const {
    if (!has_number_) return std::nullopt;
    return number > survey_.last_number ? number - survey_.last_number - 1 : 0;
  }

  void add_batch(const RecordHeader& header) {
    ++survey_.records;
    survey_.points += header.lines;
    survey_.oldest = std::min(survey_.oldest, header.window);
    survey_.newest = std::max(survey_.newest, header.window);
    neighbour_lines_ = header.lines;
  }

  /// What the headers of a damaged place say of themselves, as far as one leads to the next.
  Claims claims_up_to(std::size_t end) const {
    Claims claims;
    std::size_t offset = survey_.end;
    while (offset < end) {
      const auto header = read_record_header(file_.substr(offset, end - offset));
      if (!header || header->lines > lines_max) break;
      ++claims.records;
      if (header->type == RecordType::batch) claims.points += header->lines;
      offset += record_bytes(header->length);
    }
    return claims;
  }

  void add_damage(std::size_t end, std::optional<std::uint64_t> missing,
                  std::uint32_t lines_behind) {
    Claims claims = claims_up_to(end);
    // More than there was room for says that segments were mixed.
    const std::uint64_t records_max = (end - survey_.end) / record_header_bytes + 1;
    if (!missing || *missing > records_max) missing = std::max<std::uint64_t>(claims.records, 1);
    if (claims.records > *missing) claims = {};
    const std::uint64_t neighbour = neighbour_lines_ != 0 ? neighbour_lines_ : lines_behind;
    survey_.damaged_bytes += end - survey_.end;
    survey_.damaged_records += *missing;
    survey_.damaged_points += claims.points + (*missing - claims.records) * neighbour;
  }

  std::string_view file_;
  SegmentSurvey survey_;
  bool has_number_ = false;  ///< a record of this segment was met
  std::uint32_t neighbour_lines_ = 0;
};

}  // namespace

SegmentSurvey survey_segment(std::string_view file, std::size_t offset, std::uint64_t random,
                             std::uint64_t after, const RecordSink& sink) {
  Surveyor surveyor(file, offset, after);
  while (const auto record = find_record(file, offset, random)) {
    offset = record->end;
    if (surveyor.take(*record) && sink) sink(*record);
  }
  return surveyor.finish();
}

}  // namespace tally
