#include "spool/format.hpp"
#include "spool/survey.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "guarded_buffer.hpp"
#include "spool/crc32c.hpp"

using namespace tally;
using tally::testing::GuardedBuffer;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t salt = 0x0123456789abcdef;
constexpr WallTime window{1'700'000'000'250ms};

std::string_view as_text(const auto& bytes) {
  return {bytes.data(), bytes.size()};
}

const SegmentHeader example{.number = 42, .created_ns = -5, .fingerprint = 7, .random = salt};

std::string header_text() {
  return std::string(as_text(encode_segment_header(example)));
}

RecordHeader batch(std::uint64_t number, std::uint32_t lines) {
  return {.lines = lines, .number = number, .window = window};
}

/// A segment of records 1.., each with as many lines as given here and a payload of 11 bytes.
std::string segment_of(const std::vector<std::uint32_t>& lines) {
  std::string file = header_text();
  std::uint64_t number = 0;
  for (const std::uint32_t count : lines) {
    ++number;
    append_record(file, batch(number, count), "payload " + std::to_string(100 + number), salt);
  }
  return file;
}

constexpr std::size_t example_record = record_bytes(11);

/// With one bit wrong in the given byte of the given record.
std::string spoil(const std::string& file, std::size_t record, std::size_t at) {
  const std::size_t offset = segment_header_bytes + record * example_record + at;
  const auto wrong = static_cast<char>(file.at(offset) ^ 1);
  return file.substr(0, offset) + wrong + file.substr(offset + 1);
}

}  // namespace

TEST_CASE("crc32c: the vectors of RFC 3720 B.4 hold, by instruction and by table") {
  std::string rising;
  std::string falling;
  for (int i = 0; i < 32; ++i) rising += static_cast<char>(i);
  for (int i = 31; i >= 0; --i) falling += static_cast<char>(i);
  std::string read_command(48, '\0');
  const std::pair<std::size_t, unsigned char> bytes[] = {
      {0, 0x01}, {1, 0xc0}, {16, 0x14}, {22, 0x04}, {27, 0x14}, {31, 0x18}, {32, 0x28}, {40, 0x02}};
  for (const auto& [offset, byte] : bytes) read_command[offset] = static_cast<char>(byte);
  struct Row {
    std::string_view name;
    std::string bytes;
    std::uint32_t crc;
  };
  const std::vector<Row> rows = {
      {"nothing", "", 0},
      {"32 zeros", std::string(32, '\0'), 0x8a9136aa},
      {"32 ones", std::string(32, '\xff'), 0x62a8ab43},
      {"rising", rising, 0x46dd794e},
      {"falling", falling, 0x113fdb5c},
      {"an iSCSI read command", read_command, 0xd9963a56},
      {"the check word", "123456789", 0xe3069283},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(crc32c(row.bytes) == row.crc);
    CHECK(crc32c_by_table(row.bytes) == row.crc);
  }
}

TEST_CASE("crc32c: instruction and table agree at every length, in one piece and in two") {
  std::minstd_rand random(1);
  std::string bytes;
  for (std::size_t size = 0; size < 200; ++size) {
    CAPTURE(size);
    const std::uint32_t whole = crc32c(bytes);
    CHECK(crc32c_by_table(bytes) == whole);
    const std::string_view text = bytes;
    CHECK(crc32c(text.substr(size / 3), crc32c(text.substr(0, size / 3))) == whole);
    bytes += static_cast<char>(random());
  }
}

TEST_CASE("spool_format: the bytes of a segment header are as documented") {
  const std::string text = header_text();
  CHECK(text.substr(0, 8) == std::string_view("TLY\x89LP\r\n", 8));
  CHECK(text.substr(8, 8) == std::string_view("\x01\0\x01\0\x40\0\0\0", 8));
  CHECK(text.substr(16, 8) == std::string_view("\x2a\0\0\0\0\0\0\0", 8));
  CHECK(text.substr(24, 8) == std::string_view("\xfb\xff\xff\xff\xff\xff\xff\xff", 8));
  CHECK(text.substr(40, 8) == std::string_view("\xef\xcd\xab\x89\x67\x45\x23\x01", 8));
  const ReadHeader read = read_segment_header(text + "more");
  CHECK(read.state == HeaderState::whole);
  CHECK(read.header == example);
}

