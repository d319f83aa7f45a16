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

struct Json {
  std::vector<JsonValue> values;  ///< strings, numbers, true, false and null, in order
  bool is_whole = false;          ///< else the text is cut short, or no JSON from some point on
};

/// Reads a JSON text (RFC 8259). Takes any bytes: where the text ends or stops being JSON reading
/// ends, and what was read is there, the beginning of a string too, but not that of a number. No
/// deeper than 16 levels.
Json read_json(std::string_view text);

/// The string at `path`; "" if there is none.
std::string_view string_at(const Json& json, std::string_view path);

}  // namespace tally
