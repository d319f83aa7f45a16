#include "tools/columns.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

namespace tally {
namespace {

bool begins_code_point(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
}

std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, begins_code_point));
}

std::string_view sequence_of(Style style) {
  switch (style) {
    case Style::good:
      return "\x1b[32m";
    case Style::bad:
      return "\x1b[1;31m";
    case Style::dim:
      return "\x1b[2m";
    case Style::title:
      return "\x1b[7m";
    case Style::plain:
      break;
  }
  return "";
}

}  // namespace

std::string_view first_columns(std::string_view text, std::size_t columns) {
  std::size_t seen = 0;
  for (std::size_t at = 0; at < text.size(); ++at)
    if (begins_code_point(text[at]) && seen++ == columns) return text.substr(0, at);
  return text;
}

ScreenLine& ScreenLine::add(std::string_view text, Style style) {
  const std::string_view shown = first_columns(text, columns_ - used_);
  const std::string_view sequence = is_colored_ ? sequence_of(style) : "";
  text_ += sequence;
  text_ += shown;
  if (!sequence.empty()) text_ += "\x1b[0m";
  used_ += columns_of(shown);
  return *this;
}

ScreenLine& ScreenLine::fill_to(std::size_t column) {
  const std::size_t end = std::min(column, columns_);
  if (end > used_) {
    text_.append(end - used_, ' ');
    used_ = end;
  }
  return *this;
}

std::string ScreenLine::text() && {
  fill_to(columns_);
  return std::move(text_);
}

std::string short_number(double value) {
  if (std::isnan(value)) return "-";
  constexpr std::string_view units = " kMGTPE";
  std::size_t unit = 0;
  double size = std::fabs(value);
  if (size >= 9999.5)
    for (; size >= 999.5 && unit + 1 < units.size(); ++unit) size /= 1000;
  if (size > 0 && size < 0.01) return fmt::format("{:.1g}", value);
  if (size >= 9999.5) return fmt::format("{:.0e}", value);
  const std::string_view sign = value < 0 ? "-" : "";
  const int decimals = size == std::floor(size) && unit == 0 ? 0
                       : size < 9.995                        ? 2
                       : size < 99.95                        ? 1
                                                             : 0;
  std::string text = fmt::format("{}{:.{}f}", sign, size, decimals);
  if (unit > 0) text += units[unit];
  return text;
}

std::string sparkline(std::span<const double> values, std::size_t columns) {
  constexpr std::array<std::string_view, 8> blocks = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const auto shown = values.last(std::min(columns, values.size()));
  double least = 0, largest = 0;
  for (const double value : shown) {
    if (std::isnan(value)) continue;
    least = std::min(least, value);
    largest = std::max(largest, value);
  }
  std::string text(columns - shown.size(), ' ');
  for (const double value : shown) {
    // Halves, for the whole span may be more than a double holds.
    const double part = (value / 2 - least / 2) / (largest / 2 - least / 2);
    const auto block = static_cast<std::size_t>(part > 0 ? std::min(part, 1.0) * 7 + 0.5 : 0);
    text += std::isnan(value) ? " " : blocks[block];
  }
  return text;
}

std::string short_duration(double seconds) {
  constexpr double most = 1e9;
  const auto whole =
      static_cast<std::uint64_t>(std::clamp(std::isnan(seconds) ? 0 : seconds, 0.0, most));
  const std::uint64_t minutes = whole / 60, hours = minutes / 60, days = hours / 24;
  if (days > 0) return fmt::format("{}d {}h", days, hours % 24);
  if (hours > 0) return fmt::format("{}h {}m", hours, minutes % 60);
  if (minutes > 0) return fmt::format("{}m {}s", minutes, whole % 60);
  return fmt::format("{}s", whole);
}

}  // namespace tally
