// One pass finds all delimiters of the text, 64 bytes at a time; a second goes from delimiter to
// delimiter and never looks at a name's bytes. Measured on packets of counters this halves the time
// of memchr per piece (tests/bench).

#include "tally/scan.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#if defined(__SSE2__) && !defined(TALLY_NO_SIMD)
#include <emmintrin.h>
#endif

namespace tally {
namespace {

constexpr std::size_t block_bytes = 64;

// One bit a byte: is it '\n', ':' or '|'?
#if defined(__SSE2__) && !defined(TALLY_NO_SIMD)
std::uint64_t delimiters_in(const char* block) {
  const __m128i line_end = _mm_set1_epi8('\n');
  const __m128i colon = _mm_set1_epi8(':');
  const __m128i pipe = _mm_set1_epi8('|');
  std::uint64_t mask = 0;
  for (unsigned i = 0; i < block_bytes / 16; ++i) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + i * 16));
    const __m128i found =
        _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, line_end), _mm_cmpeq_epi8(bytes, colon)),
                     _mm_cmpeq_epi8(bytes, pipe));
    mask |= static_cast<std::uint64_t>(static_cast<unsigned>(_mm_movemask_epi8(found))) << i * 16;
  }
  return mask;
}
#else
std::uint64_t delimiters_in(const char* block) {
  std::uint64_t mask = 0;
  for (unsigned i = 0; i < block_bytes; ++i) {
    const char c = block[i];
    mask |= static_cast<std::uint64_t>(c == '\n' || c == ':' || c == '|') << i;
  }
  return mask;
}
#endif

// Writes the places in `mask`, eight at a time whether they are there or not: most blocks have
// fewer, and a loop that ends where it ends is guessed wrong each time. Writes up to 64 places.
std::uint32_t* write_places(std::uint64_t mask, std::uint32_t base, std::uint32_t* out) {
  const auto count = static_cast<std::size_t>(std::popcount(mask));
  std::uint32_t* const end = out + count;
  for (; mask != 0; out += 8) {
    for (int i = 0; i < 8; ++i) {
      out[i] = base + static_cast<std::uint32_t>(std::countr_zero(mask));
      mask &= mask - 1;  // of zero: stays zero
    }
  }
  return end;
}

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

constexpr std::array<double, 16> powers_of_ten = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                  1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

// Whole numbers of up to 15 digits need no division; all else is `parse_number`'s.
bool read_number(std::string_view text, double& value) {
  const bool is_negative = text.starts_with('-');
  const std::string_view digits = text.substr(is_negative ? 1 : 0);
  if (digits.empty() || digits.size() > 15) return parse_number(text, value);
  std::uint64_t number = 0;
  std::size_t fraction = 0;
  bool seen_point = false;
  for (const char c : digits) {
    if (is_digit(c)) {
      number = number * 10 + static_cast<std::uint64_t>(c - '0');
      fraction += seen_point;
    } else if (c == '.' && !seen_point && digits.size() > 1) {
      seen_point = true;
    } else {
      return parse_number(text, value);
    }
  }
  const double magnitude = seen_point ? static_cast<double>(number) / powers_of_ten[fraction]
                                      : static_cast<double>(number);
  value = is_negative ? -magnitude : magnitude;
  return true;
}

bool read_kind(std::string_view type, Kind& kind) {
  if (type.size() == 2 && type[0] == 'm' && type[1] == 's') {
    kind = Kind::timer;
    return true;
  }
  if (type.size() != 1) return false;
  switch (type[0]) {
    case 'c':
      kind = Kind::counter;
      return true;
    case 'g':
      kind = Kind::gauge;
      return true;
    case 's':
      kind = Kind::set;
      return true;
    case 'h':
      kind = Kind::histogram;
      return true;
    case 'd':
      kind = Kind::distribution;
      return true;
    default:
      return false;
  }
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
  const bool is_special = name.starts_with("tallyd.") || name.starts_with("_e{");
  if (name.empty() || name.size() > rules.limits.name_bytes || is_special) return false;
  const auto& allowed = rules.sanitize == Sanitize::etsy ? etsy_plain : plain;
  bool is_plain = true;
  for (const char c : name) is_plain &= allowed[static_cast<unsigned char>(c)];
  return is_plain;
}

Scanner::Scanner(const ParseRules& rules)
    : has_tags_(rules.dialects.dogstatsd),
      signs_move_(rules.signed_gauges == SignedGauges::delta) {}

