#pragma once
// Text of an exact width for a terminal. Pure.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace tally {

enum class Style : unsigned char { plain, good, bad, dim, title };

/// One line, filled from the left. What does not fit is left out; what is not filled is blank.
class ScreenLine {
 public:
  ScreenLine(std::size_t columns, bool is_colored) : columns_(columns), is_colored_(is_colored) {}

  /// `text` is UTF-8 in which every code point takes one column.
  ScreenLine& add(std::string_view text, Style style = Style::plain);
  /// Blanks up to a column.
  ScreenLine& fill_to(std::size_t column);

  std::size_t used() const { return used_; }
  /// The whole line; with `is_colored` in ANSI's colours.
  std::string text() &&;

 private:
  std::size_t columns_;
  bool is_colored_;
  std::size_t used_ = 0;
  std::string text_;
};

/// The first `columns` code points.
std::string_view first_columns(std::string_view text, std::size_t columns);

/// A number in at most six columns: 0.25, 12.5, 1234, 12.3k, 1.23M; "-" if it is NaN.
std::string short_number(double value);

/// One block character a number, from their least (or 0) to their largest; a blank where one is
/// NaN. The last `columns` of them; blanks in front if there are less.
std::string sparkline(std::span<const double> values, std::size_t columns);

/// "3d 4h", "4h 12m", "12m 3s", "3s".
std::string short_duration(double seconds);

}  // namespace tally
