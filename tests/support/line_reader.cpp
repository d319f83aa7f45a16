#include "line_reader.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

#include "naive_text.hpp"

namespace tally::testing {
namespace {

// influxd joins a series key and a field key by 4 bytes of its own and keeps the length in 16 bits.
constexpr std::size_t key_bytes_max = 65535 - 4;

bool has_control_bytes(std::string_view line) {
  return std::ranges::any_of(line, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

template <class Pairs>
const typename Pairs::value_type::second_type* find_in(const Pairs& pairs, std::string_view key) {
  for (const auto& [name, value] : pairs) {
    if (name == key) return &value;
  }
  return nullptr;
}

/// Takes a line apart from left to right. Every step says whether the line is still good.
class Reader {
 public:
  explicit Reader(std::string_view line) : line_(line) {}

  std::optional<ParsedPoint> read() {
    if (!read_measurement() || !read_tags()) return std::nullopt;
    const std::size_t series_bytes = at_;
    if (!take(' ') || !read_fields() || !take(' ') || !read_stamp()) return std::nullopt;
    for (const auto& [key, value] : point_.fields) {
      if (series_bytes + key.size() > key_bytes_max) return std::nullopt;
      if (point_.tag(key) != nullptr) return std::nullopt;  // queries would show `v` and `v_1`
    }
    return std::move(point_);
  }

 private:
  bool at_end() const { return at_ == line_.size(); }

  bool take(char c) {
    if (at_end() || line_[at_] != c) return false;
    ++at_;
    return true;
  }

  /// Reads up to the first of `stops` that no backslash precedes. A backslash may precede only what
  /// it must: influxd keeps any other one, or lets it swallow the separator behind it.
  bool read_word(std::string_view stops, std::string_view escapable, std::string& word) {
    while (!at_end() && stops.find(line_[at_]) == std::string_view::npos) {
      if (line_[at_] == '\\') {
        ++at_;
        if (at_end() || escapable.find(line_[at_]) == std::string_view::npos) return false;
      }
      word += line_[at_++];
    }
    return !word.empty();
  }

  bool read_measurement() {
    if (line_.starts_with('#')) return false;  // a comment: answered with 204 and not stored
    return read_word(", ", ", ", point_.measurement);
  }

  bool read_tags() {
    while (take(',')) {
      std::string key, value;
      if (!read_word("=, ", "=, ", key) || !take('=') || !read_word("=, ", "=, ", value))
        return false;
      if (key == "time" || point_.tag(key) != nullptr) return false;
      point_.tags.emplace_back(std::move(key), std::move(value));
    }
    const std::size_t tags = point_.tags.size();
    return tags == 0 || tags % 100 != 0;  // influxd up to 1.8.0 panics on 100, 200 ..
  }

  bool read_fields() {
    do {
      std::string key, text;
      double value = 0;
      if (!read_word("=, ", "=, ", key) || !take('=') || !read_word(", ", "", text)) return false;
      if (key == "time" || point_.field(key) != nullptr) return false;
      if (text.front() == '+' || !naive_number(text, value)) return false;
      point_.fields.emplace_back(std::move(key), value);
    } while (take(','));
    return true;
  }

  bool read_stamp() {
    const std::string_view text = line_.substr(at_);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), point_.stamp);
    if (error != std::errc{} || end != text.data() + text.size()) return false;
    constexpr auto limit = std::numeric_limits<std::int64_t>::max() - 1;
    return point_.stamp >= -limit && point_.stamp <= limit;
  }

  std::string_view line_;
  std::size_t at_ = 0;
  ParsedPoint point_;
};

}  // namespace

const std::string* ParsedPoint::tag(std::string_view key) const {
  return find_in(tags, key);
}
const double* ParsedPoint::field(std::string_view key) const {
  return find_in(fields, key);
}

std::optional<ParsedPoint> read_line(std::string_view line) {
  if (has_control_bytes(line) || !naive_is_utf8(line)) return std::nullopt;
  return Reader(line).read();
}

std::optional<std::vector<ParsedPoint>> read_body(std::string_view body) {
  std::vector<ParsedPoint> points;
  while (!body.empty()) {
    const std::size_t end = body.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    auto point = read_line(body.substr(0, end));
    if (!point) return std::nullopt;
    points.push_back(*std::move(point));
    body.remove_prefix(end + 1);
  }
  return points;
}

}  // namespace tally::testing
