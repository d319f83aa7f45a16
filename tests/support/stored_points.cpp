#include "stored_points.hpp"

#include <algorithm>
#include <utility>

namespace tally::testing {
namespace {

// No name holds a control byte: `read_line` refuses them.
constexpr char separator = '\n';

}  // namespace

std::string StoredPoints::key_of(const ParsedPoint& point) {
  auto tags = point.tags;
  std::sort(tags.begin(), tags.end());
  std::string key = point.measurement;
  for (const auto& [name, value] : tags) key += separator + name + separator + value;
  return key;
}

void StoredPoints::store(const ParsedPoint& point, std::uint64_t sequence) {
  const std::string series = key_of(point);
  series_.insert(series);
  const std::uint64_t copy = rule_ == SamePoint::kept ? ++copies_ : sequence;
  const auto [held, is_new] = points_.try_emplace({series, point.stamp, copy}, point);
  if (is_new) {
    ++measurements_[point.measurement];
    for (const auto& [name, value] : point.fields) sum_of(point, name) += value;
  } else {
    merge(held->second, point);
  }
}

void StoredPoints::merge(ParsedPoint& held, const ParsedPoint& point) {
  bool is_changed = false;
  for (const auto& [name, value] : point.fields) {
    // Not a structured binding's name: clang 14 captures none of these.
    const auto has_name = [&key = name](const auto& field) { return field.first == key; };
    const auto old = std::find_if(held.fields.begin(), held.fields.end(), has_name);
    if (old == held.fields.end()) {
      held.fields.emplace_back(name, value);
      sum_of(point, name) += value;
    } else {
      is_changed = is_changed || old->second != value;
      sum_of(point, name) += value - old->second;
      old->second = value;
    }
  }
  ++(is_changed ? overwritten_ : resent_);
}

double& StoredPoints::sum_of(const ParsedPoint& point, const std::string& field) {
  return sums_[{point.measurement, field}];
}

double StoredPoints::sum(std::string_view measurement, std::string_view field) const {
  const auto found = sums_.find({std::string(measurement), std::string(field)});
  return found == sums_.end() ? 0 : found->second;
}

double StoredPoints::sum(std::string_view measurement, std::string_view field,
                         const std::pair<std::string, std::string>& tag) const {
  double sum = 0;
  for (const auto& [key, point] : points_) {
    const double* value = point.measurement == measurement ? point.field(field) : nullptr;
    const std::string* tagged = point.tag(tag.first);
    if (value != nullptr && tagged != nullptr && *tagged == tag.second) sum += *value;
  }
  return sum;
}

std::size_t StoredPoints::points(std::string_view measurement) const {
  const auto found = measurements_.find(std::string(measurement));
  return found == measurements_.end() ? 0 : static_cast<std::size_t>(found->second);
}

std::vector<ParsedPoint> StoredPoints::points_of(std::string_view measurement) const {
  std::vector<ParsedPoint> found;
  for (const auto& [key, point] : points_)
    if (point.measurement == measurement) found.push_back(point);
  return found;
}

std::set<std::int64_t> StoredPoints::stamps() const {
  std::set<std::int64_t> stamps;
  for (const auto& [key, point] : points_) stamps.insert(key.stamp);
  return stamps;
}

std::size_t StoredPoints::doubled() const {
  std::size_t doubled = 0;
  const Key* before = nullptr;
  for (const auto& [key, point] : points_) {
    if (before != nullptr && before->series == key.series && before->stamp == key.stamp) ++doubled;
    before = &key;
  }
  return doubled;
}

}  // namespace tally::testing
