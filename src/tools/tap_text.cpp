#include "tools/tap_text.hpp"

#include <fmt/format.h>

#include "config/reason_words.hpp"
#include "tally/refused.hpp"
#include "tally/text.hpp"

namespace tally {

std::string tap_text(const JsonView& line, std::string_view at, const Config& config) {
  constexpr std::size_t line_bytes_max = 1000;
  const std::string_view text = line.text("line");
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
