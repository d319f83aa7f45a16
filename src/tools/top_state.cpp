#include "tools/top_state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "deliver/url.hpp"

namespace tally {
namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t rows_max = 1000;  // of an answer
constexpr std::size_t typed_max = 200;

using Kind = KeyPress::Kind;

constexpr std::array<std::pair<std::string_view, Kind>, 12> sequences = {
    {{"\x1b[A", Kind::up},
     {"\x1bOA", Kind::up},
     {"\x1b[B", Kind::down},
     {"\x1bOB", Kind::down},
     {"\x1b[5~", Kind::page_up},
     {"\x1b[6~", Kind::page_down},
     {"\x1b[H", Kind::home},
     {"\x1b[1~", Kind::home},
     {"\r", Kind::enter},
     {"\n", Kind::enter},
     {"\x7f", Kind::backspace},
     {"\x03", Kind::interrupt}}};

/// How long a sequence of a key that is not ours is: ESC [ up to its final letter.
std::size_t unknown_sequence(std::string_view bytes) {
  if (!bytes.starts_with("\x1b[")) return 1;
  const auto is_final = [](char byte) { return byte >= '@' && byte <= '~'; };
  const auto end = std::find_if(bytes.begin() + 2, bytes.end(), is_final);
  return static_cast<std::size_t>(end - bytes.begin()) + (end == bytes.end() ? 0 : 1);
}

Wish show(TopState& state, TopTab by) {
  state.by = by;
  state.offset = 0;
  state.table = {};
  return Wish::ask;
}

/// The same order again is the other way round.
Wish sort_by(TopState& state, std::string_view sort) {
  if (state.by != TopTab::rate) return Wish::draw;
  state.is_ascending = state.sort == sort ? !state.is_ascending : sort == "name";
  state.sort = sort;
  state.offset = 0;
  return Wish::ask;
}

Wish scroll_to(TopState& state, std::size_t offset) {
  state.offset = std::min(offset, rows_max);
  return Wish::ask;
}

Wish scroll(TopState& state, Kind kind, std::size_t rows) {
  const std::size_t page = std::max<std::size_t>(rows, 1);
  switch (kind) {
    case Kind::up:
      return scroll_to(state, state.offset - std::min<std::size_t>(state.offset, 1));
    case Kind::page_up:
      return scroll_to(state, state.offset - std::min(state.offset, page));
    case Kind::down:
      return scroll_to(state, state.offset + 1);
    case Kind::page_down:
      return scroll_to(state, state.offset + page);
    case Kind::home:
      return scroll_to(state, 0);
    default:
      return Wish::draw;
  }
}

Wish on_character(TopState& state, char character) {
  if (character >= '1' && character <= '5')
    return show(state, static_cast<TopTab>(character - '1'));
  switch (character) {
    case 'q':
      return Wish::quit;
    case '/':
      state.by = TopTab::rate;
      state.typed = state.match;
      return Wish::ask;
    case 'r':
      return sort_by(state, "rate");
    case 'n':
      return sort_by(state, "name");
    case 'l':
      return sort_by(state, "last");
    case 'b':
      return sort_by(state, "bytes");
    default:
      return Wish::draw;
  }
}

Wish on_typed(TopState& state, const KeyPress& key) {
  switch (key.kind) {
    case Kind::enter:
      state.match = *std::exchange(state.typed, std::nullopt);
      state.offset = 0;
      return Wish::ask;
    case Kind::escape:
      state.typed.reset();
      return Wish::draw;
    case Kind::backspace:
      if (!state.typed->empty()) state.typed->pop_back();
      return Wish::draw;
    case Kind::character:
      if (state.typed->size() < typed_max) state.typed->push_back(key.character);
      return Wish::draw;
    default:
      return Wish::draw;
  }
}

}  // namespace

TopState::TopState() : packets_s(unknown), lines_s(unknown), points_s(unknown) {}

void take_summary(TopState& state, TopSummary now) {
  const TopSummary before = state.summary.value_or(now);
  const double seconds = (now.now_ms - before.now_ms) / 1000;
  const bool is_other = now.uptime_s < before.uptime_s;  // started anew
  if (seconds > 0 && !is_other) {
    state.packets_s = (now.datagrams - before.datagrams) / seconds;
    state.lines_s = (now.lines - before.lines) / seconds;
  }
  const double windows = now.windows_closed - before.windows_closed;
  if (windows > 0 && now.interval_ms > 0)
    state.points_s = (now.points - before.points) / (windows * now.interval_ms / 1000);
  else if (!state.summary && now.uptime_s > 0)
    state.points_s = now.points / now.uptime_s;
  state.summary = std::move(now);
  if (is_other) state.packets_s = state.lines_s = state.points_s = unknown;
}

std::string table_target(const TopState& state, std::size_t rows) {
  const std::size_t limit = std::clamp<std::size_t>(rows, 1, rows_max);
  if (state.by != TopTab::rate)
    return fmt::format("/api/v1/top?by={}&limit={}", top_names[static_cast<std::size_t>(state.by)],
                       std::min(limit + state.offset, rows_max));
  // tallyd's own would fill the screen of a quiet host: they are for who looks for them.
  const std::string_view own = state.match.starts_with("tallyd") ? "" : "&own=0";
  return fmt::format("/api/v1/series?match={}&sort={}&order={}&limit={}&offset={}{}",
                     url_encoded(state.match), state.sort, state.is_ascending ? "asc" : "desc",
                     limit, state.offset, own);
}

std::vector<KeyPress> keys_of(std::string_view bytes) {
  std::vector<KeyPress> keys;
  while (!bytes.empty()) {
    const auto known = std::ranges::find_if(
        sequences, [&](const auto& sequence) { return bytes.starts_with(sequence.first); });
    if (known != sequences.end()) {
      keys.push_back({known->second});
      bytes.remove_prefix(known->first.size());
      continue;
    }
    const std::size_t length = unknown_sequence(bytes);
    if (bytes == "\x1b") keys.push_back({Kind::escape});
    if (static_cast<unsigned char>(bytes[0]) >= ' ') keys.push_back({Kind::character, bytes[0]});
    bytes.remove_prefix(length);
  }
  return keys;
}

Wish on_key(TopState& state, const KeyPress& key, std::size_t rows) {
  if (key.kind == Kind::interrupt) return Wish::quit;
  if (state.typed) return on_typed(state, key);
  if (key.kind == Kind::character) return on_character(state, key.character);
  return scroll(state, key.kind, rows);
}

}  // namespace tally
