#include "csv.hpp"

#include <algorithm>
#include <utility>

namespace tally::testing {
namespace {

// Takes one field off the front of `rest`; what follows it (',' or '\n' or nothing) stays.
std::string take_field(std::string_view& rest) {
  std::string field;
  if (rest.empty() || rest.front() != '"') {
    const std::size_t size = std::min(rest.find_first_of(",\n"), rest.size());
    field = rest.substr(0, size);
    rest.remove_prefix(size);
    return field;
  }
  rest.remove_prefix(1);
  while (!rest.empty()) {
    const bool is_quote = rest.front() == '"';
    const bool is_doubled = is_quote && rest.size() > 1 && rest[1] == '"';
    if (!is_quote || is_doubled) field.push_back(rest.front());
    rest.remove_prefix(is_doubled ? 2 : 1);
    if (is_quote && !is_doubled) break;
  }
  return field;
}

// Takes one record with its line end.
std::vector<std::string> take_record(std::string_view& rest) {
  std::vector<std::string> fields;
  while (true) {
    fields.push_back(take_field(rest));
    if (rest.empty()) return fields;
    const char separator = rest.front();
    rest.remove_prefix(1);
    if (separator == '\n') return fields;
  }
}

}  // namespace

std::vector<Row> parse_csv(std::string_view text) {
  std::vector<Row> rows;
  std::vector<std::string> columns;
  while (!text.empty()) {
    const std::vector<std::string> record = take_record(text);
    const bool is_empty = record.size() == 1 && record[0].empty();
    if (is_empty) {
      columns.clear();
    } else if (columns.empty()) {
      columns = record;
    } else {
      Row& row = rows.emplace_back();
      for (std::size_t i = 0; i < std::min(columns.size(), record.size()); ++i)
        row[columns[i]] = record[i];
    }
  }
  return rows;
}

std::map<std::string, std::string> parse_csv_tags(std::string_view text) {
  std::map<std::string, std::string> tags;
  std::pair<std::string, std::string> tag;
  std::string* part = &tag.first;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\\' && at + 1 < text.size()) {
      part->push_back(text[++at]);
    } else if (text[at] == '=' && part == &tag.first) {
      part = &tag.second;
    } else if (text[at] == ',') {
      tags.insert(std::exchange(tag, {}));
      part = &tag.first;
    } else {
      part->push_back(text[at]);
    }
  }
  if (!tag.first.empty()) tags.insert(tag);
  return tags;
}

}  // namespace tally::testing
