// One pass finds all delimiters of the text, 64 bytes at a time; a second goes from delimiter to
// delimiter and never looks at a name's bytes. Measured on packets of counters this halves the time
// of memchr per piece (tests/bench).

#include "tally/scan.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <utility>

#include "words.hpp"

#if defined(__x86_64__) && !defined(TALLY_NO_SIMD)
#include <immintrin.h>
#define TALLY_X86 1
#endif

namespace tally {
namespace {

constexpr std::size_t block_bytes = 64;

// A text's blocks into the places of '\n', ':' and '|'. Returns the end of the places. One function
// a kind of processor; all give the same.
using FindDelimiters = std::uint32_t* (*)(const char* text, std::size_t blocks, std::uint32_t base,
                                          std::uint32_t* out);

#ifdef TALLY_X86
// Each bit of the mask becomes a place.
[[gnu::always_inline]] inline std::uint32_t* write_places(std::uint64_t mask, std::uint32_t base,
                                                          std::uint32_t* out) {
  for (; mask != 0; mask &= mask - 1)
    *out++ = base + static_cast<std::uint32_t>(std::countr_zero(mask));
  return out;
}

std::uint32_t* find_by_sse2(const char* text, std::size_t blocks, std::uint32_t base,
                            std::uint32_t* out) {
  const __m128i line_end = _mm_set1_epi8('\n');
  const __m128i colon = _mm_set1_epi8(':');
  const __m128i pipe = _mm_set1_epi8('|');
  for (; blocks > 0; --blocks, text += block_bytes, base += block_bytes) {
    std::uint64_t mask = 0;
    for (int quarter = 3; quarter >= 0; --quarter) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text + 16 * quarter));
      const __m128i found =
          _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, line_end), _mm_cmpeq_epi8(bytes, colon)),
                       _mm_cmpeq_epi8(bytes, pipe));
      mask = mask << 16 | static_cast<unsigned>(_mm_movemask_epi8(found));
    }
    out = write_places(mask, base, out);
  }
  return out;
}

[[gnu::target("avx2,bmi")]] std::uint32_t* find_by_avx2(const char* text, std::size_t blocks,
                                                        std::uint32_t base, std::uint32_t* out) {
  const __m256i line_end = _mm256_set1_epi8('\n');
  const __m256i colon = _mm256_set1_epi8(':');
  const __m256i pipe = _mm256_set1_epi8('|');
  for (; blocks > 0; --blocks, text += block_bytes, base += block_bytes) {
    std::uint64_t mask = 0;
    for (int half = 1; half >= 0; --half) {
      const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text + 32 * half));
      const __m256i found = _mm256_or_si256(
          _mm256_or_si256(_mm256_cmpeq_epi8(bytes, line_end), _mm256_cmpeq_epi8(bytes, colon)),
          _mm256_cmpeq_epi8(bytes, pipe));
      mask = mask << 32 | static_cast<unsigned>(_mm256_movemask_epi8(found));
    }
    out = write_places(mask, base, out);
  }
  return out;
}

FindDelimiters fastest() {
  const bool has_avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("bmi") != 0;
  return has_avx2 ? find_by_avx2 : find_by_sse2;
}
#else
std::uint32_t* find_plainly(const char* text, std::size_t blocks, std::uint32_t base,
                            std::uint32_t* out) {
  for (std::size_t i = 0; i < blocks * block_bytes; ++i) {
    const char c = text[i];
    if (c == '\n' || c == ':' || c == '|') *out++ = base + static_cast<std::uint32_t>(i);
  }
  return out;
}

FindDelimiters fastest() {
  return find_plainly;
}
#endif

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
  const bool is_special = name.starts_with("tallyd.") || name.starts_with("_e{");
  if (name.empty() || name.size() > rules.limits.name_bytes || is_special) return false;
  const auto& allowed = rules.sanitize == Sanitize::etsy ? etsy_plain : plain;
  bool is_plain = true;
  for (const char c : name) is_plain &= allowed[static_cast<unsigned char>(c)];
  return is_plain;
}

Scanner::Scanner(const ParseRules& rules)
    : find_(fastest()),
      has_tags_(rules.dialects.dogstatsd),
      signs_move_(rules.signed_gauges == SignedGauges::delta) {}

void Scanner::start(std::string_view text, bool has_padding) {
  // A place for each byte, for the end, and for the padding.
  const std::size_t needed = text.size() + 1 + padding_bytes;
  if (capacity_ < needed) {
    capacity_ = std::max(needed, 2 * capacity_);
    delimiters_ = std::make_unique_for_overwrite<std::uint32_t[]>(capacity_);
  }
  text_ = text;
  at_ = 0;
  begin_ = 0;
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
  *out = static_cast<std::uint32_t>(text.size());
}

std::size_t Scanner::next(std::span<ScannedLine> lines) {
  std::size_t count = 0;
  while (count < lines.size() && begin_ < text_.size()) {
    ScannedLine& line = lines[count];
    line.is_simple = read(line);
    count += line.is_simple || !line.text.empty() ? 1 : 0;
  }
  return count;
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
  // Behind the last delimiter stands the text's end only: a step is taken only from one before it.
  const char* const colon = text + delimiters_[at_];
  const bool has_value = colon != text_end && *colon == ':' && colon != begin;
  const char* const pipe = has_value ? text + delimiters_[at_ + 1] : text_end;
  const bool has_type = pipe != text_end && *pipe == '|' && pipe != colon + 1;
  if (!has_type) {
    line.text = {begin, end_line()};
    return false;
  }
  at_ += 2;
  const std::size_t type_at = at_;  // in delimiters_
  const char* const type_end = text + delimiters_[type_at];
  const char* const end = end_line();
  line.text = {begin, end};

  Sample& sample = line.sample;
  const std::optional<Kind> kind = kind_of({pipe + 1, std::min(type_end, end)});
  if (!kind) return false;
  sample.kind = *kind;
  const std::string_view value{colon + 1, pipe};
  if (sample.kind == Kind::set) {
    sample.member = value;
  } else if (!read_number(value, sample.value)) {
    return false;
  }
  sample.name = {begin, colon};
  sample.rate = 1;
  sample.is_delta =
      sample.kind == Kind::gauge && signs_move_ && (value[0] == '-' || value[0] == '+');
  line.tags = {};
  if (type_end >= end) return true;
  // A ':' would open another metric.
  return *type_end == '|' && read_fields(line, type_at);
}

// From the '|' behind the type, which is delimiter number `at`, to the line's end.
bool Scanner::read_fields(ScannedLine& line, std::size_t at) {
  const auto end = static_cast<std::size_t>(line.text.data() + line.text.size() - text_.data());
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
    default:
      return has_tags_ && is_silent_field(field);
  }
}

}  // namespace tally
