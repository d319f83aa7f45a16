#pragma once
// A small strict reader of JSON (RFC 8259) for what tests receive.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tally::testing {

/// One value. Of the members only the one that `kind` names means something.
struct JsonValue {
  enum class Kind { null, boolean, number, string, array, object } kind = Kind::null;
  bool boolean = false;
  double number = 0;
  std::string text;  ///< the string, or the number as it was written
  std::vector<JsonValue> items;
  std::map<std::string, JsonValue> members;

  /// The member of that name; null if there is none.
  const JsonValue* member(const std::string& name) const;
};

/// Reads one whole text; nothing if it is not JSON. Escapes beyond ASCII (\u0080 and up) are
/// refused: no sender of ours writes them. Depth is at most 64.
std::optional<JsonValue> read_json(std::string_view text);

}  // namespace tally::testing
