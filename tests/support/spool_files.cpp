#include "spool_files.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <string_view>

namespace tally::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t header_bytes = 64;
constexpr std::size_t version_at = 8;
constexpr std::size_t number_at = 16;
constexpr std::size_t crc_at = 60;

// CRC-32C bit by bit, as RFC 3720 (B.4) defines it.
std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78 : 0);
  }
  return ~crc;
}

template <class Number>
void put(std::string& header, std::size_t at, Number number) {
  for (std::size_t i = 0; i < sizeof number; ++i)
    header[at + i] = static_cast<char>(number >> 8 * i);
}

template <class Number>
void change(const fs::path& segment, std::size_t at, Number number) {
  std::fstream file(segment, std::ios::in | std::ios::out | std::ios::binary);
  std::string header(header_bytes, '\0');
  file.read(header.data(), header_bytes);
  put(header, at, number);
  put(header, crc_at, crc32c(std::string_view(header).substr(0, crc_at)));
  file.seekp(0);
  file.write(header.data(), header_bytes);
  REQUIRE(file.good());
}

}  // namespace

std::vector<fs::path> segments_in(const std::string& sink) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(sink))
    if (entry.path().extension() == ".lp") found.push_back(entry.path());
  std::ranges::sort(found);
  return found;
}

void make_newer(const fs::path& segment) {
  change(segment, version_at, std::uint16_t{2});
}

void multiply(const fs::path& segment, int copies) {
  const std::string last = segments_in(segment.parent_path()).back().stem();
  std::uint64_t number = std::stoull(last.substr(last.find('-') + 1));
  for (int i = 0; i < copies; ++i) {
    const fs::path copy = segment.parent_path() / fmt::format("seg-{:016}.lp", ++number);
    fs::copy_file(segment, copy);
    change(copy, number_at, number);
  }
}

}  // namespace tally::testing
