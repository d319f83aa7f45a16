#include "tools/event_stream.hpp"

#include <algorithm>
#include <utility>

namespace tally {
namespace {

/// "name: value" -> value, if it is that name.
bool take_field(std::string_view line, std::string_view name, std::string& value) {
  if (!line.starts_with(name)) return false;
  line.remove_prefix(name.size());
  if (line.starts_with(' ')) line.remove_prefix(1);
  if (!value.empty()) value += '\n';
  value += line;
  return true;
}

}  // namespace

void EventStream::take(std::string_view piece, const OnEvent& on_event) {
  while (!piece.empty()) {
    const std::size_t end = std::min(piece.find('\n'), piece.size());
    add_to_line(piece.substr(0, end));
    if (end == piece.size()) return;
    piece.remove_prefix(end + 1);
    end_line(on_event);
  }
}

void EventStream::add_to_line(std::string_view piece) {
  is_too_long_ |= line_.size() + event_.data.size() + piece.size() > event_bytes_max;
  line_ += is_too_long_ ? piece.substr(0, 2) : piece;
  // Of what is left out it matters only whether a line is empty.
  if (is_too_long_ && line_.size() > 2) line_.resize(2);
}

void EventStream::end_line(const OnEvent& on_event) {
  if (line_.ends_with('\r')) line_.pop_back();
  const std::string line = std::exchange(line_, {});
  if (line.empty()) return end_event(on_event);
  if (is_too_long_) return;
  if (!take_field(line, "event:", event_.name)) take_field(line, "data:", event_.data);
}

void EventStream::end_event(const OnEvent& on_event) {
  const StreamEvent event = std::exchange(event_, {});
  if (std::exchange(is_too_long_, false))
    ++left_out_;
  else if (!event.data.empty())
    on_event(event);
}

}  // namespace tally
