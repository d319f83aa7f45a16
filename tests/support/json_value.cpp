#include "json_value.hpp"

#include <cctype>
#include <cstdlib>
#include <utility>

#include "naive_text.hpp"

namespace tally::testing {
namespace {

constexpr int depth_max = 64;

/// Takes a text apart from left to right. Every step says whether it is still JSON.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  std::optional<JsonValue> read() {
    JsonValue value;
    if (!read_value(value, 0)) return std::nullopt;
    skip_blanks();
    if (at_ != text_.size()) return std::nullopt;
    return value;
  }

 private:
  void skip_blanks() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != text_.npos) ++at_;
  }
  bool take(std::string_view word) {
    skip_blanks();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  JsonValue of(JsonValue::Kind kind) const {
    JsonValue value;
    value.kind = kind;
    return value;
  }

  bool read_value(JsonValue& value, int depth) {
    if (depth > depth_max) return false;
    if (take("{")) return read_object(value = of(JsonValue::Kind::object), depth);
    if (take("[")) return read_array(value = of(JsonValue::Kind::array), depth);
    if (take("null")) return true;
    if (take("\"")) return read_string((value = of(JsonValue::Kind::string)).text);
    value.boolean = take("true");
    if (value.boolean || take("false")) {
      value.kind = JsonValue::Kind::boolean;
      return true;
    }
    return read_number(value = of(JsonValue::Kind::number));
  }

  bool read_object(JsonValue& value, int depth) {
    if (take("}")) return true;
    do {
      std::string name;
      JsonValue member;
      if (!take("\"") || !read_string(name) || !take(":") || !read_value(member, depth + 1))
        return false;
      if (!value.members.emplace(std::move(name), std::move(member)).second) return false;
    } while (take(","));
    return take("}");
  }

  bool read_array(JsonValue& value, int depth) {
    if (take("]")) return true;
    do {
      if (!read_value(value.items.emplace_back(), depth + 1)) return false;
    } while (take(","));
    return take("]");
  }

  bool read_string(std::string& text) {
    while (at_ < text_.size() && text_[at_] != '"') {
      const char c = text_[at_++];
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c != '\\') {
        text += c;
      } else if (!read_escape(text)) {
        return false;
      }
    }
    if (at_ == text_.size()) return false;
    ++at_;
    return naive_is_utf8(text);
  }

  bool read_escape(std::string& text) {
    constexpr std::string_view letters = "\"\\/bfnrt";
    constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
    if (at_ == text_.size()) return false;
    const char letter = text_[at_++];
    if (const std::size_t known = letters.find(letter); known != letters.npos) {
      text += meanings[known];
      return true;
    }
    if (letter != 'u' || at_ + 4 > text_.size()) return false;
    const std::string digits(text_.substr(at_, 4));
    at_ += 4;
    char* end = nullptr;
    const unsigned long code = std::strtoul(digits.c_str(), &end, 16);
    if (*end != '\0' || code >= 0x80) return false;
    text += static_cast<char>(code);
    return true;
  }

  bool read_number(JsonValue& value) {
    const std::size_t end = text_.find_first_not_of("0123456789+-.eE", at_);
    value.text = text_.substr(at_, end == text_.npos ? end : end - at_);
    if (value.text.empty() || value.text[0] == '+' || value.text[0] == '.') return false;
    at_ += value.text.size();
    return naive_number(value.text, value.number);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

const JsonValue* JsonValue::member(const std::string& name) const {
  const auto found = members.find(name);
  return found == members.end() ? nullptr : &found->second;
}

std::optional<JsonValue> read_json(std::string_view text) {
  return Reader(text).read();
}

}  // namespace tally::testing
