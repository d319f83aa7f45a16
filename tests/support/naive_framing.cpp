#include "naive_framing.hpp"

#include <cstdio>
#include <cstdlib>

#include "guarded_buffer.hpp"

namespace tally::testing {
namespace {

constexpr std::size_t most = Framing::line_bytes_max;

bool is_http_or_tls(std::string_view stream) {
  for (const char* method : {"GET ", "POST ", "PUT ", "HEAD ", "DELETE ", "OPTIONS ", "PATCH ",
                             "CONNECT ", "TRACE ", "PRI *"}) {
    if (stream.starts_with(method)) return true;
  }
  return stream.size() >= 3 && stream[0] == 0x16 && stream[1] == 3 && stream[2] >= 1 &&
         stream[2] <= 4;
}

void read_lines(std::string_view stream, FramingOutcome& outcome) {
  std::string line;
  for (const char c : std::string(stream) + '\n') {
    if (c != '\n') {
      line += c;
    } else if (line.size() > most) {
      outcome.add_refusal(Reason::line_too_long, line.substr(0, Framing::start_bytes_max));
      line.clear();
    } else {
      outcome.add_lines(line);
      line.clear();
    }
  }
}

void read_frames(std::string_view stream, FramingOutcome& outcome) {
  while (stream.size() >= 4) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      length += static_cast<std::size_t>(static_cast<unsigned char>(stream[i])) << (8 * i);
    }
    if (length > most) {
      outcome.add_refusal(Reason::line_too_long, stream.substr(0, 4));
      outcome.verdict = Framing::Verdict::broken;
      return;
    }
    stream.remove_prefix(4);
    if (stream.size() < length) {
      outcome.add_refusal(Reason::truncated, stream.substr(0, Framing::start_bytes_max));
      return;
    }
    outcome.add_lines(stream.substr(0, length));
    stream.remove_prefix(length);
  }
  if (!stream.empty()) outcome.add_refusal(Reason::truncated, stream);
}

class Recorder final : public FramingSink {
 public:
  void on_text(std::string_view text) override {
    if (text.empty()) fail("an empty text");
    outcome.add_lines(text);
  }
  void on_refused(Reason reason, std::string_view start) override {
    outcome.add_refusal(reason, start);
  }
  [[noreturn]] static void fail(const char* what) {
    std::fprintf(stderr, "framing: %s\n", what);
    std::abort();
  }

  FramingOutcome outcome;
};

}  // namespace

void FramingOutcome::add_lines(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end != 0) told.append("line ").append(text.substr(0, end)) += '\n';
    text = end == std::string_view::npos ? "" : text.substr(end + 1);
  }
}

void FramingOutcome::add_refusal(Reason reason, std::string_view start) {
  told.append(to_string(reason)).append(" ").append(start) += '\n';
}

FramingOutcome naive_framing(std::string_view stream, Framing::Lengths lengths) {
  FramingOutcome outcome;
  if (is_http_or_tls(stream)) {
    outcome.verdict = Framing::Verdict::not_statsd;
  } else if (lengths == Framing::Lengths::detected && stream.size() >= 4 && stream[3] == '\0') {
    read_frames(stream, outcome);
  } else {
    read_lines(stream, outcome);
  }
  return outcome;
}

FramingOutcome framing_of(const std::vector<std::string_view>& pieces, Framing::Lengths lengths) {
  Framing framing(lengths);
  Recorder recorder;
  for (const std::string_view piece : pieces) {
    const GuardedBuffer guarded(piece);
    recorder.outcome.verdict = framing.feed(guarded.view(), recorder);
    if (framing.bytes_held() > 2 * most) Recorder::fail("holds more than it may");
    if (recorder.outcome.verdict != Framing::Verdict::go_on) return recorder.outcome;
  }
  framing.finish(recorder);
  return recorder.outcome;
}

}  // namespace tally::testing
