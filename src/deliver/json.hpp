#pragma once
// The values in a JSON text. Pure.

#include <string>
#include <string_view>
#include <vector>

namespace tally {

struct JsonValue {
  std::string path;  ///< "error", "data[3].line_number"; "" of a text that is a single value
  std::string text;  ///< of a string without its quotes and escapes, else as it stands
  bool is_string = false;
};

/// Every string, number, true, false and null of a JSON text (RFC 8259), in order. Takes any bytes:
/// reading ends where the text does (an answer may be cut short) or stops being JSON, and what was
/// read until then is returned. A string that is cut short is left out. No deeper than 16 levels.
std::vector<JsonValue> read_json(std::string_view text);

/// The string at `path`; "" if there is none.
std::string_view string_at(const std::vector<JsonValue>& values, std::string_view path);

}  // namespace tally
