#include "tools/statsd_line.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "config/reason_words.hpp"
#include "tally/parse.hpp"
#include "tally/text.hpp"

namespace tally {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 6> types = {
    {{"counter", "c"},
     {"gauge", "g"},
     {"timer", "ms"},
     {"histogram", "h"},
     {"distribution", "d"},
     {"set", "s"}}};

Status check_part(std::string_view what, std::string_view text, std::string_view separators) {
  const std::size_t at = text.find_first_of(separators);
  if (at == std::string_view::npos) return {};
  return Error{fmt::format("a {} cannot hold {}, and this one does: {}", what,
                           quote(text.substr(at, 1)), quote(text, 80))};
}

Result<std::string> tags_field(const std::vector<std::string>& tags) {
  std::string field;
  for (const std::string& tag : tags) {
    if (Status error = check_part("tag", tag, "|,\n")) return *error;
    field += field.empty() ? "|#" : ",";
    field += tag;
  }
  return field;
}

Result<std::string_view> type_of(std::string_view kind) {
  if (const std::string_view type = type_of_kind(kind); !type.empty()) return type;
  return Error{
      "send knows counter, gauge, timer, set, histogram, distribution, event, time and -, "
      "not " +
      quote(kind, 80)};
}

std::string with_escaped_line_ends(std::string_view text) {
  std::string out;
  for (const char byte : text) {
    if (byte == '\n')
      out += "\\n";
    else
      out += byte;
  }
  return out;
}

}  // namespace

std::string_view type_of_kind(std::string_view kind) {
  const auto found = std::ranges::find(types, kind, &decltype(types)::value_type::first);
  return found == types.end() ? "" : found->second;
}

Result<std::string> value_line(const LineParts& parts) {
  const Result<std::string_view> type = type_of(parts.kind);
  if (!type) return type.error();
  if (Status error = check_part("name", parts.name, ":|\n")) return *error;
  if (Status error = check_part("value", parts.value, "|\n")) return *error;
  if (Status error = check_part("rate", parts.rate, ":|\n")) return *error;
  const Result<std::string> tags = tags_field(parts.tags);
  if (!tags) return tags.error();
  const std::string rate = parts.rate.empty() ? "" : "|@" + parts.rate;
  return fmt::format("{}:{}|{}{}{}", parts.name, parts.value, type.value(), rate, tags.value());
}

Result<std::string> event_line(std::string_view title, std::string_view text,
                               const std::vector<std::string>& tags) {
  const Result<std::string> field = tags_field(tags);
  if (!field) return field.error();
  const std::string shown_title = with_escaped_line_ends(title);
  const std::string shown_text = with_escaped_line_ends(text);
  return fmt::format("_e{{{},{}}}:{}|{}{}", shown_title.size(), shown_text.size(), shown_title,
                     shown_text, field.value());
}

std::optional<std::string> why_refused(std::string_view line, const Config& config) {
  Batch batch;
  parse_datagram(line, config.parse, batch);
  if (batch.refused.empty()) return std::nullopt;
  return describe(batch.refused.front(), config);
}

}  // namespace tally
