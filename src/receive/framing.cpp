#include "framing.hpp"

#include <utility>

#include "hello.hpp"

namespace tally {
namespace {

constexpr std::size_t length_bytes = 4;

std::uint32_t length_in(std::string_view bytes) {
  std::uint32_t length = 0;
  for (std::size_t i = length_bytes; i > 0; --i) {
    length = length << 8 | static_cast<std::uint8_t>(bytes[i - 1]);
  }
  return length;
}

/// Cuts `count` bytes, or as many as there are, from the front of `text`.
std::string_view cut(std::string_view& text, std::size_t count) {
  const std::string_view front = text.substr(0, count);
  text.remove_prefix(front.size());
  return front;
}

std::string_view beginning(std::string_view text) {
  return text.substr(0, Framing::start_bytes_max);
}

}  // namespace

Framing::Verdict Framing::feed(std::string_view piece, FramingSink& sink) {
  return mode_ == Mode::opening ? take_opening(piece, sink) : take(piece, sink);
}

Framing::Verdict Framing::take_opening(std::string_view piece, FramingSink& sink) {
  const std::string start = held_ + std::string(piece.substr(0, hello_bytes_max - held_.size()));
  if (is_foreign_hello(start)) return Verdict::not_statsd;
  const bool waits_for_length = lengths_ == Lengths::detected && start.size() < length_bytes;
  if (waits_for_length || may_become_foreign_hello(start)) {
    held_ = start;  // shorter than the longest hello, so it is all there is
    return Verdict::go_on;
  }
  const bool is_frames = lengths_ == Lengths::detected && start[length_bytes - 1] == '\0';
  mode_ = is_frames ? Mode::frames : Mode::lines;
  const std::string before = std::exchange(held_, {});
  const Verdict verdict = take(before, sink);
  return verdict == Verdict::go_on ? take(piece, sink) : verdict;
}

Framing::Verdict Framing::take(std::string_view piece, FramingSink& sink) {
  if (mode_ == Mode::frames) return take_frames(piece, sink);
  take_lines(piece, sink);
  return Verdict::go_on;
}

void Framing::take_lines(std::string_view piece, FramingSink& sink) {
  while (!piece.empty()) {
    if (mode_ == Mode::overlong) {
      const std::size_t end = piece.find('\n');
      if (end == std::string_view::npos) return;
      piece.remove_prefix(end + 1);
      mode_ = Mode::lines;
    } else if (held_.empty()) {
      piece = take_whole_lines(piece, sink);
    } else {
      piece = end_held_line(piece, sink);
    }
  }
}

/// Looks for the end of the line in `held_`. Returns what is left to take.
std::string_view Framing::end_held_line(std::string_view piece, FramingSink& sink) {
  const std::size_t end = piece.find('\n');
  const std::string_view more = piece.substr(0, end);
  if (held_.size() + more.size() > line_bytes_max) {
    held_ += beginning(more);
    const std::string start = std::exchange(held_, {});
    return refuse_line(start, piece, sink);
  }
  held_ += more;
  if (end == std::string_view::npos) return {};
  release_held(sink);
  return piece.substr(end + 1);
}

/// Gives all whole lines of the first 64 KiB to the sink at once. Returns what is left to take.
/// REQUIRES: `piece` begins a line.
std::string_view Framing::take_whole_lines(std::string_view piece, FramingSink& sink) {
  const std::string_view window = piece.substr(0, line_bytes_max + 1);
  const std::size_t end = window.rfind('\n');
  if (end != std::string_view::npos) {
    if (end > 0) sink.on_text(window.substr(0, end));
    return piece.substr(end + 1);
  }
  if (window.size() > line_bytes_max) return refuse_line(window, piece, sink);
  held_ = piece;
  return {};
}

/// A line that is too long begins with `start`; its end may be in `rest`, which is left to take.
std::string_view Framing::refuse_line(std::string_view start, std::string_view rest,
                                      FramingSink& sink) {
  mode_ = Mode::overlong;
  sink.on_refused(Reason::line_too_long, beginning(start));
  return rest;
}

Framing::Verdict Framing::take_frames(std::string_view piece, FramingSink& sink) {
  while (!piece.empty()) {
    const std::size_t wanted = frame_bytes_.value_or(length_bytes);
    if (held_.size() + piece.size() < wanted) {
      held_ += piece;
      break;
    }
    const std::string_view last = cut(piece, wanted - held_.size());
    const std::string joined =
        held_.empty() ? std::string() : std::exchange(held_, {}).append(last);
    const std::string_view whole = joined.empty() ? last : joined;
    if (frame_bytes_) {
      frame_bytes_.reset();
      sink.on_text(whole);
    } else if (const std::uint32_t length = length_in(whole); length > line_bytes_max) {
      sink.on_refused(Reason::line_too_long, whole);
      return Verdict::broken;
    } else if (length > 0) {
      frame_bytes_ = length;
    }
  }
  return Verdict::go_on;
}

void Framing::finish(FramingSink& sink) {
  if (mode_ != Mode::frames) release_held(sink);
  break_off(sink);
}

void Framing::break_off(FramingSink& sink) {
  if (frame_bytes_ || !held_.empty()) sink.on_refused(Reason::truncated, beginning(held_));
}

std::string_view Framing::pending() const {
  return mode_ == Mode::lines ? std::string_view(held_) : std::string_view();
}

void Framing::flush_pending(FramingSink& sink) {
  if (mode_ == Mode::lines) release_held(sink);
}

void Framing::release_held(FramingSink& sink) {
  const std::string line = std::exchange(held_, {});
  if (!line.empty()) sink.on_text(line);
}

}  // namespace tally
