#include "notice.hpp"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <string>

namespace tally {
namespace {

using Wrong = std::optional<const char*>;  // none: fine

// Digits only: from_chars would take a sign.
template <class Number>
bool read_number(std::string_view text, Number& number) {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) return false;
  return std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc();
}

// Takes what stands before `end`, and `end`. False if it is not there.
bool take_until(char end, std::string_view& text, std::string_view& taken) {
  const std::size_t at = text.find(end);
  if (at == std::string_view::npos) return false;
  taken = text.substr(0, at);
  text.remove_prefix(at + 1);
  return true;
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  for (const std::string_view each : words) {
    if (word == each) return true;
  }
  return false;
}

void read_field(std::string_view field, ParsedNotice& parsed) {
  Notice& notice = parsed.notice;
  if (field.starts_with('#')) {
    parsed.tags = field.substr(1);
    return;
  }
  if (field.size() < 2 || field[1] != ':') return;
  const std::string_view value = field.substr(2);
  const bool is_event = parsed.kind == Kind::event;
  if (field[0] == 'd') read_number(value, notice.time);
  if (field[0] == 'h') notice.host = value;
  if (field[0] == 'm' && !is_event) notice.text = value;
  if (!is_event) return;
  if (field[0] == 'k') notice.key = value;
  if (field[0] == 's') notice.source = value;
  if (field[0] == 'p' && is_one_of(value, {"normal", "low"})) notice.priority = value;
  if (field[0] == 't' && is_one_of(value, {"error", "warning", "info", "success"}))
    notice.alert = value;
}

// `text` is empty or begins with a '|'.
void read_fields(std::string_view text, ParsedNotice& parsed) {
  while (!text.empty()) {
    text.remove_prefix(1);
    const std::size_t end = std::min(text.find('|'), text.size());
    read_field(text.substr(0, end), parsed);
    text.remove_prefix(end);
  }
}

Wrong parse_event(std::string_view line, ParsedNotice& parsed) {
  std::string_view rest = line.substr(event_mark.size());
  std::string_view title_size, text_size;
  std::uint32_t title_bytes = 0, text_bytes = 0;
  const char* at = rest.data();
  if (!take_until(',', rest, title_size) || !read_number(title_size, title_bytes) ||
      title_bytes == 0)
    return at;
  at = rest.data();
  if (!take_until('}', rest, text_size) || !read_number(text_size, text_bytes)) return at;
  if (!rest.starts_with(':')) return rest.data();
  rest.remove_prefix(1);

  if (title_bytes >= rest.size() || rest[title_bytes] != '|') return rest.data();
  parsed.name = rest.substr(0, title_bytes);
  rest.remove_prefix(title_bytes + 1);
  if (text_bytes > rest.size() || (text_bytes < rest.size() && rest[text_bytes] != '|'))
    return rest.data();
  parsed.notice.text = rest.substr(0, text_bytes);
  read_fields(rest.substr(text_bytes), parsed);
  return std::nullopt;
}

Wrong parse_check(std::string_view line, ParsedNotice& parsed) {
  std::string_view rest = line.substr(check_mark.size());
  if (!take_until('|', rest, parsed.name) || parsed.name.empty())
    return line.data() + check_mark.size();
  const std::string_view status = rest.substr(0, rest.find('|'));
  if (status.size() != 1 || status[0] < '0' || status[0] > '3') return rest.data();
  parsed.notice.status = static_cast<std::uint8_t>(status[0] - '0');
  read_fields(rest.substr(1), parsed);
  return std::nullopt;
}

}  // namespace

bool is_notice_line(std::string_view line) {
  return line.starts_with(event_mark) || line.starts_with(check_mark);
}

std::optional<const char*> parse_notice(std::string_view line, ParsedNotice& parsed) {
  parsed.kind = line.starts_with(event_mark) ? Kind::event : Kind::service_check;
  return parsed.kind == Kind::event ? parse_event(line, parsed) : parse_check(line, parsed);
}

std::string unescape_notice(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool is_line_feed = text.substr(at).starts_with("\\n");
    out.push_back(is_line_feed ? '\n' : text[at]);
    at += is_line_feed;
  }
  return out;
}

}  // namespace tally
