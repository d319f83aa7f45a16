#pragma once
// What was read from a JSON text, as the tree that it is. Pure.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "deliver/json.hpp"

namespace tally {

/// An object, an array or a value of a `Json`, which must outlive it. What is missing, null or of
/// another type than was asked for reads as nothing: answers of newer versions may differ.
class JsonView {
 public:
  JsonView() = default;
  explicit JsonView(const Json& json) : values_(json.values) {}

  /// A member of an object; nothing if there is none.
  JsonView at(std::string_view member) const;
  /// The elements of an array.
  std::vector<JsonView> items() const;
  /// Names and values of an object that holds no objects; names may hold any byte.
  std::vector<std::pair<std::string_view, std::string_view>> members() const;

  bool has(std::string_view member) const { return !at(member).values_.empty(); }
  std::string_view text(std::string_view member) const;  ///< of a string; else ""
  double number(std::string_view member) const;          ///< NaN if it is none
  std::size_t count(std::string_view member) const;      ///< as `number`, 0 if it is none
  bool is_true(std::string_view member) const;
  double number() const;  ///< of an element

 private:
  JsonView(std::span<const JsonValue> values, std::size_t prefix)
      : values_(values), prefix_(prefix) {}

  std::string_view rest_of(const JsonValue& value) const {
    return std::string_view(value.path).substr(prefix_);
  }

  std::span<const JsonValue> values_;  // in the order of the text: what is one part is one stretch
  std::size_t prefix_ = 0;             // of their paths: where this part is
};

}  // namespace tally
