#include "watch/prometheus.hpp"

#include <algorithm>
#include <cmath>

#include "tally/encode.hpp"

namespace tally {
namespace {

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

constexpr bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_';
}

std::string label_name(std::string_view key) {
  std::string name;
  if (key.starts_with("__") || key == "quantile" || key == "le") name = 'x';
  append_prometheus_name(name, key);
  return name;
}

// `special` is escaped by a backslash, and so is the backslash.
void append_escaped(std::string& out, std::string_view text, char special) {
  for (const char c : text) {
    if (c == '\\' || c == special || c == '\n') out += '\\';
    out += c == '\n' ? 'n' : c;
  }
}

}  // namespace

void append_prometheus_name(std::string& out, std::string_view text) {
  if (out.empty() && (text.empty() || is_digit(text.front()))) out += '_';
  for (const char c : text) out += is_name_byte(c) ? c : '_';
}

std::vector<std::string> prometheus_labels(std::span<const TagView> tags) {
  std::vector<std::string> names;
  names.reserve(tags.size());
  for (const TagView& tag : tags) {
    std::string name = label_name(tag.key);
    while (std::ranges::find(names, name) != names.end()) name += '_';
    names.push_back(std::move(name));
  }
  return names;
}

void append_prometheus_label(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += "=\"";
  append_escaped(out, value, '"');
  out += '"';
}

void append_prometheus_head(std::string& out, std::string_view family, std::string_view type,
                            std::string_view help) {
  ((out += "# HELP ") += family) += ' ';
  append_escaped(out, help, '\\');
  (((out += "\n# TYPE ") += family) += ' ') += type;
  out += '\n';
}

void append_prometheus_sample(std::string& out, std::string_view name,
                              std::span<const TagView> tags, double value) {
  const std::vector<std::string> labels = prometheus_labels(tags);
  out += name;
  for (std::size_t i = 0; i < tags.size(); ++i)
    append_prometheus_label(out += i == 0 ? '{' : ',', labels[i], tags[i].value);
  if (!tags.empty()) out += '}';
  append_prometheus_number(out += ' ', value);
  out += '\n';
}

void append_prometheus_number(std::string& out, double value) {
  if (std::isfinite(value)) return append_number(out, value);
  out += std::isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}

}  // namespace tally
