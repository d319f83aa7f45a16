// One pass finds all delimiters of the text, 64 bytes at a time; a second goes from delimiter to
// delimiter and never looks at a name's bytes. Measured on packets of counters this halves the time
// of memchr per piece (tests/bench).

#include "tally/scan.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include "delimiters.hpp"
#include "words.hpp"

namespace tally {
namespace {

// Ends behind the last place: a line is looked at three places ahead.
constexpr std::size_t ends = 3;

// What the only byte of a type stands for; `no_kind` if nothing.
constexpr std::uint8_t no_kind = 0xff;
constexpr std::array<std::uint8_t, 256> kind_of_byte = [] {
  std::array<std::uint8_t, 256> table{};
  for (unsigned c = 0; c < 256; ++c) {
    const char type = static_cast<char>(c);
    const std::optional<Kind> kind = kind_of({&type, 1});
    table[c] = kind ? static_cast<std::uint8_t>(*kind) : no_kind;
  }
  return table;
}();

std::uint32_t four(const char* at) {
  std::uint32_t bytes;
  std::memcpy(&bytes, at, sizeof bytes);
  return bytes;
}

// Whether `|`, one letter and '\n' stand there: two comparisons in one.
bool is_end_by_letter(const char* pipe) {
  return (four(pipe) & four("\xff\0\xff")) == four("|\0\n");
}

bool read_number(std::string_view text, double& value) {
  const bool is_negative = text.starts_with('-');
  if (!parse_short_decimal(text.substr(is_negative ? 1 : 0), value))
    return parse_number(text, value);
  if (is_negative) value = -value;
  return true;
}

// What a plain name may be made of: printable ASCII but for '\', and for what opens tags.
constexpr std::array<bool, 256> plain = [] {
  std::array<bool, 256> table{};
  for (unsigned c = 0x21; c < 0x7f; ++c) table[c] = true;
  for (const char c : {'\\', ',', ';', '#', '[', ':', '|'})
    table[static_cast<unsigned char>(c)] = false;
  return table;
}();

// And what etsy's cleaning leaves as it is.
constexpr std::array<bool, 256> etsy_plain = [] {
  std::array<bool, 256> table{};
  for (unsigned c = 0; c < 256; ++c) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    table[c] = is_letter || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || c == '=';
  }
  return table;
}();

}  // namespace

bool is_plain_name(std::string_view name, const ParseRules& rules) {
  const bool is_special = is_own_name(name) || name.starts_with("_e{");
  if (name.empty() || name.size() > rules.limits.name_bytes || is_special) return false;
  const auto& allowed = rules.sanitize == Sanitize::etsy ? etsy_plain : plain;
  bool is_plain = true;
  for (const char c : name) is_plain &= allowed[static_cast<unsigned char>(c)];
  return is_plain;
}

Scanner::Scanner(const ParseRules& rules)
    : find_(delimiter_finders().front().find),
      has_tags_(rules.dialects.dogstatsd),
      signs_move_(rules.signed_gauges == SignedGauges::delta) {}

void Scanner::start(std::string_view text, bool has_padding) {
  // A place for each byte, for the end, and for the padding.
  const std::size_t needed = text.size() + padding_bytes + ends + spare_places;
  if (capacity_ < needed) {
    capacity_ = std::max(needed, 2 * capacity_);
    delimiters_ = std::make_unique_for_overwrite<std::uint32_t[]>(capacity_);
  }
  text_ = text;
  at_ = 0;
  begin_ = 0;
  readable_ = text.size() + (has_padding ? padding_bytes : 0);
  const std::size_t rest = text.size() % block_bytes;
  const std::size_t blocks = text.size() / block_bytes + (has_padding && rest > 0 ? 1 : 0);
  std::uint32_t* out = find_(text.data(), blocks, 0, delimiters_.get());
  if (has_padding) {
    while (out != delimiters_.get() && out[-1] >= text.size()) --out;  // found in the padding
  } else if (rest > 0) {
    char block[block_bytes] = {};
    std::memcpy(block, text.data() + text.size() - rest, rest);
    out = find_(block, 1, static_cast<std::uint32_t>(text.size() - rest), out);
  }
  std::fill_n(out, ends, static_cast<std::uint32_t>(text.size()));
}

