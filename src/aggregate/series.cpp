#include "tally/series.hpp"

#include <algorithm>
#include <charconv>

namespace tally {
namespace {

constexpr char tag_mark = '\0';
constexpr char value_mark = '\1';
constexpr char time_mark = '\2';

constexpr bool is_unsafe(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f || c == '\\';
}

void append_clean(std::string& out, std::string_view text) {
  for (const char c : text) out.push_back(is_unsafe(c) ? '_' : c);
}

void append_escaped(std::string& out, std::string_view text, std::string_view marks) {
  for (const char c : text) {
    if (marks.find(c) != std::string_view::npos) out.push_back('\\');
    out.push_back(c);
  }
}

bool is_percentile_field(std::string_view name) {
  return name.size() > 1 && name.front() == 'p' &&
         name.find_first_not_of("0123456789", 1) == std::string_view::npos;
}

}  // namespace

bool is_reserved_tag(std::string_view key) {
  return key == "time" || key == "_name" || key == "_tagKey" || key == "_tagValue" ||
         key == "_seriesKey" || key == "_field" || key == "_measurement";
}

bool is_field_name(Kind kind, std::string_view name) {
  switch (kind) {
    case Kind::counter:
      return name == "count" || name == "rate";
    case Kind::gauge:
      return name == "value";
    case Kind::set:
      return name == "count";
    case Kind::timer:
    case Kind::histogram:
    case Kind::distribution:
      return name == "count" || name == "mean" || name == "min" || name == "max" || name == "sum" ||
             name == "stddev" || is_percentile_field(name);
    case Kind::event:
      return name == "title" || name == "text" || name == "priority" || name == "alert_type" ||
             name == "aggregation_key" || name == "source_type_name" || name == "hostname";
    case Kind::service_check:
      return name == "status" || name == "message" || name == "hostname";
  }
  return false;
}

std::string_view SeriesKeyBuilder::build(Kind kind, std::string_view name,
                                         std::span<const Tag> tags, std::int64_t time) {
  key_.clear();
  key_.push_back(static_cast<char>(kind));
  append_clean(key_, name);
  if (key_[1] == '#') key_[1] = '_';
  if (!tags.empty()) {
    text_.clear();
    parts_.clear();
    for (const Tag& tag : tags) add_tag(kind, tag);
    append_tags();
  }
  if (time != 0) {
    key_.push_back(time_mark);
    key_ += std::to_string(time);
  }
  return key_;
}

// Keeps one part a key: a tag that comes again replaces the value of the first.
void SeriesKeyBuilder::add_tag(Kind kind, const Tag& tag) {
  if (tag.key.empty()) return;
  Part part{};
  part.key_at = text_.size();
  append_clean(text_, tag.key);
  const std::string_view cleaned = std::string_view(text_).substr(part.key_at);
  if (is_reserved_tag(cleaned) || is_field_name(kind, cleaned)) text_.push_back('_');
  part.key_size = text_.size() - part.key_at;
  part.value_at = text_.size();
  append_clean(text_, tag.bare ? std::string_view("true") : tag.value);
  part.value_size = text_.size() - part.value_at;

  const auto known =
      std::ranges::find_if(parts_, [&](const Part& p) { return key_of(p) == key_of(part); });
  if (known == parts_.end()) {
    parts_.push_back(part);
  } else {
    *known = part;
  }
}

void SeriesKeyBuilder::append_tags() {
  std::ranges::sort(parts_, {}, [this](const Part& part) { return key_of(part); });
  for (const Part& part : parts_) {
    if (part.value_size == 0 || is_static(part)) continue;
    key_.push_back(tag_mark);
    key_.append(key_of(part));
    key_.push_back(value_mark);
    key_.append(value_of(part));
  }
}

bool SeriesKeyBuilder::is_static(const Part& part) const {
  return std::ranges::any_of(static_tags_, [&](const StaticTag& tag) {
    return tag.key == key_of(part) && tag.value == value_of(part);
  });
}

std::int64_t time_of_series_key(std::string_view key) {
  // The first byte is the kind, which may look like the mark; nothing else of a key does.
  const std::size_t mark = key.find(time_mark, 1);
  if (mark == std::string_view::npos) return 0;
  std::int64_t time = 0;
  std::from_chars(key.data() + mark + 1, key.data() + key.size(), time);
  return time;
}

Kind kind_of_series_key(std::string_view key) {
  return static_cast<Kind>(key.front());
}

std::string_view name_of_series_key(std::string_view key) {
  // Marks are the only bytes below 0x03 behind the kind.
  const auto* const end =
      std::find_if(key.begin() + 1, key.end(), [](char byte) { return byte >= 0 && byte <= 2; });
  return {key.begin() + 1, end};
}

void split_series_key(std::string_view key, Series& series) {
  series.kind = static_cast<Kind>(key.front());
  series.tags.clear();
  series.time = time_of_series_key(key);
  if (series.time != 0) key = key.substr(0, key.rfind(time_mark));
  std::size_t end = key.find(tag_mark, 1);
  series.name = key.substr(1, end - 1);
  while (end != std::string_view::npos) {
    const std::size_t start = end + 1;
    const std::size_t middle = key.find(value_mark, start);
    end = key.find(tag_mark, middle + 1);
    series.tags.push_back(
        {key.substr(start, middle - start),
         key.substr(middle + 1, end == std::string_view::npos ? end : end - middle - 1)});
  }
}

Series split_series_key(std::string_view key) {
  Series series{};
  split_series_key(key, series);
  return series;
}

std::string name_with_tags(const Series& series) {
  std::string text;
  append_escaped(text, series.name, ";");
  for (const TagView& tag : series.tags) {
    text.push_back(';');
    append_escaped(text, tag.key, ";=");
    text.push_back('=');
    append_escaped(text, tag.value, ";");
  }
  return text;
}

}  // namespace tally
