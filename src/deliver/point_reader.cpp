#include "deliver/point_reader.hpp"

#include <algorithm>
#include <charconv>

namespace tally {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::size_t digits_at(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::find_if_not(text, is_digit) - text.begin());
}

/// A number of JSON's grammar (RFC 8259 section 6), which is what `append_number` writes.
bool is_number(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  const std::size_t whole = digits_at(text);
  if (whole == 0 || (whole > 1 && text.starts_with('0'))) return false;
  text.remove_prefix(whole);
  if (text.starts_with('.')) {
    const std::size_t fraction = digits_at(text.substr(1));
    if (fraction == 0) return false;
    text.remove_prefix(1 + fraction);
  }
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
    const std::size_t exponent = digits_at(text);
    if (exponent == 0) return false;
    text.remove_prefix(exponent);
  }
  return text.empty();
}

/// Takes a line apart from left to right. Each step says whether the line is still one of ours.
class Reader {
 public:
  explicit Reader(std::string_view line) : rest_(line) {}

  std::optional<Point> read() && {
    if (!read_word(", ", point_.measurement) || !read_tags() || !take(' ') || !read_fields() ||
        !take(' ') || !read_stamp()) {
      return std::nullopt;
    }
    return std::move(point_);
  }

 private:
  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  /// Up to the first of `stops` that is not escaped; what stops a word is what can be escaped in
  /// it.
  bool read_word(std::string_view stops, std::string& word) {
    const auto is_stop = [&](char c) { return stops.find(c) != std::string_view::npos; };
    while (!rest_.empty() && !is_stop(rest_.front())) {
      if (rest_.front() == '\\' && rest_.size() > 1 && is_stop(rest_[1])) rest_.remove_prefix(1);
      word += rest_.front();
      rest_.remove_prefix(1);
    }
    return !word.empty();
  }

  bool read_tags() {
    while (take(',')) {
      auto& [key, value] = point_.tags.emplace_back();
      if (!read_word(",= ", key) || !take('=') || !read_word(",= ", value)) return false;
    }
    return true;
  }

  bool read_fields() {
    do {
      PointField& field = point_.fields.emplace_back();
      if (!read_word(",= ", field.key) || !take('=')) return false;
      field.is_string = take('"');
      if (!(field.is_string ? read_string(field.value) : read_number(field.value))) return false;
    } while (take(','));
    return true;
  }

  /// Behind the opening quote.
  bool read_string(std::string& value) {
    while (!rest_.empty() && rest_.front() != '"') {
      if (rest_.starts_with("\\\"") || rest_.starts_with("\\\\")) rest_.remove_prefix(1);
      value += rest_.front();
      rest_.remove_prefix(1);
    }
    return take('"');
  }

  bool read_number(std::string& value) {
    value = rest_.substr(0, rest_.find_first_of(", "));
    rest_.remove_prefix(value.size());
    return is_number(value);
  }

  bool read_stamp() {
    const char* const end = rest_.data() + rest_.size();
    const auto [stop, error] = std::from_chars(rest_.data(), end, point_.stamp);
    return error == std::errc{} && stop == end;
  }

  std::string_view rest_;
  Point point_;
};

}  // namespace

std::optional<Point> read_point(std::string_view line) {
  return Reader(line).read();
}

}  // namespace tally