std::size_t Scanner::next(std::span<ScannedLine> lines) {
  std::size_t count = 0;
  while (count < lines.size() && begin_ < text_.size()) {
    count += read_short(lines.subspan(count));
    if (count == lines.size() || begin_ >= text_.size()) break;
    ScannedLine& line = lines[count];
    line.is_simple = read(line);
    if (!line.is_simple) line.name_size = line.tags_size = 0;
    count += line.size > 0 ? 1 : 0;
  }
  return count;
}

// Where the tags end that begin behind `place`: at the line's end, if only they stand before it.
[[gnu::always_inline]] inline const std::uint32_t* Scanner::end_of_tags(
    const std::uint32_t* place) const {
  do ++place;
  while (*place < text_.size() && text_.data()[*place] == ':');
  return place;
}

// Reads lines as long as they are what nearly all are: `name:number|type` and perhaps `|#tags`, the
// number of eight bytes at most. Returns how many. It is one function, and what it needs is kept in
// registers: a call a line cost a fifth of it all.
std::size_t Scanner::read_short(std::span<ScannedLine> lines) {
  constexpr std::size_t looked_at = 13;  // a colon, a number, and `|ms` with what is behind it
  const char* const text = text_.data();
  const std::size_t size = text_.size();
  if (readable_ < looked_at) return 0;
  const std::size_t last_colon = readable_ - looked_at;
  const std::uint32_t* place = delimiters_.get() + at_;
  std::size_t begin = begin_;
  ScannedLine* line = lines.data();
  for (ScannedLine* const end = line + lines.size(); line != end && begin < size; ++line) {
    const std::size_t colon = place[0], pipe = place[1];
    const std::size_t value_size = pipe - colon - 1;
    if (colon > last_colon || value_size - 1 >= 8 || text[colon] != ':' || colon == begin) break;
    std::uint8_t kind = kind_of_byte[static_cast<unsigned char>(text[pipe + 1])];
    std::size_t at = pipe + 2;
    const std::uint32_t* line_end = place + 2;
    line->tags_at = line->tags_size = 0;
    if (!is_end_by_letter(text + pipe)) {
      if (text[pipe + 1] == 'm' && text[pipe + 2] == 's') {
        kind = static_cast<std::uint8_t>(Kind::timer);
        ++at;
      }
      if (text[pipe] != '|') break;
      if (at < size && text[at] != '\n') {
        const std::size_t tags = at + 2;
        const bool has_tags =
            has_tags_ && *line_end == at && text[at] == '|' && tags <= size && text[at + 1] == '#';
        if (!has_tags) break;
        line_end = end_of_tags(line_end);
        at = *line_end;
        if ((at < size && text[at] != '\n') || text[at - 1] == '\r') break;
        line->tags_at = static_cast<std::uint32_t>(tags - begin);
        line->tags_size = static_cast<std::uint32_t>(at - tags);
      }
    }
    if (kind == no_kind || at > size) break;
    if (!read_eight(text + colon + 1, value_size, line->value) &&
        kind != static_cast<std::uint8_t>(Kind::set))
      break;
    line->begin = text + begin;
    line->size = static_cast<std::uint32_t>(at - begin);
    line->name_size = static_cast<std::uint32_t>(colon - begin);
    line->value_size = static_cast<std::uint32_t>(value_size);
    line->is_simple = true;
    line->kind = static_cast<Kind>(kind);
    line->is_delta = false;
    line->rate = 1;
    begin = at + 1;
    place = line_end + 1;
  }
  begin_ = begin;
  at_ = static_cast<std::size_t>(place - delimiters_.get());
  return static_cast<std::size_t>(line - lines.data());
}

