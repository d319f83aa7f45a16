#pragma once
// The hot half of the parser: cuts a text into lines and reads those that are written as nearly all
// are. What it does not read it leaves to `parse_datagram`, which alone knows every form and every
// fault; so whatever is read here, the parser would have read the same.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "tally/parse.hpp"
#include "tally/sample.hpp"

namespace tally {

/// A line without its line end. If `is_simple`, it is
///
///     name:value|type      and perhaps |@rate, |#tags and fields that mean nothing here
///
/// with a good value, type and rate. Name and tags are cut out, not checked: the table knows those
/// that were checked before. It points into the text.
///
/// One cache line, and what a table needs while it looks the series up stands in it too: so a batch
/// of lines goes through all stages without being copied.
struct alignas(64) ScannedLine {
  const char* begin;
  std::uint32_t size;
  std::uint32_t tags_at;     ///< from the line's begin; 0 without tags
  std::uint32_t tags_size;   ///< of what stands behind `|#`
  std::uint32_t name_size;   ///< from the line's begin on; 0 if the line is not simple
  std::uint32_t value_size;  ///< behind the name and ':'
  bool is_simple;
  Kind kind;
  bool is_delta;  ///< a gauge that is moved
  double value;   ///< unused by a set
  double rate;
  std::uint64_t hash;       ///< the table's
  std::uint32_t candidate;  ///< the table's

  std::string_view text() const { return {begin, size}; }
  std::string_view name() const { return {begin, name_size}; }
  std::string_view member() const { return {begin + name_size + 1, value_size}; }
  std::string_view tags() const { return {begin + tags_at, tags_size}; }
};
static_assert(sizeof(ScannedLine) == 64);

/// Bytes behind a text that has padding.
inline constexpr std::size_t padding_bytes = 64;

/// Whether a name means itself in every dialect, is valid and within its limit: then it is the
/// series' name, whatever the dialects say. False does not mean that it is bad.
bool is_plain_name(std::string_view name, const ParseRules& rules);

/// Goes through a text line by line. Reusable; holds the places of its delimiters, 4 bytes for
/// each byte of the longest text at most.
class Scanner {
 public:
  explicit Scanner(const ParseRules& rules);

  /// Starts on a text, which must stay until it is scanned. At most 4 GiB. Where `padding_bytes`
  /// behind it may be read (they mean nothing), a short text costs half as much.
  void start(std::string_view text, bool has_padding = false);

  /// The next lines, none at the end. Empty lines are none.
  std::size_t next(std::span<ScannedLine> lines);

 private:
  std::size_t read_short(std::span<ScannedLine> lines);
  const std::uint32_t* end_of_tags(const std::uint32_t* place) const;
  bool read(ScannedLine& line);
  bool read_fields(ScannedLine& line, std::size_t at);
  bool read_field(ScannedLine& line, std::string_view field);
  const char* end_line();

  // One a kind of processor.
  std::uint32_t* (*const find_)(const char* text, std::size_t blocks, std::uint32_t base,
                                std::uint32_t* out);
  const bool has_tags_;    // [dialects] dogstatsd
  const bool signs_move_;  // a gauge with a sign is a delta
  std::string_view text_;
  // Places of '\n', ':' and '|'; behind them, three times, the text's end.
  std::unique_ptr<std::uint32_t[]> delimiters_;
  std::size_t capacity_ = 0;
  std::size_t at_ = 0;        // in delimiters_
  std::size_t begin_ = 0;     // of the next line
  std::size_t readable_ = 0;  // bytes from the text's begin
};

}  // namespace tally
