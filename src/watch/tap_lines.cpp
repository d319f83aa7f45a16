#include "watch/tap_lines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "tally/glob.hpp"
#include "watch/json_writer.hpp"

namespace tally {
namespace {

constexpr std::size_t text_bytes_max = 4096;

bool is_named(std::string_view pattern, std::string_view name) {
  const bool is_glob = pattern.find_first_of("*?") != std::string_view::npos;
  return is_glob ? matches_glob(pattern, name) : name.find(pattern) != std::string_view::npos;
}

/// What a line that could not be read begins with: in most of them that is the name.
std::string_view presumed_name(std::string_view line) {
  return line.substr(0, line.find_first_of(":|,;#["));
}

/// The end of a datagram that was cut off: no one knows what it would have said.
std::string_view take_cut_line(const Tapped& piece, std::string_view& whole) {
  whole = piece.bytes;
  if (!piece.is_truncated) return {};
  const std::size_t end = whole.rfind('\n');
  const std::string_view cut = whole.substr(end == std::string_view::npos ? 0 : end + 1);
  whole.remove_suffix(cut.size());
  return cut;
}

}  // namespace

void TapLines::keep(std::string_view name, const TapLine& line) {
  if (is_named(filter_.match, name)) lines_.push_back(line);
}

const std::vector<TapLine>& TapLines::read(const Tapped& piece) {
  lines_.clear();
  batch_.clear();
  if (to_string(piece.peer).find(filter_.sender) == std::string::npos) return lines_;
  std::string_view whole;
  const std::string_view cut = take_cut_line(piece, whole);
  parse_datagram(whole, rules_, batch_);
  if (!filter_.only_refused) {
    for (const Line& line : batch_.lines)
      keep(batch_.samples[line.first].name, {.text = line.text});
  }
  for (const Refusal& refusal : batch_.refused)
    keep(presumed_name(refusal.line),
         {.text = refusal.line, .reason = refusal.reason, .caret = refusal.caret});
  if (!cut.empty())
    keep(presumed_name(cut), {.text = cut, .reason = Reason::truncated, .caret = cut.size()});
  std::ranges::sort(lines_, std::less<const char*>(),
                    [](const TapLine& line) { return line.text.data(); });
  return lines_;
}

std::string tap_line_json(const TapLine& line, const Tapped& piece, std::string_view listener) {
  std::string out;
  JsonWriter json(out);
  json.object([&] {
    json.member("at", piece.at);
    json.member("sender", to_string(piece.peer));
    json.member("listener", listener);
    write_line(json, line.text.substr(0, text_bytes_max));
    if (!line.reason) return;
    json.member("reason", to_string(*line.reason));
    json.member("caret", std::min(line.caret, text_bytes_max));
  });
  return out;
}

std::string tap_skipped_json(std::uint64_t datagrams) {
  return fmt::format("{{\"datagrams\":{}}}", datagrams);
}

}  // namespace tally
