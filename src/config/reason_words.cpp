#include "config/reason_words.hpp"

#include <fmt/format.h>

#include "tally/refused.hpp"

namespace tally {

std::string in_words(Reason reason, const Config& config) {
  switch (reason) {
    case Reason::missing_value:
      return "there is no value: a line is name:value|type";
    case Reason::missing_type:
      return "there is no type: a line is name:value|type";
    case Reason::empty_name:
      return "there is no name in front of the ':'";
    case Reason::bad_value:
      return "the value is no finite decimal number";
    case Reason::bad_rate:
      return "the sample rate must be one @number in (0, 1], at least 1e-6";
    case Reason::bad_timestamp:
      return "behind |T there must be whole seconds since 1970";
    case Reason::unknown_type:
      return "the type must be c, g, ms, s, h or d";
    case Reason::dialect_off:
      return "it needs a dialect that is switched off ([dialects])";
    case Reason::bad_notice:
      return "an event is _e{title bytes,text bytes}:title|text, a service check _sc|name|0 to 3";
    case Reason::invalid_utf8:
      return "name, tags and set members must be valid UTF-8";
    case Reason::reserved_name:
      return "names that begin with tallyd. are tallyd's own";
    case Reason::name_too_long:
      return fmt::format("the name has more than {} bytes (limits.name_bytes)",
                         config.parse.limits.name_bytes);
    case Reason::tag_too_long:
      return fmt::format("a tag's key or value has more than {} bytes (limits.tag_bytes)",
                         config.parse.limits.tag_bytes);
    case Reason::too_many_tags:
      return fmt::format("there are more than {} tags (limits.tags)", config.parse.limits.tags);
    case Reason::series_too_long:
      return fmt::format("name and tags have more than {} bytes together", series_bytes_max);
    case Reason::truncated:
      return "the datagram was cut";
    case Reason::line_too_long:
      return "a stream sent 64KiB without a line end";
    case Reason::series_limit:
      return fmt::format("the window would have more than {} series (limits.series)",
                         config.limits.series);
    case Reason::overflow:
      return "the sum would leave the range of a double";
    case Reason::notice_limit:
      return "the window holds as many events and service checks as it may";
  }
  return {};  // not reached: the switch is complete
}

std::optional<Reason> parse_reason(std::string_view name) {
  for (std::size_t i = 0; i < reason_count; ++i)
    if (to_string(static_cast<Reason>(i)) == name) return static_cast<Reason>(i);
  return std::nullopt;
}

std::string describe(const Refusal& refusal, const Config& config) {
  return fmt::format("refused, {}: {}\n{}", to_string(refusal.reason),
                     in_words(refusal.reason, config), with_caret(refusal.line, refusal.caret, 2));
}

}  // namespace tally
