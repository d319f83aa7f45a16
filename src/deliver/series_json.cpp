// InfluxDB 0.8 knows series with columns, and no tags: its documentation advises to write these
// into the name. Points of one name and the same columns share an object.
//
//     response_time.timer,dc=eu,host=a count=3,mean=2 1700000000
//
//     [{"name":"dc.eu.host.a.response_time.timer","columns":["time","sequence_number","count","mean"],
//       "points":[[1700000000,1,3.0,2.0]]}]
//
// A point is stored under its column, time and sequence number, and the server gives it a fresh
// number if it has none: a resend would double it. So it always gets the same one.
// A number without a point or an exponent would be stored as an integer, and the column conflict.

#include "deliver/series_json.hpp"

#include <fmt/format.h>

#include <iterator>
#include <map>
#include <string_view>
#include <vector>

#include "deliver/body.hpp"
#include "deliver/point_reader.hpp"
#include "tally/text.hpp"

namespace tally {
namespace {

struct Identity {
  std::int64_t time = 0;
  std::int64_t sequence_number = 1;
};

/// Nanoseconds that differ within one microsecond must not overwrite each other.
Identity identity_of(std::int64_t stamp, Precision precision) {
  if (precision != Precision::nanoseconds) return {.time = stamp};
  const std::int64_t within = (stamp % 1000 + 1000) % 1000;
  return {.time = stamp / 1000 - (stamp % 1000 < 0 ? 1 : 0), .sequence_number = 1 + within};
}

std::string name_of(const Point& point) {
  std::string name;
  for (const auto& [key, value] : point.tags) name += key + '.' + value + '.';
  return name + point.measurement;
}

/// `"name":..,"columns":[..]`: equal for points that may share an object.
std::string head_of(const Point& point) {
  std::string head = "\"name\":";
  append_json_string(head, name_of(point));
  head += R"(,"columns":["time","sequence_number")";
  for (const PointField& field : point.fields) {
    head += ',';
    append_json_string(head, field.key);
  }
  return head + ']';
}

void append_value(std::string& out, const PointField& field) {
  if (field.is_string) return append_json_string(out, field.value);
  out += field.value;
  if (field.value.find_first_of(".eE") == std::string::npos) out += ".0";
}

void append_values(std::string& out, const Point& point, Precision precision) {
  const Identity identity = identity_of(point.stamp, precision);
  fmt::format_to(std::back_inserter(out), "[{},{}", identity.time, identity.sequence_number);
  for (const PointField& field : point.fields) {
    out += ',';
    append_value(out, field);
  }
  out += ']';
}

/// The objects of one body, in the order in which their first points came.
class Objects {
 public:
  void add(const Point& point, Precision precision) {
    std::string head = head_of(point);
    const auto [known, is_new] = index_.try_emplace(head, objects_.size());
    if (is_new) objects_.push_back('{' + std::move(head) + ",\"points\":[");
    std::string& object = objects_[known->second];
    if (!is_new) object += ',';
    append_values(object, point, precision);
  }

  std::string join() const {
    std::string text = "[";
    for (const std::string& object : objects_) {
      if (text.size() > 1) text += ',';
      text += object + "]}";
    }
    return text + ']';
  }

 private:
  std::map<std::string, std::size_t> index_;  ///< by head
  std::vector<std::string> objects_;          ///< each still open
};

}  // namespace

SeriesJson to_series_json(const Payload& payload) {
  Objects objects;
  SeriesJson json;
  std::uint32_t number = 0;
  for_each_line(payload.body, [&](std::string_view line) {
    if (const auto point = read_point(line)) {
      objects.add(*point, payload.precision);
    } else {
      json.left_out.push_back(number);
    }
    ++number;
  });
  json.text = objects.join();
  return json;
}

}  // namespace tally
