#include "spool/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstring>
#include <type_traits>

#include "spool/crc32c.hpp"

namespace tally {
namespace {

constexpr std::string_view magic{"TLY\x89LP\r\n", 8};
constexpr std::uint16_t gzip_flag = 1;
constexpr std::uint32_t sync_word = 0x4C50AA55;
constexpr std::string_view sync_bytes{"\x55\xAA\x50\x4C", 4};
constexpr std::size_t alignment = 8;

template <class Number>
void store(char* to, Number number) {
  auto bits = static_cast<std::make_unsigned_t<Number>>(number);
  for (std::size_t i = 0; i < sizeof bits; ++i)
    to[i] = static_cast<char>(static_cast<unsigned char>(bits >> (8 * i)));
}

template <class Number>
Number load(std::string_view bytes, std::size_t offset) {
  std::make_unsigned_t<Number> bits = 0;
  for (std::size_t i = sizeof bits; i-- > 0;)
    bits = static_cast<decltype(bits)>((std::uint64_t{bits} << 8) |
                                       static_cast<unsigned char>(bytes[offset + i]));
  return static_cast<Number>(bits);
}

std::int64_t to_ns(WallTime time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

WallTime from_ns(std::int64_t ns) {
  return WallTime(std::chrono::floor<std::chrono::milliseconds>(std::chrono::nanoseconds(ns)));
}

std::uint32_t record_crc(std::string_view header, std::string_view payload, std::uint64_t random) {
  std::array<char, sizeof random> salt{};
  store(salt.data(), random);
  std::uint32_t crc = crc32c({salt.data(), salt.size()});
  crc = crc32c(header.substr(4, 4), crc);
  crc = crc32c(header.substr(12, record_header_bytes - 12), crc);
  return crc32c(payload, crc);
}

bool has_right_crc(std::string_view bytes) {
  const std::size_t end = bytes.size() - sizeof(std::uint32_t);
  return load<std::uint32_t>(bytes, end) == crc32c(bytes.substr(0, end));
}

/// Turns the one bit back whose change explains a wrong CRC. At 512 bits no two single changes look
/// alike (CRC-32C has a Hamming distance of 6 there), so a mended header is the one written.
bool mend(std::array<char, segment_header_bytes>& header) {
  for (char& byte : header) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      const char was = byte;
      byte = static_cast<char>(byte ^ static_cast<char>(1U << bit));
      if (has_right_crc({header.data(), header.size()})) return true;
      byte = was;
    }
  }
  return false;
}

bool is_header_of_ours(std::string_view header) {
  return header.starts_with(magic) && load<std::uint16_t>(header, 8) == spool_version &&
         load<std::uint16_t>(header, 12) == segment_header_bytes;
}

SegmentHeader decode_segment_header(std::string_view bytes) {
  return {.number = load<std::uint64_t>(bytes, 16),
          .created_ns = load<std::int64_t>(bytes, 24),
          .fingerprint = load<std::uint64_t>(bytes, 32),
          .random = load<std::uint64_t>(bytes, 40)};
}

}  // namespace

std::array<char, segment_header_bytes> encode_segment_header(const SegmentHeader& header) {
  std::array<char, segment_header_bytes> bytes{};
  std::ranges::copy(magic, bytes.begin());
  store(&bytes[8], spool_version);
  store(&bytes[10], gzip_flag);
  store(&bytes[12], static_cast<std::uint16_t>(segment_header_bytes));
  store(&bytes[16], header.number);
  store(&bytes[24], header.created_ns);
  store(&bytes[32], header.fingerprint);
  store(&bytes[40], header.random);
  store(&bytes[60], crc32c({bytes.data(), 60}));
  return bytes;
}

ReadHeader read_segment_header(std::string_view file) {
  ReadHeader read;
  if (file.size() < segment_header_bytes) return read;
  std::array<char, segment_header_bytes> bytes{};
  std::ranges::copy(file.substr(0, segment_header_bytes), bytes.begin());
  const std::string_view header{bytes.data(), bytes.size()};

  const bool is_whole = has_right_crc(header);
  if ((is_whole || mend(bytes)) && is_header_of_ours(header)) {
    read.state = is_whole ? HeaderState::whole : HeaderState::mended;
    read.header = decode_segment_header(header);
  } else if (file.starts_with(magic) && load<std::uint16_t>(file, 8) != spool_version) {
    // Its CRC may be anywhere or of another kind: the magic has to do.
    read.state = HeaderState::unknown_version;
    read.version = load<std::uint16_t>(file, 8);
  }
  return read;
}

