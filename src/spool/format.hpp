#pragma once
// What a segment of the spool looks like, and how to find the whole records in a damaged one. Pure.
// All numbers are little-endian whatever the machine, so files can move to another one.
//
//     segment header                              record header, begins at a multiple of 8
//      0  magic        "TLY\x89LP\r\n"             0  sync      u32  0x4C50AA55
//      8  version      u16  1                      4  length    u32  of the payload, <= 4 MiB
//     10  flags        u16  bit 0: gzip is used    8  crc32c    u32
//     12  header size  u16  64                    12  type      u8   1 batch, 2 skip, 3 notice
//     14  0            u16                        13  flags     u8   bit 0: the payload is gzip
//     16  number       u64  order of segments     14  attempts  u16  0; a hint only
//     24  created      i64  ns since 1970         16  lines     u32  points; of a notice: dropped
//     32  fingerprint  u64  of the destination    20  number    u64  rises within a segment
//     40  random       u64                        28  window    i64  start, ns since 1970
//     48  0            12 bytes                   36  precision u8   0 s, 1 ms, 2 ns
//     60  crc32c       u32  of the 60 before      37  0         3 bytes
//                                                 40  payload, then zeros up to a multiple of 8
//
// A record's CRC is that of the segment's random number, of its header without sync and CRC, and of
// its payload. The random number lets no record pass that another segment left in the same block.
// The magic shows files that went through a text-mode copy.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tally/payload.hpp"
#include "tally/time.hpp"

namespace tally {

inline constexpr std::size_t segment_header_bytes = 64;
inline constexpr std::size_t record_header_bytes = 40;
inline constexpr std::uint16_t spool_version = 1;
/// Of a payload as it is stored, and of its body unpacked.
inline constexpr std::size_t spool_body_bytes_max = std::size_t{4} << 20;

struct SegmentHeader {
  std::uint64_t number = 0;
  std::int64_t created_ns = 0;
  std::uint64_t fingerprint = 0;
  std::uint64_t random = 0;

  friend bool operator==(const SegmentHeader&, const SegmentHeader&) = default;
};

std::array<char, segment_header_bytes> encode_segment_header(const SegmentHeader& header);

enum class HeaderState : std::uint8_t {
  whole,
  mended,           ///< one bit was wrong: the CRC tells which
  unknown_version,  ///< ours, but of another version
  damaged           ///< or no segment at all
};

struct ReadHeader {
  HeaderState state = HeaderState::damaged;
  SegmentHeader header;       ///< if whole or mended
  std::uint16_t version = 0;  ///< if unknown
};

/// Reads the header at the beginning of `file`, which may be of any size.
ReadHeader read_segment_header(std::string_view file);

enum class RecordType : std::uint8_t { batch = 1, skip = 2, notice = 3 };

/// One record without its payload.
struct RecordHeader {
  std::uint32_t length = 0;  ///< of the payload
  RecordType type = RecordType::batch;
  bool is_gzip = false;
  std::uint32_t lines = 0;
  std::uint64_t number = 0;
  WallTime window{};
  Precision precision = Precision::seconds;

  friend bool operator==(const RecordHeader&, const RecordHeader&) = default;
};

/// With header and padding.
constexpr std::size_t record_bytes(std::size_t payload_bytes) {
  return (record_header_bytes + payload_bytes + 7) / 8 * 8;
}

/// Appends a record. `header.length` is taken from `payload`. REQUIRES: at most
/// `spool_body_bytes_max` of it.
void append_record(std::string& out, RecordHeader header, std::string_view payload,
                   std::uint64_t random);

/// The header at the beginning of `bytes` if it can be one: the payload is not looked at, so it may
/// still be damaged. Nothing if a field is out of its range.
std::optional<RecordHeader> read_record_header(std::string_view bytes);

/// A record whose CRC is right.
struct FoundRecord {
  RecordHeader header;
  std::string_view payload;
  std::size_t begin = 0;  ///< in the bytes searched
  std::size_t end = 0;    ///< padding included
};

/// The whole record that begins at `offset` of `file`, if one does.
std::optional<FoundRecord> read_record(std::string_view file, std::size_t offset,
                                       std::uint64_t random);

/// The first whole record at or behind `offset`, which is rounded up to a multiple of 8.
std::optional<FoundRecord> find_record(std::string_view file, std::size_t offset,
                                       std::uint64_t random);

/// Where reading goes on, in one of the two slots of the cursor's file:
///
///      0  segment     u64        16  generation u64, the higher one of two whole slots holds
///      8  offset      u64        24  random     u32, the lower half of the segment's
///                                28  crc32c     u32  of the 28 before
struct Cursor {
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;
  std::uint64_t generation = 0;
  std::uint32_t random = 0;

  /// Where the first record that waits begins in this segment.
  std::uint64_t begin_of(const SegmentHeader& header) const;

  friend bool operator==(const Cursor&, const Cursor&) = default;
};

inline constexpr std::size_t cursor_slot_bytes = 32;
std::array<char, cursor_slot_bytes> encode_cursor(const Cursor& cursor);
/// The newer whole slot of a cursor's file of any size; generation 0 if there is none.
Cursor read_cursor(std::string_view file);

/// Tells destinations apart: points for one are never sent to another.
std::uint64_t spool_fingerprint(std::string_view url, std::string_view database,
                                std::string_view retention_policy);

/// `<root>/<sink>-<8 hex digits of the fingerprint>`; "" is called "influxdb", and what is no
/// letter, digit, '-' or '_' becomes '_'.
std::string spool_directory_of(std::string_view root, std::string_view sink,
                               std::uint64_t fingerprint);

}  // namespace tally
