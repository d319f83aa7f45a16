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
/// that were checked before. Views point into the text.
struct ScannedLine {
  std::string_view text;
  bool is_simple;
  Sample sample;          ///< if simple: kind, name, value or member, rate, is_delta
  std::string_view tags;  ///< if simple: what stands behind `|#`
};

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
  std::unique_ptr<std::uint32_t[]> delimiters_;  // places of '\n', ':' and '|'; last the text's end
  std::size_t capacity_ = 0;
  std::size_t at_ = 0;     // in delimiters_
  std::size_t begin_ = 0;  // of the next line
};

}  // namespace tally