void append_record(std::string& out, RecordHeader header, std::string_view payload,
                   std::uint64_t random) {
  assert(payload.size() <= spool_body_bytes_max);
  std::array<char, record_header_bytes> bytes{};
  store(&bytes[0], sync_word);
  store(&bytes[4], static_cast<std::uint32_t>(payload.size()));
  bytes[12] = static_cast<char>(header.type);
  bytes[13] = static_cast<char>(header.is_gzip ? 1 : 0);
  store(&bytes[16], header.lines);
  store(&bytes[20], header.number);
  store(&bytes[28], to_ns(header.window));
  bytes[36] = static_cast<char>(header.precision);
  store(&bytes[8], record_crc({bytes.data(), bytes.size()}, payload, random));

  out.append(bytes.data(), bytes.size());
  out += payload;
  out.append(record_bytes(payload.size()) - bytes.size() - payload.size(), '\0');
}

std::optional<RecordHeader> read_record_header(std::string_view bytes) {
  if (bytes.size() < record_header_bytes || !bytes.starts_with(sync_bytes)) return std::nullopt;
  const auto length = load<std::uint32_t>(bytes, 4);
  const auto type = static_cast<std::uint8_t>(bytes[12]);
  const auto flags = static_cast<std::uint8_t>(bytes[13]);
  const auto lines = load<std::uint32_t>(bytes, 16);
  const auto precision = static_cast<std::uint8_t>(bytes[36]);
  const bool has_zeros = bytes[37] == 0 && bytes[38] == 0 && bytes[39] == 0;
  if (length > spool_body_bytes_max || type < 1 || type > 3 || flags > 1 || precision > 2 ||
      !has_zeros)
    return std::nullopt;
  return RecordHeader{.length = length,
                      .type = static_cast<RecordType>(type),
                      .is_gzip = flags == 1,
                      .lines = lines,
                      .number = load<std::uint64_t>(bytes, 20),
                      .window = from_ns(load<std::int64_t>(bytes, 28)),
                      .precision = static_cast<Precision>(precision)};
}

std::optional<FoundRecord> read_record(std::string_view file, std::size_t offset,
                                       std::uint64_t random) {
  if (offset > file.size()) return std::nullopt;
  const std::string_view bytes = file.substr(offset);
  const std::optional<RecordHeader> header = read_record_header(bytes);
  if (!header || bytes.size() < record_bytes(header->length)) return std::nullopt;
  const std::string_view payload = bytes.substr(record_header_bytes, header->length);
  if (record_crc(bytes, payload, random) != load<std::uint32_t>(bytes, 8)) return std::nullopt;
  return FoundRecord{.header = *header,
                     .payload = payload,
                     .begin = offset,
                     .end = offset + record_bytes(header->length)};
}

std::optional<FoundRecord> find_record(std::string_view file, std::size_t offset,
                                       std::uint64_t random) {
  offset = (offset + alignment - 1) / alignment * alignment;
  for (; offset + record_header_bytes <= file.size(); offset += alignment) {
    if (auto found = read_record(file, offset, random)) return found;
  }
  return std::nullopt;
}

std::array<char, cursor_slot_bytes> encode_cursor(const Cursor& cursor) {
  std::array<char, cursor_slot_bytes> bytes{};
  store(&bytes[0], cursor.segment);
  store(&bytes[8], cursor.offset);
  store(&bytes[16], cursor.generation);
  store(&bytes[24], cursor.random);
  store(&bytes[28], crc32c({bytes.data(), 28}));
  return bytes;
}

std::uint64_t Cursor::begin_of(const SegmentHeader& header) const {
  const bool is_here = generation > 0 && segment == header.number &&
                       random == static_cast<std::uint32_t>(header.random);
  return is_here ? std::max<std::uint64_t>(offset, segment_header_bytes) : segment_header_bytes;
}

Cursor read_cursor(std::string_view file) {
  Cursor newest;
  for (const std::size_t offset : {std::size_t{0}, cursor_slot_bytes}) {
    if (file.size() < offset + cursor_slot_bytes) break;
    const std::string_view slot = file.substr(offset, cursor_slot_bytes);
    const auto generation = load<std::uint64_t>(slot, 16);
    if (!has_right_crc(slot) || generation <= newest.generation) continue;
    newest = {.segment = load<std::uint64_t>(slot, 0),
              .offset = load<std::uint64_t>(slot, 8),
              .generation = generation,
              .random = load<std::uint32_t>(slot, 24)};
  }
  return newest;
}

std::uint64_t spool_fingerprint(std::string_view url, std::string_view database,
                                std::string_view retention_policy) {
  // FNV-1a, 64 bits (draft-eastlake-fnv): the value is on disk, so it must never change.
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&](char byte) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  };
  for (const std::string_view part : {url, database, retention_policy}) {
    for (const char byte : part) add(byte);
    add('\0');
  }
  return hash;
}

std::string spool_directory_of(std::string_view root, std::string_view sink,
                               std::uint64_t fingerprint) {
  std::string name{sink.empty() ? "influxdb" : sink};
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  };
  std::ranges::replace_if(
      name, [&](char c) { return !is_plain(c); }, '_');
  return fmt::format("{}/{}-{:08x}", root, name, static_cast<std::uint32_t>(fingerprint));
}

}  // namespace tally