void Scanner::start(std::string_view text) {
  // A place for each byte, for the text's end, and for what `write_places` writes too much.
  const std::size_t needed = text.size() + 1 + block_bytes;
  if (capacity_ < needed) {
    capacity_ = std::max(needed, 2 * capacity_);
    delimiters_ = std::make_unique_for_overwrite<std::uint32_t[]>(capacity_);
  }
  text_ = text;
  at_ = 0;
  begin_ = 0;
  std::uint32_t* out = delimiters_.get();
  std::size_t base = 0;
  for (; base + block_bytes <= text.size(); base += block_bytes) {
    out = write_places(delimiters_in(text.data() + base), static_cast<std::uint32_t>(base), out);
  }
  if (base < text.size()) {
    char rest[block_bytes] = {};
    std::memcpy(rest, text.data() + base, text.size() - base);
    out = write_places(delimiters_in(rest), static_cast<std::uint32_t>(base), out);
  }
  *out = static_cast<std::uint32_t>(text.size());
}

std::size_t Scanner::next(std::span<ScannedLine> lines) {
  std::size_t count = 0;
  while (count < lines.size() && next_line(lines[count])) ++count;
  return count;
}

bool Scanner::next_line(ScannedLine& line) {
  while (begin_ < text_.size()) {
    const std::size_t begin = begin_;
    read(line, begin);
    if (!line.text.empty()) return true;
  }
  return false;
}

// From `at_` to the delimiter that ends the line; the next line begins behind it.
std::size_t Scanner::end_of_line() {
  while (delimiters_[at_] < text_.size() && text_[delimiters_[at_]] != '\n') ++at_;
  const std::size_t end = delimiters_[at_++];
  begin_ = end + 1;
  return end;
}

void Scanner::read(ScannedLine& line, std::size_t begin) {
  const char* const text = text_.data();
  const std::size_t size = text_.size();
  const std::size_t colon = delimiters_[at_];
  // Behind the last delimiter stands the text's end only: each step is taken only from a delimiter
  // before it.
  const bool has_value = colon < size && text[colon] == ':' && colon > begin;
  const std::size_t pipe = has_value ? delimiters_[at_ + 1] : size;
  const bool has_type = pipe < size && text[pipe] == '|' && pipe > colon + 1;
  if (!has_type) {
    std::size_t end = end_of_line();
    if (end > begin && text[end - 1] == '\r') --end;
    line.text = {text + begin, end - begin};
    line.is_simple = false;
    return;
  }
  at_ += 2;
  const std::size_t type_end = delimiters_[at_];
  std::size_t end = end_of_line();
  const bool has_fields = type_end != end;
  if (text[end - 1] == '\r') --end;
  line.text = {text + begin, end - begin};
  line.is_simple = false;

  Sample& sample = line.sample;
  const std::string_view type{text + pipe + 1, std::min(type_end, end) - pipe - 1};
  if (!read_kind(type, sample.kind)) return;
  const std::string_view value{text + colon + 1, pipe - colon - 1};
  if (sample.kind == Kind::set) {
    sample.member = value;
  } else if (!read_number(value, sample.value)) {
    return;
  }
  sample.name = {text + begin, colon - begin};
  sample.rate = 1;
  sample.is_delta =
      signs_move_ && sample.kind == Kind::gauge && (value[0] == '-' || value[0] == '+');
  line.tags = {};
  if (has_fields) {
    if (text[type_end] != '|') return;  // a ':' opens another metric
    if (!read_fields(line, type_end + 1)) return;
  }
  line.is_simple = true;
}

bool Scanner::read_fields(ScannedLine& line, std::size_t begin) {
  std::string_view rest =
      line.text.substr(begin - static_cast<std::size_t>(line.text.data() - text_.data()));
  bool is_last = false;
  while (!is_last) {
    const std::size_t end = rest.find('|');
    is_last = end == std::string_view::npos;
    if (!read_field(line, rest.substr(0, end))) return false;
    if (!is_last) rest.remove_prefix(end + 1);
  }
  return true;
}

bool Scanner::read_field(ScannedLine& line, std::string_view field) {
  if (field.empty()) return true;
  switch (field[0]) {
    case '#':
      // A second list of tags is joined with the first: the parser's.
      if (!has_tags_ || line.tags.data() != nullptr) return false;
      line.tags = field.substr(1);
      return true;
    case '@': {
      double rate = 0;
      Sample& sample = line.sample;
      // A second rate is a fault, and that of a gauge or a set is not kept: the parser's.
      if (sample.rate != 1 || sample.kind == Kind::gauge || sample.kind == Kind::set) return false;
      if (!read_number(field.substr(1), rate) || !(rate >= rate_min && rate < 1)) return false;
      sample.rate = rate;
      return true;
    }
    case 'c':
      return has_tags_ && (field.starts_with("c:") || field.starts_with("card:"));
    case 'e':
      return has_tags_ && field.starts_with("e:");
    default:
      return false;
  }
}

}  // namespace tally
