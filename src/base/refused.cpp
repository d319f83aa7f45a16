#include "tally/refused.hpp"

#include <algorithm>

#include "tally/text.hpp"

namespace tally {
namespace {

// Where to cut a long line so that the caret is in sight.
std::size_t cut_before(std::size_t caret, std::size_t size, std::size_t bytes_max) {
  if (size <= bytes_max) return 0;
  const std::size_t before = bytes_max / 2;
  return std::min(caret - std::min(caret, before), size - bytes_max);
}

// Whether a line is refused because its end is not there.
bool is_beginning(Reason reason) {
  return reason == Reason::truncated || reason == Reason::line_too_long;
}

constexpr std::string_view more = "..";

// `text` around the caret; the line may go on before and after it.
std::string draw(std::string_view text, std::size_t caret, std::size_t indent, bool has_before,
                 bool has_after) {
  constexpr std::size_t before_max = 60, after_max = 40;
  caret = std::min(caret, text.size());
  const std::size_t begin = caret - std::min(caret, before_max);
  const std::string_view after = text.substr(caret, after_max);
  std::string shown(indent, ' ');
  if (has_before || begin > 0) shown += more;
  shown += quote(text.substr(begin, caret - begin));
  shown.pop_back();  // the closing quote: the text goes on
  const std::size_t column = shown.size();
  shown += quote(after).substr(1);
  if (has_after || caret + after.size() < text.size()) shown += more;
  return shown + "\n" + std::string(column, ' ') + "^\n";
}

}  // namespace

RefusedLine& RefusedRing::next_slot() {
  if (size_ == 0) first_ = 0;
  if (size_ < lines_max) {
    const std::size_t at = (first_ + size_++) % lines_max;
    if (at == slots_.size()) slots_.emplace_back();
    return slots_[at];
  }
  RefusedLine& oldest = slots_[first_];
  first_ = (first_ + 1) % lines_max;
  return oldest;
}

void RefusedRing::add(const Refusal& refusal, std::uint32_t listener, const Peer& peer,
                      Instant heard) {
  const std::size_t caret = std::min<std::size_t>(refusal.caret, refusal.line.size());
  const std::size_t begin = cut_before(caret, refusal.line.size(), text_bytes_max);
  RefusedLine& slot = next_slot();
  slot.reason = refusal.reason;
  slot.listener = listener;
  slot.peer = peer;
  slot.heard = heard;
  slot.text.assign(refusal.line.substr(begin, text_bytes_max));
  slot.caret = static_cast<std::uint32_t>(caret - begin);
  slot.before = static_cast<std::uint32_t>(begin);
  slot.after = static_cast<std::uint32_t>(refusal.line.size() - begin - slot.text.size());
  if (is_beginning(refusal.reason)) slot.after.reset();
}

void RefusedRing::merge(const RefusedRing& other) {
  if (other.empty()) return;
  std::vector<RefusedLine> all;
  for (const RefusedLine* line : lines()) all.push_back(*line);
  for (const RefusedLine* line : other.lines()) all.push_back(*line);
  std::ranges::stable_sort(all, {}, &RefusedLine::heard);
  if (all.size() > lines_max)
    all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(lines_max));
  slots_ = std::move(all);
  first_ = 0;
  size_ = slots_.size();
}

std::vector<const RefusedLine*> RefusedRing::lines() const {
  std::vector<const RefusedLine*> result;
  for (std::size_t i = 0; i < size_; ++i) result.push_back(&slots_[(first_ + i) % lines_max]);
  return result;
}

std::string with_caret(std::string_view text, std::size_t caret, std::size_t indent) {
  return draw(text, caret, indent, false, false);
}

std::string with_caret(const RefusedLine& line, std::size_t indent) {
  return draw(line.text, line.caret, indent, line.before > 0, line.goes_on());
}

std::string quote(const RefusedLine& line) {
  std::string shown(line.before > 0 ? more : "");
  shown += quote(std::string_view(line.text));
  if (!line.after) return shown.append(more);
  if (const auto bytes = line.before + *line.after; bytes > 0)
    shown += " and " + std::to_string(bytes) + " more bytes";
  return shown;
}

}  // namespace tally