TEST_CASE("spool_format: a header with any one bit wrong is mended") {
  for (std::size_t bit = 0; bit < segment_header_bytes * 8; ++bit) {
    std::string text = header_text();
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << bit % 8));
    const ReadHeader read = read_segment_header(text);
    CAPTURE(bit);
    CHECK(read.state == HeaderState::mended);
    CHECK(read.header == example);
  }
}

TEST_CASE("spool_format: what is no header of this version is told apart") {
  std::string newer = header_text();
  newer[8] = 2;
  newer[12] = 72;
  std::string zeros(64, '\0');
  std::string mangled = header_text();
  mangled.erase(6, 1);  // "\r\n" became "\n"
  struct Row {
    std::string_view name;
    std::string bytes;
    HeaderState state;
  };
  const std::vector<Row> rows = {
      {"nothing", "", HeaderState::damaged},
      {"cut short", header_text().substr(0, 63), HeaderState::damaged},
      {"zeros", zeros, HeaderState::damaged},
      {"text mode", mangled + "x", HeaderState::damaged},
      {"a later version", newer, HeaderState::unknown_version},
      {"a later version with nothing else alike", newer.substr(0, 10) + std::string(60, 'x'),
       HeaderState::unknown_version},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(read_segment_header(row.bytes).state == row.state);
  }
  CHECK(read_segment_header(newer).version == 2);
}

TEST_CASE("spool_format: a record comes back as it was written") {
  for (const std::size_t size : {0U, 1U, 7U, 8U, 9U, 4096U}) {
    CAPTURE(size);
    const RecordHeader header{.length = static_cast<std::uint32_t>(size),
                              .type = RecordType::notice,
                              .is_gzip = true,
                              .lines = 0xfedcba98,
                              .number = 0x1122334455667788,
                              .window = window,
                              .precision = Precision::nanoseconds};
    const std::string payload(size, 'x');
    std::string file = "12345678";
    append_record(file, header, payload, salt);
    CHECK(file.size() % 8 == 0);
    const auto record = read_record(file, 8, salt);
    REQUIRE(record);
    CHECK(record->header == header);
    CHECK(record->payload == payload);
    CHECK(record->end == file.size());
    CHECK_FALSE(read_record(file, 8, salt + 1));  // a block of another segment
    CHECK_FALSE(read_record(file, 0, salt));
  }
}

TEST_CASE("spool_format: no bit of a record can change unseen, but for its padding") {
  std::string file;
  append_record(file, batch(1, 2), "payload 101", salt);
  const std::size_t written = record_header_bytes + 11;
  for (std::size_t bit = 0; bit < written * 8; ++bit) {
    std::string flipped = file;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    CAPTURE(bit);
    CHECK_FALSE(read_record(flipped, 0, salt));
  }
}

TEST_CASE("spool_format: a survey counts what is whole and what is lost between") {
  const std::size_t first = segment_header_bytes;
  const auto without = [&](std::string file, std::size_t record) {
    return file.replace(first + record * example_record, example_record,
                        std::string(example_record, '\0'));
  };
  const std::string whole = segment_of({10, 20, 30, 40});
  struct Row {
    std::string_view name;
    std::string file;
    std::uint64_t records, points, damaged_records, damaged_points;
  };
  const std::vector<Row> rows = {
      {"whole", whole, 4, 100, 0, 0},
      {"space behind it", whole + std::string(4096, '\0'), 4, 100, 0, 0},
      {"empty", header_text(), 0, 0, 0, 0},
      {"payload wrong: its header tells", spoil(whole, 1, 44), 3, 80, 1, 20},
      {"number of lines wrong: believed", spoil(whole, 1, 16), 3, 80, 1, 21},
      {"length wrong: the rest of its header tells", spoil(whole, 1, 5), 3, 80, 1, 20},
      {"sync word wrong: as many as its neighbour", spoil(whole, 1, 0), 3, 80, 1, 10},
      {"two in a row", spoil(spoil(whole, 1, 44), 2, 44), 2, 50, 2, 50},
      {"zeros in the middle", without(whole, 2), 3, 70, 1, 20},
      {"the first", spoil(whole, 0, 0), 3, 90, 1, 20},
      {"the first, its header tells", spoil(whole, 0, 44), 3, 90, 1, 10},
      {"the last", spoil(whole, 3, 44), 3, 60, 1, 40},
      {"the last, cut in its payload", whole.substr(0, whole.size() - 8), 3, 60, 1, 40},
      {"the last, cut in its header", whole.substr(0, first + 3 * example_record + 20), 3, 60, 1,
       30},
      {"the last, zeros", without(whole, 3), 3, 60, 0, 0},
      {"one twice", whole + whole.substr(first + example_record, example_record), 4, 100, 0, 0},
      {"garbage between",
       whole.substr(0, first + example_record) + std::string(4096, 'x') +
           whole.substr(first + example_record),
       4, 100, 0, 0},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    std::uint64_t given = 0;
    const SegmentSurvey survey = survey_segment(
        row.file, first, salt, 0, [&](const FoundRecord& r) { given += r.header.lines; });
    CHECK(survey.records == row.records);
    CHECK(survey.points == row.points);
    CHECK(given == row.points);
    CHECK(survey.damaged_records == row.damaged_records);
    CHECK(survey.damaged_points == row.damaged_points);
  }
}

