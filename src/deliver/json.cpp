#include "deliver/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>

namespace tally {
namespace {

constexpr std::size_t depth_max = 16;
constexpr std::string_view blanks = " \t\r\n";

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xC0 | code >> 6);
  } else {
    if (code < 0x10000) {
      put(0xE0 | code >> 12);
    } else {
      put(0xF0 | code >> 18);
      put(0x80 | (code >> 12 & 0x3F));
    }
    put(0x80 | (code >> 6 & 0x3F));
  }
  put(0x80 | (code & 0x3F));
}

/// Recursive descent. Each step says whether the text is still JSON and there is more of it.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  Json read() && {
    const bool is_json = read_value("", 0);
    skip_blanks();
    return {std::move(values_), is_json && rest_.empty()};
  }

 private:
  void skip_blanks() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(blanks), rest_.size()));
  }

  bool take_now(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool take(char c) {
    skip_blanks();
    return take_now(c);
  }

  bool read_value(const std::string& path, std::size_t depth) {
    if (depth > depth_max) return false;
    if (take('{')) return read_object(path, depth);
    if (take('[')) return read_array(path, depth);
    if (!take('"')) return read_word(path);
    JsonValue& value = values_.emplace_back(JsonValue{path, {}, true});
    return read_string(value.text);
  }

  bool read_object(const std::string& path, std::size_t depth) {
    if (take('}')) return true;
    do {
      if (!take('"')) return false;
      std::string key;
      if (!read_string(key) || !take(':')) return false;
      if (!read_value(path.empty() ? key : path + '.' + key, depth + 1)) return false;
    } while (take(','));
    return take('}');
  }

  bool read_array(const std::string& path, std::size_t depth) {
    if (take(']')) return true;
    std::size_t index = 0;
    do {
      if (!read_value(fmt::format("{}[{}]", path, index++), depth + 1)) return false;
    } while (take(','));
    return take(']');
  }

  /// A number, true, false or null: what it is does not matter here, but where it ends.
  bool read_word(const std::string& path) {
    const std::size_t end = rest_.find_first_of(",]} \t\r\n");
    if (end == std::string_view::npos && !path.empty()) return false;  // cut short
    const std::string_view word = rest_.substr(0, end);
    constexpr std::string_view letters = "+-.0123456789Eaeflnrstu";
    if (word.empty() || word.find_first_not_of(letters) != std::string_view::npos) return false;
    values_.push_back({path, std::string(word), false});
    rest_.remove_prefix(word.size());
    return true;
  }

  /// Behind the opening quote. What there is of a string that is cut short is in `out`.
  bool read_string(std::string& out) {
    while (true) {
      const std::size_t plain = std::min(rest_.find_first_of("\"\\"), rest_.size());
      out += rest_.substr(0, plain);
      rest_.remove_prefix(plain);
      if (take_now('"')) return true;
      if (!take_now('\\') || !read_escape(out)) return false;
    }
  }

  /// Behind the backslash.
  bool read_escape(std::string& out) {
    constexpr std::string_view names = "\"\\/bfnrt";
    constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
    if (rest_.empty()) return false;
    const char name = rest_.front();
    rest_.remove_prefix(1);
    if (name == 'u') return read_code_point(out);
    const std::size_t at = names.find(name);
    if (at == std::string_view::npos) return false;
    out += meanings[at];
    return true;
  }

  /// Behind `\u`. Half of a surrogate pair becomes U+FFFD.
  bool read_code_point(std::string& out) {
    const std::optional<std::uint32_t> first = read_unit();
    if (!first) return false;
    std::uint32_t code = *first;
    if (code >= 0xD800 && code < 0xDC00 && rest_.starts_with("\\u")) {
      const std::string_view before = rest_;
      rest_.remove_prefix(2);
      const std::optional<std::uint32_t> second = read_unit();
      if (!second) return false;
      if (*second >= 0xDC00 && *second < 0xE000) {
        code = 0x10000 + ((code - 0xD800) << 10) + (*second - 0xDC00);
      } else {
        rest_ = before;
      }
    }
    append_utf8(out, code >= 0xD800 && code < 0xE000 ? 0xFFFD : code);
    return true;
  }

  std::optional<std::uint32_t> read_unit() {
    std::uint32_t unit = 0;
    if (rest_.size() < 4) return std::nullopt;
    const char* const end = rest_.data() + 4;
    if (std::from_chars(rest_.data(), end, unit, 16).ptr != end) return std::nullopt;
    rest_.remove_prefix(4);
    return unit;
  }

  std::string_view rest_;
  std::vector<JsonValue> values_;
};

}  // namespace

Json read_json(std::string_view text) {
  return Reader(text).read();
}

std::string_view string_at(const Json& json, std::string_view path) {
  const auto found = std::ranges::find_if(
      json.values, [&](const JsonValue& value) { return value.is_string && value.path == path; });
  return found == json.values.end() ? std::string_view() : std::string_view(found->text);
}

}  // namespace tally
