#include "spool/segment_reader.hpp"

#include <fcntl.h>

#include <algorithm>
#include <utility>

namespace tally {

int SegmentReader::open(const Segment& segment) {
  if (file_) return 0;
  Result<Descriptor> file = shared_.directory.open_file(segment.name, O_RDONLY);
  if (file) {
    file_ = std::move(file).value();
    is_stuck_ = false;
    return 0;
  }
  if (!std::exchange(is_stuck_, true)) shared_.say(file.error().message + "; tried again");
  return file.error().code;
}

std::optional<SegmentReader::Record> SegmentReader::next(Segment& segment) {
  while (segment.next < segment.bytes) {
    std::optional<Record> record = read_at(segment, segment.next);
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

std::optional<SegmentReader::Record> SegmentReader::read_at(const Segment& segment,
                                                            std::uint64_t offset) {
  const int file = file_->get();
  read_range(file, offset, std::min(offset + record_header_bytes, segment.bytes), buffer_);
  const std::optional<RecordHeader> header = read_record_header(buffer_);
  if (!header || offset + record_bytes(header->length) > segment.bytes) return std::nullopt;
  read_range(file, offset, offset + record_bytes(header->length), buffer_);
  const std::optional<FoundRecord> record = read_record(buffer_, 0, segment.random);
  if (!record) return std::nullopt;
  return Record{record->header, std::string(record->payload), offset + record->end};
}

/// Goes on to the next whole record; false if there is none. The points between are counted when
/// the segment is through: it knows how many it had.
bool SegmentReader::skip_damage(Segment& segment) {
  read_range(file_->get(), segment.next, segment.bytes, buffer_);
  const std::optional<FoundRecord> record = find_record(buffer_, 0, segment.random);
  const std::uint64_t skipped = record ? record->begin : buffer_.size();
  shared_.counts.bytes_damaged += skipped;
  segment.next += skipped;
  return record.has_value();
}

}  // namespace tally
