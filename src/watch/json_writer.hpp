#pragma once
// JSON out: what stands in the tree of calls stands in the text. Pure.
//
//     JsonWriter json(text);
//     json.object([&] {
//       json.member("name", name);
//       json.key("points");
//       json.array([&] { for (double point : points) json.value(point); });
//     });

#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "tally/text.hpp"
#include "tally/time.hpp"

namespace tally {

/// Appends to a text. Commas come by themselves.
class JsonWriter {
 public:
  /// `out` outlives the writer, and ends where a value may begin.
  explicit JsonWriter(std::string& out) : out_(out), begin_(out.size()) {}

  template <class Members>
  void object(Members members) {
    enclose('{', members, '}');
  }
  template <class Items>
  void array(Items items) {
    enclose('[', items, ']');
  }

  JsonWriter& key(std::string_view name) {
    value(name);
    out_ += ':';
    return *this;
  }

  /// A text, a number (null if it is not finite), a truth, a time, or an optional of these.
  template <class T>
  void value(const T& value) {
    separate();
    if constexpr (std::is_same_v<T, bool>) {
      out_ += value ? "true" : "false";
    } else if constexpr (std::is_same_v<T, WallTime>) {
      append(value.time_since_epoch().count());
    } else if constexpr (std::is_arithmetic_v<T>) {
      append(value);
    } else {
      append_json_string(out_, value);
    }
  }
  template <class T>
  void value(const std::optional<T>& value) {
    value ? this->value(*value) : null();
  }
  void null() { raw("null"); }
  /// What is JSON already.
  void raw(std::string_view json) {
    separate();
    out_ += json;
  }

  template <class T>
  void member(std::string_view name, const T& value) {
    key(name).value(value);
  }

 private:
  template <class Inside>
  void enclose(char open, Inside inside, char close) {
    separate();
    out_ += open;
    inside();
    out_ += close;
  }

  // A value ends in none of these.
  void separate() {
    const bool is_first = out_.size() == begin_ ||
                          std::string_view("{[:").find(out_.back()) != std::string_view::npos;
    if (!is_first) out_ += ',';
  }

  template <class Number>
  void append(Number number) {
    if constexpr (std::is_floating_point_v<Number>) {
      if (!std::isfinite(number)) {
        out_ += "null";
        return;
      }
    }
    fmt::format_to(std::back_inserter(out_), "{}", number);
  }

  std::string& out_;
  std::size_t begin_;
};

/// The member "line": one as a client sent it. JSON holds UTF-8 only: where the line is none, all
/// its bytes are in the member "bytes" too, in hex.
inline void write_line(JsonWriter& json, std::string_view line) {
  json.member("line", line);
  if (is_valid_utf8(line)) return;
  std::string hex;
  for (const char c : line)
    fmt::format_to(std::back_inserter(hex), "{:02x}", static_cast<unsigned char>(c));
  json.member("bytes", hex);
}

}  // namespace tally