// From `at_` to the delimiter that ends the line; the next line begins behind it. Returns where the
// line's own bytes end.
const char* Scanner::end_line() {
  const char* const text = text_.data();
  const std::size_t size = text_.size();
  std::size_t end = delimiters_[at_];
  while (end < size && text[end] != '\n') end = delimiters_[++at_];
  ++at_;
  const std::size_t begin = std::exchange(begin_, end + 1);
  return text + (end > begin && text[end - 1] == '\r' ? end - 1 : end);
}

// One line. Whether it is simple; its text is there in any case.
bool Scanner::read(ScannedLine& line) {
  const char* const text = text_.data();
  const char* const text_end = text + text_.size();
  const char* const begin = text + begin_;
  line.begin = begin;
  // Behind the last delimiter stands the text's end only: a step is taken only from one before it.
  const char* const colon = text + delimiters_[at_];
  const bool has_value = colon != text_end && *colon == ':' && colon != begin;
  const char* const pipe = has_value ? text + delimiters_[at_ + 1] : text_end;
  const bool has_type = pipe != text_end && *pipe == '|' && pipe != colon + 1;
  if (!has_type) {
    line.size = static_cast<std::uint32_t>(end_line() - begin);
    return false;
  }
  at_ += 2;
  const std::size_t type_at = at_;  // in delimiters_
  const char* const type_end = text + delimiters_[type_at];
  const char* const end = end_line();
  line.size = static_cast<std::uint32_t>(end - begin);

  const std::optional<Kind> kind = kind_of({pipe + 1, std::min(type_end, end)});
  if (!kind) return false;
  const std::string_view value{colon + 1, pipe};
  if (*kind != Kind::set && !read_number(value, line.value)) return false;
  line.kind = *kind;
  line.name_size = static_cast<std::uint32_t>(colon - begin);
  line.value_size = static_cast<std::uint32_t>(value.size());
  line.rate = 1;
  line.is_delta = *kind == Kind::gauge && signs_move_ && (value[0] == '-' || value[0] == '+');
  line.tags_at = 0;
  line.tags_size = 0;
  if (type_end >= end) return true;
  // A ':' would open another metric.
  return *type_end == '|' && read_fields(line, type_at);
}

// From the '|' behind the type, which is delimiter number `at`, to the line's end.
bool Scanner::read_fields(ScannedLine& line, std::size_t at) {
  const auto end = static_cast<std::size_t>(line.begin + line.size - text_.data());
  for (std::size_t begin = delimiters_[at] + std::size_t{1}; begin <= end;) {
    do ++at;
    while (delimiters_[at] < end && text_[delimiters_[at]] != '|');
    const std::size_t field_end = std::min<std::size_t>(delimiters_[at], end);
    if (!read_field(line, text_.substr(begin, field_end - begin))) return false;
    begin = field_end + 1;
  }
  return true;
}

bool Scanner::read_field(ScannedLine& line, std::string_view field) {
  if (field.empty()) return true;
  switch (field[0]) {
    case '#':
      // A second list of tags is joined with the first: the parser's.
      if (!has_tags_ || line.tags_at != 0) return false;
      line.tags_at = static_cast<std::uint32_t>(field.data() + 1 - line.begin);
      line.tags_size = static_cast<std::uint32_t>(field.size() - 1);
      return true;
    case '@': {
      double rate = 0;
      // A second rate is a fault, and that of a gauge or a set is not kept: the parser's.
      if (line.rate != 1 || line.kind == Kind::gauge || line.kind == Kind::set) return false;
      if (!read_number(field.substr(1), rate) || !(rate >= rate_min && rate < 1)) return false;
      line.rate = rate;
      return true;
    }
    default:
      return has_tags_ && is_silent_field(field);
  }
}

}  // namespace tally
