#include "tools/tap_text.hpp"

#include <fmt/format.h>

#include <charconv>
#include <string>

#include "config/reason_words.hpp"
#include "tally/refused.hpp"
#include "tally/text.hpp"

namespace tally {
namespace {

/// The line as it came: its "bytes" in hex if it is no UTF-8, else what "line" says.
std::string sent_line(const JsonView& line) {
  const std::string_view hex = line.text("bytes");
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    unsigned char byte = 0;
    const char* const end = hex.data() + i + 2;
    if (std::from_chars(hex.data() + i, end, byte, 16).ptr != end)
      return std::string(line.text("line"));
    bytes += static_cast<char>(byte);
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
