// Prometheus wants the samples of a name together, but in no order, so they are gathered by name
// and not sorted: a family is a chain of series.

#include "watch/application_metrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "aggregate/name_hash.hpp"
#include "tally/series.hpp"
#include "watch/prometheus.hpp"

namespace tally {
namespace {

constexpr double nothing = std::numeric_limits<double>::quiet_NaN();

struct KindWords {
  std::string_view suffix, type;
};

KindWords words_of(Kind kind) {
  switch (kind) {
    case Kind::counter:
      return {"_total", "counter"};
    case Kind::gauge:
      return {"_value", "gauge"};
    case Kind::set:
      return {"_members", "gauge"};
    case Kind::timer:
      return {"_timer", "summary"};
    case Kind::histogram:
      return {"_hist", "summary"};
    default:
      return {"_dist", "summary"};
  }
}

// 99.9 / 100 is not the double that is written 0.999.
std::string quantile_of(double percent) {
  return fmt::format("{:.12g}", percent / 100);
}

bool is_shown(const History::Known& series) {
  const Kind kind = static_cast<Kind>(series.key.front());
  return !is_own_name(series.key.substr(1)) && (kind != Kind::gauge || series.is_current);
}

/// Names, each with a number from 0 on, in one piece of memory.
class Names {
 public:
  Names(std::size_t names_max, std::uint64_t hash_seed)
      : hash_(hash_seed), slots_(std::bit_ceil(2 * names_max + 2)) {}

  std::string_view operator[](std::size_t number) const {
    return std::string_view(text_).substr(names_[number].at, names_[number].size);
  }
  /// The number of a name. A new one gets the next.
  std::size_t number_of(std::string_view name) {
    const auto hash = static_cast<std::uint32_t>(hash_(name, 0));
    std::size_t slot = hash & (slots_.size() - 1);
    for (; slots_[slot] != 0; slot = (slot + 1) & (slots_.size() - 1)) {
      const std::size_t number = slots_[slot] - 1;
      if (names_[number].hash == hash && (*this)[number] == name) return number;
    }
    names_.push_back({text_.size(), static_cast<std::uint32_t>(name.size()), hash});
    text_ += name;
    slots_[slot] = static_cast<std::uint32_t>(names_.size());
    return names_.size() - 1;
  }

 private:
  struct Place {
    std::size_t at;
    std::uint32_t size, hash;
  };
  NameHash hash_;
  std::vector<std::uint32_t> slots_;  // number + 1; 0: free
  std::vector<Place> names_;
  std::string text_;
};

class Text {
 public:
  explicit Text(const History& history);
  std::string write() &&;

 private:
  struct Shown {
    History::Known series;
    std::size_t next = none;  // of the same family
  };
  struct Family {
    std::size_t first, last;
  };
  static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

  void add(const History::Known& series);
  void write_family(std::string_view name, const Family& family);
  void label(const History::Known& series);
  bool tell_apart(const History::Known& series);
  void write_labels();
  void write_series(std::string_view name, const History::Known& series);
  void write_summary(std::string_view name, const History::Known& series);
  void write_sample(std::string_view name, std::string_view suffix, double value,
                    std::string_view quantile = {});

  const Naming& naming_;
  std::vector<std::string> quantiles_;
  std::vector<Shown> shown_;
  Names names_;                                       // of families
  std::vector<Family> families_;                      // by age of their first series
  std::unordered_set<std::string> labels_of_family_;  // written so far