TEST_CASE("spool_format: a survey goes on where it is told, and leaves out what it is told") {
  const std::string file = segment_of({10, 20, 30, 40});
  CHECK(survey_segment(file, segment_header_bytes + example_record, salt, 0).points == 90);
  CHECK(survey_segment(file, segment_header_bytes, salt, 3).points == 40);
  CHECK(survey_segment(file, file.size(), salt, 0).points == 0);
  CHECK(survey_segment(file, file.size() + 999, salt, 0).end == file.size());
}

TEST_CASE("spool_format: any bytes can be surveyed, none behind the end is read") {
  std::mt19937 random(3);
  const std::string whole = segment_of({1, 2, 3, 4, 5});
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = whole.substr(0, random() % (whole.size() + 1));
    const std::size_t changes = bytes.empty() ? 0 : random() % 8;
    for (std::size_t i = 0; i < changes; ++i)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    const GuardedBuffer guarded(bytes);
    const SegmentSurvey survey = survey_segment(guarded.view(), segment_header_bytes, salt, 0);
    CHECK(survey.end <= bytes.size());
    read_segment_header(guarded.view());
    read_cursor(guarded.view());
  }
}

TEST_CASE("spool_format: of a cursor's two slots the newer whole one holds") {
  const Cursor older{.segment = 3, .offset = 64, .generation = 8, .random = 1};
  const Cursor newer{.segment = 3, .offset = 128, .generation = 9, .random = 1};
  const std::string a(as_text(encode_cursor(older)));
  const std::string b(as_text(encode_cursor(newer)));
  std::string torn = b;
  torn[10] ^= 4;
  CHECK(read_cursor(a + b) == newer);
  CHECK(read_cursor(b + a) == newer);
  CHECK(read_cursor(a + torn) == older);
  CHECK(read_cursor(b.substr(0, 31)).generation == 0);
  CHECK(read_cursor(a + b.substr(0, 31)) == older);
  CHECK(read_cursor("").generation == 0);
}

TEST_CASE("spool_format: a cursor speaks of one segment only") {
  const Cursor cursor{
      .segment = 42, .offset = 200, .generation = 1, .random = static_cast<std::uint32_t>(salt)};
  CHECK(cursor.begin_of(example) == 200);
  SegmentHeader other = example;
  other.number = 41;
  CHECK(cursor.begin_of(other) == segment_header_bytes);
  other = example;
  other.random ^= 1;
  CHECK(cursor.begin_of(other) == segment_header_bytes);
  CHECK(Cursor{}.begin_of({}) == segment_header_bytes);
}

TEST_CASE("spool_format: a destination has one directory, and no name leads out of it") {
  const std::uint64_t fingerprint = spool_fingerprint("http://db:8086", "metric", "");
  CHECK(fingerprint == spool_fingerprint("http://db:8086", "metric", ""));
  CHECK(fingerprint != spool_fingerprint("http://db:8086", "", "metric"));
  CHECK(fingerprint != spool_fingerprint("http://db:8086m", "etric", ""));
  CHECK(spool_directory_of("/s", "", 0x123456789abcdef0) == "/s/influxdb-9abcdef0");
  CHECK(spool_directory_of("/s", "../b c", 0x1) == "/s/___b_c-00000001");
}
