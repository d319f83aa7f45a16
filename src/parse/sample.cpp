#include "tally/sample.hpp"

#include <array>

namespace tally {

std::string_view to_string(Kind kind) {
  constexpr std::array<std::string_view, kind_count> names = {
      "counter", "gauge", "timer", "histogram", "distribution", "set", "event", "service_check"};
  return names[static_cast<std::size_t>(kind)];
}

std::string_view to_string(Reason reason) {
  constexpr std::array<std::string_view, reason_count> names = {
      "missing_value", "missing_type",  "empty_name",   "bad_value",     "bad_rate",
      "bad_timestamp", "unknown_type",  "dialect_off",  "bad_notice",    "invalid_utf8",
      "reserved_name", "name_too_long", "tag_too_long", "too_many_tags", "series_too_long",
      "truncated",     "line_too_long", "series_limit", "overflow",      "notice_limit"};
  return names[static_cast<std::size_t>(reason)];
}

void Batch::clear() {
  samples.clear();
  tags.clear();
  notices.clear();
  lines.clear();
  refused.clear();
  owned_texts.clear();
  fields_skipped = 0;
}

}  // namespace tally
