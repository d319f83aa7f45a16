#pragma once
// What tallyd top knows and what it is asked to show; and what a key does to it. Pure.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/top_data.hpp"

namespace tally {

struct TopState {
  TopTab by = TopTab::rate;
  std::string sort = "rate";  ///< of the series: rate, name, last or bytes
  bool is_ascending = false;
  std::string match;
  std::size_t offset = 0;  ///< the first row that is shown

  std::optional<std::string> typed;  ///< the filter while it is typed

  std::optional<TopSummary> summary;
  double packets_s, lines_s, points_s;  ///< NaN until they are known
  TopTable table;
  std::string clock;  ///< of the last answer, for people
  /// Why there was no new ledger, and no new table; "" if there was.
  std::string ledger_trouble, table_trouble;

  TopState();
};

/// A new ledger: rates are what happened since the one before. Points come with windows, so theirs
/// is that of the last ones that closed; until one does, of all since the start.
void take_summary(TopState& state, TopSummary now);

/// What is asked for the table, for a screen of so many rows: "/api/v1/series?..".
std::string table_target(const TopState& state, std::size_t rows);

struct KeyPress {
  enum class Kind : std::uint8_t {
    character,
    enter,
    escape,
    backspace,
    up,
    down,
    page_up,
    page_down,
    home,
    interrupt
  } kind = Kind::character;
  char character = 0;

  friend bool operator==(const KeyPress&, const KeyPress&) = default;
};

/// The keys in what a terminal sent at once. What is no key of ours is left out.
std::vector<KeyPress> keys_of(std::string_view bytes);

/// What a key makes necessary.
enum class Wish : std::uint8_t { draw, ask, quit };

/// `rows` of the table are on the screen.
Wish on_key(TopState& state, const KeyPress& key, std::size_t rows);

}  // namespace tally