  Series split_{};      // of the series being written
  std::string name_;    // of its family, while it is looked up
  std::string labels_;  // `a="1",b="2"`
  std::string text_;
};

Text::Text(const History& history)
    : naming_(history.settings().naming), names_(history.series(), history.settings().hash_seed) {
  shown_.reserve(history.series());
  for (const double percent : history.settings().percents)
    quantiles_.push_back(quantile_of(percent));
  history.each([this](const History::Known& series) {
    if (is_shown(series)) add(series);
  });
}

void Text::add(const History::Known& series) {
  split_series_key(series.key, split_);
  name_.clear();
  if (!naming_.prefix.empty()) append_prometheus_name(name_, naming_.prefix);
  append_prometheus_name(name_, split_.name);
  if (name_.starts_with("tallyd_")) name_.insert(0, 1, '_');  // those names are taken
  name_ += words_of(split_.kind).suffix;
  const std::size_t at = shown_.size();
  shown_.push_back({series});
  const std::size_t number = names_.number_of(name_);
  if (number == families_.size()) return families_.push_back({at, at});
  Family& family = families_[number];
  shown_[family.last].next = at;
  family.last = at;
}

std::string Text::write() && {
  for (std::size_t i = 0; i < families_.size(); ++i) write_family(names_[i], families_[i]);
  return std::move(text_);
}

void Text::write_family(std::string_view name, const Family& family) {
  const std::string_view key = shown_[family.first].series.key;
  split_series_key(key, split_);
  append_prometheus_head(text_, name, words_of(split_.kind).type,
                         fmt::format("{} {}", to_string(split_.kind), split_.name));
  const bool is_alone = family.first == family.last;
  labels_of_family_.clear();
  for (std::size_t at = family.first; at != none; at = shown_[at].next) {
    const History::Known& series = shown_[at].series;
    label(series);
    if (is_alone || tell_apart(series)) write_series(name, series);
  }
}

void Text::label(const History::Known& series) {
  split_series_key(series.key, split_);
  for (const StaticTag& tag : naming_.static_tags) {
    const bool is_own = std::ranges::find(split_.tags, tag.key, &TagView::key) != split_.tags.end();
    if (!is_own && !tag.key.empty() && !tag.value.empty())
      split_.tags.push_back({tag.key, tag.value});
  }
  write_labels();
}

// False if that fails: both ids are the same too, which takes someone who makes them so.
bool Text::tell_apart(const History::Known& series) {
  if (labels_of_family_.insert(labels_).second) return true;
  const std::string id = fmt::format("{:016x}", series.id);
  split_.tags.push_back({"series_id", id});
  write_labels();
  return labels_of_family_.insert(labels_).second;
}

// By name, so that the same labels are the same text.
void Text::write_labels() {
  std::vector<std::string> names = prometheus_labels(split_.tags);
  std::vector<std::pair<std::string, std::string_view>> labels;
  for (std::size_t i = 0; i < names.size(); ++i)
    labels.emplace_back(std::move(names[i]), split_.tags[i].value);
  std::ranges::sort(labels);
  labels_.clear();
  for (const auto& [name, value] : labels) {
    if (!labels_.empty()) labels_ += ',';
    append_prometheus_label(labels_, name, value);
  }
}

void Text::write_series(std::string_view name, const History::Known& series) {
  if (is_timer_like(split_.kind)) return write_summary(name, series);
  double value = series.last;
  if (split_.kind == Kind::counter) value = series.count;
  if (split_.kind == Kind::set && !series.is_current) value = 0;
  write_sample(name, "", value);
}

void Text::write_summary(std::string_view name, const History::Known& series) {
  for (std::size_t i = 0; i < quantiles_.size(); ++i)
    write_sample(name, "", series.is_current ? series.percentiles[i] : nothing, quantiles_[i]);
  write_sample(name, "_sum", series.sum);
  write_sample(name, "_count", series.count);
}

void Text::write_sample(std::string_view name, std::string_view suffix, double value,
                        std::string_view quantile) {
  (text_ += name) += suffix;
  if (!labels_.empty() || !quantile.empty()) {
    (text_ += '{') += labels_;
    if (!labels_.empty() && !quantile.empty()) text_ += ',';
    if (!quantile.empty()) append_prometheus_label(text_, "quantile", quantile);
    text_ += '}';
  }
  append_prometheus_number(text_ += ' ', value);
  text_ += '\n';
}

}  // namespace

std::string application_metrics_text(const History& history) {
  return Text(history).write();
}

}  // namespace tally
