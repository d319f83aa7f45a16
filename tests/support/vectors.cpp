#include "vectors.hpp"

#include <algorithm>
#include <fstream>

#include "escapes.hpp"
#include "naive_text.hpp"

namespace tally::testing {
namespace {

/// Splits at `separator`, but not within double quotes (in which a backslash hides the next byte).
std::vector<std::string> split_outside_quotes(std::string_view text, char separator) {
  std::vector<std::string> parts(1);
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') quoted = !quoted;
    if (text[i] == separator && !quoted) {
      parts.emplace_back();
      continue;
    }
    parts.back() += text[i];
    if (quoted && text[i] == '\\' && i + 1 < text.size()) parts.back() += text[++i];
  }
  return parts;
}

std::optional<std::string> unquote(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    text = text.substr(1, text.size() - 2);
  }
  return unescape(text);
}

bool read_tags(std::string_view text, std::vector<NaiveTag>& tags) {
  for (const std::string& part : split_outside_quotes(text, ',')) {
    const auto halves = split_outside_quotes(part, '=');
    const auto key = unquote(halves[0]);
    if (!key || halves.size() > 2) return false;
    NaiveTag tag{*key, {}};
    if (halves.size() == 2 && !(tag.value = unquote(halves[1]))) return false;
    tags.push_back(std::move(tag));
  }
  std::ranges::sort(tags);
  return true;
}

bool read_text(std::string_view text, std::string& into) {
  auto bytes = unquote(text);
  if (bytes) into = *std::move(bytes);
  return bytes.has_value();
}

bool read_time(const std::string& digits, std::int64_t& time) {
  double seconds = 0;
  if (!naive_number(digits, seconds)) return false;
  time = static_cast<std::int64_t>(seconds);
  return true;
}

/// A word `key=value`. Words that say what a daemon may ignore (container, host, what a notice says
/// ..) are skipped.
bool read_pair(const std::string& word, Fact& fact) {
  const std::size_t equals = word.find('=');
  if (equals == std::string::npos) return false;
  const std::string key = word.substr(0, equals);
  const std::string value = word.substr(equals + 1);
  if (key == "name" || key == "title") return read_text(value, fact.sample.name);
  if (key == "value" || key == "count") return naive_number(value, fact.sample.value);
  if (key == "rate") return naive_number(value, fact.sample.rate);
  if (key == "ts" && !is_notice(fact.sample.kind)) return read_time(value, fact.sample.time);
  if (key == "tags") return read_tags(value, fact.sample.tags);
  return true;
}

/// `set V`, `delta +V` and `member M` take two words; returns how many were taken, 0 for an error.
std::size_t read_words(const std::vector<std::string>& words, std::size_t at, Fact& fact) {
  if (words[at] != "set" && words[at] != "delta" && words[at] != "member") {
    return read_pair(words[at], fact) ? 1 : 0;
  }
  if (at + 1 == words.size()) return 0;
  if (words[at] == "member") return read_text(words[at + 1], fact.sample.member) ? 2 : 0;
  fact.sample.is_delta = words[at] == "delta";
  return naive_number(words[at + 1], fact.sample.value) ? 2 : 0;
}

std::optional<Fact> read_fact(std::string_view text) {
  Fact fact;
  auto words = split_outside_quotes(text, ' ');
  if (words[0] == "final") {
    fact.is_final = true;
    words.erase(words.begin());
  }
  if (words.empty() || words[0].empty()) return std::nullopt;
  fact.kind = words[0];
  for (std::size_t i = 0; i < kind_count; ++i) {
    if (fact.kind == to_string(static_cast<Kind>(i))) fact.sample.kind = static_cast<Kind>(i);
  }
  if (fact.kind.starts_with("bad")) {
    fact.at_least = fact.kind.starts_with("bad>=");
    const std::string number = fact.kind.substr(fact.kind.find('=') + 1);
    fact.kind = "bad";
    return words.size() == 1 && naive_number(number, fact.sample.value) ? std::optional(fact)
                                                                        : std::nullopt;
  }
  for (std::size_t at = 1; at < words.size();) {
    const std::size_t taken = read_words(words, at, fact);
    if (taken == 0) return std::nullopt;
    at += taken;
  }
  return fact;
}

/// `*N` at the front of `text`, and removes it; 1 where there is none.
std::size_t take_times(std::string_view& text) {
  if (!text.starts_with('*')) return 1;
  std::size_t times = 0;
  for (text.remove_prefix(1); !text.empty() && text.front() >= '0' && text.front() <= '9';) {
    times = times * 10 + static_cast<std::size_t>(text.front() - '0');
    text.remove_prefix(1);
  }
  return times;
}

std::optional<std::string> take_term(std::string_view& recipe) {
  constexpr std::string_view all_bytes = "bytes(range(256))";
  if (recipe.starts_with(all_bytes)) {
    recipe.remove_prefix(all_bytes.size());
    std::string bytes;
    for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
    return bytes;
  }
  if (!recipe.starts_with("b\"")) return std::nullopt;
  const std::size_t end = recipe.find('"', 2);
  if (end == std::string_view::npos) return std::nullopt;
  const auto bytes = unescape(recipe.substr(2, end - 2));
  recipe.remove_prefix(end + 1);
  return bytes;
}

}  // namespace

std::vector<VectorRow> read_vectors(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  const auto columns = split_outside_quotes(line, '\t');
  std::vector<VectorRow> rows;
  while (std::getline(file, line)) {
    std::map<std::string, std::string, std::less<>> cells;
    std::size_t column = 0;
    for (std::size_t from = 0; from <= line.size(); ++column) {
      const std::size_t end = std::min(line.find('\t', from), line.size());
      if (column < columns.size()) cells[columns[column]] = line.substr(from, end - from);
      from = end + 1;
    }
    if (column != columns.size()) return {};
    rows.emplace_back(std::move(cells));
  }
  return rows;
}

std::optional<std::vector<Fact>> read_facts(std::string_view expected) {
  std::vector<Fact> facts;
  for (std::string_view part : split_outside_quotes(expected, ';')) {
    if (part.starts_with(' ')) part.remove_prefix(1);
    auto fact = read_fact(part);
    if (!fact) return std::nullopt;
    facts.push_back(*std::move(fact));
  }
  return facts;
}

bool is_metric(const Fact& fact) {
  return fact.kind == to_string(fact.sample.kind);
}

std::optional<std::string> cook(std::string_view recipe) {
  std::string bytes;
  while (true) {
    const auto term = take_term(recipe);
    if (!term) return std::nullopt;
    for (std::size_t times = take_times(recipe); times > 0; --times) bytes += *term;
    if (recipe.empty()) return bytes;
    if (!recipe.starts_with('+')) return std::nullopt;
    recipe.remove_prefix(1);
  }
}

}  // namespace tally::testing
