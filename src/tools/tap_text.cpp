#include "tools/tap_text.hpp"

#include <fmt/format.h>

#include <optional>

#include "config/reason_words.hpp"
#include "tally/refused.hpp"
#include "tally/text.hpp"

namespace tally {
namespace {

std::optional<int> digit_of(char hex) {
  if (hex >= '0' && hex <= '9') return hex - '0';
  if (hex >= 'a' && hex <= 'f') return hex - 'a' + 10;
  return std::nullopt;
}

/// The line as it came: its "bytes" in hex if it is no UTF-8, else what "line" says.
std::string sent_line(const JsonView& line) {
  const std::string_view hex = line.text("bytes");
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    const auto high = digit_of(hex[i]), low = digit_of(hex[i + 1]);
    if (!high || !low) return std::string(line.text("line"));
    bytes += static_cast<char>(*high * 16 + *low);
  }
  return bytes.empty() ? std::string(line.text("line")) : bytes;
}

}  // namespace

std::string tap_text(const JsonView& line, std::string_view at, const Config& config) {
  constexpr std::size_t line_bytes_max = 1000;
  const std::string text = sent_line(line);
  const std::string_view reason = line.text("reason");
  std::string out = fmt::format("{} {} ", at, printable(line.text("sender")));
  if (reason.empty()) return out + quote(text, line_bytes_max) + "\n";
  if (const auto known = parse_reason(reason))
    return out + describe({.reason = *known,
                           .caret = static_cast<std::uint32_t>(line.count("caret")),
                           .line = text},
                          config);
  return out + "refused, " + printable(reason) + "\n" + with_caret(text, line.count("caret"), 2);
}

}  // namespace tally
