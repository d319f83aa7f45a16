#pragma once
// From the pieces a stream arrives in to whole lines. Pure: no socket, no clock.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tally/sample.hpp"

namespace tally {

/// What a stream's framing says to its owner. Views are valid until the call returns.
class FramingSink {
 public:
  /// One or more whole lines, or the content of one frame: to be parsed as a datagram is. Not
  /// empty.
  virtual void on_text(std::string_view text) = 0;
  /// A line or frame over the limit (`line_too_long`), or a frame that the stream's end cut short
  /// (`truncated`): told once each, with its beginning, at most `Framing::start_bytes_max`; of a
  /// frame over the limit that is its length, of a truncated one it may be empty.
  virtual void on_refused(Reason reason, std::string_view start) = 0;

 protected:
  ~FramingSink() = default;
};

/// Finds lines in a byte stream, whatever pieces it comes in.
///
///     name:1|c\n name:2|c\n          each ended by a line end; or, on a Unix socket,
///     08 00 00 00 name:1|c           length (4 bytes, little-endian), then as many bytes
///
/// Which of the two it is shows in the first four bytes: a length below 16 MiB has a zero as its
/// fourth byte, which no line has so early. Bytes are copied only where a piece ends inside a
/// line; the memory for it is given back when the line is out.
class Framing {
 public:
  static constexpr std::size_t line_bytes_max = 64
                                                << 10;  ///< without the line end; also of a frame
  static constexpr std::size_t start_bytes_max = 256;   ///< of what is told about a refusal

  enum class Lengths : std::uint8_t { none, detected };  ///< detected: on Unix sockets

  explicit Framing(Lengths lengths) : lengths_(lengths) {}

  enum class Verdict : std::uint8_t {
    go_on,
    not_statsd,  ///< an HTTP request or a TLS hello: hang up. Nothing of it was given to the sink
    broken,      ///< a length over the limit: where the next frame starts is unknown. Hang up
  };

  /// Takes what was read. REQUIRES: every verdict so far was `go_on`.
  Verdict feed(std::string_view piece, FramingSink& sink);

  /// The stream has ended: a last line without a line end counts, a frame that is not whole is
  /// refused. REQUIRES: every verdict was `go_on`; nothing is fed any more.
  void finish(FramingSink& sink);

  /// The stream was cut off, by a reset or by us: what is unfinished is refused as `truncated`, for
  /// a number that was cut would be a wrong one. REQUIRES: as `finish`.
  void break_off(FramingSink& sink);

  /// A line that waits for its end; empty inside a frame, inside a line that is too long, and while
  /// it is still open what the stream speaks.
  std::string_view pending() const;

  /// Gives `pending` to the sink as a line of its own; what comes next starts a new one.
  void flush_pending(FramingSink& sink);

  /// Memory held for an unfinished line, at most twice `line_bytes_max`.
  std::size_t bytes_held() const { return held_.empty() ? 0 : held_.capacity(); }

 private:
  enum class Mode : std::uint8_t {
    opening,   // too few bytes to tell what it is; they are in held_
    lines,     // held_ is the beginning of a line
    overlong,  // inside a line that was refused
    frames,    // held_ is the beginning of a length, or of a frame if frame_bytes_ is known
  };

  Verdict take_opening(std::string_view piece, FramingSink& sink);
  Verdict take(std::string_view piece, FramingSink& sink);
  void take_lines(std::string_view piece, FramingSink& sink);
  std::string_view end_held_line(std::string_view piece, FramingSink& sink);
  std::string_view take_whole_lines(std::string_view piece, FramingSink& sink);
  std::string_view refuse_line(std::string_view start, std::string_view rest, FramingSink& sink);
  Verdict take_frames(std::string_view piece, FramingSink& sink);
  void release_held(FramingSink& sink);

  Lengths lengths_;
  Mode mode_ = Mode::opening;
  std::optional<std::uint32_t> frame_bytes_;
  std::string held_;
};

}  // namespace tally
