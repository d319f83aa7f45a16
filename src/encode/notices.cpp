// Events and service checks: seldom, so written plainly. Each line is parsed once more, which is
// simpler than to carry all that it says through the window.

#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "tally/encode.hpp"
#include "tally/parse.hpp"

namespace tally {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// InfluxDB counts nanoseconds in 64 bits: a later time than this cannot be stored.
constexpr std::int64_t seconds_max = 9'000'000'000;

class NoticeEncoder {
 public:
  NoticeEncoder(const Naming& naming, const PayloadLimits& limits)
      : naming_(naming), limits_(limits), keys_(naming.static_tags) {}

  void write(const StampedNotice& heard) {
    batch_.clear();
    // It was taken once, under limits that may be wider than the default.
    parse_datagram(heard.line,
                   {.limits = {.name_bytes = series_bytes_max,
                               .tag_bytes = series_bytes_max,
                               .tags = series_bytes_max}},
                   batch_);
    if (batch_.samples.empty()) return;  // not reached: it was taken once
    const Sample& sample = batch_.samples.front();
    const Notice& notice = batch_.notices[sample.notice];

    std::string line;
    append_series(sample, line);
    const WallTime stamp = stamp_of(notice, heard.heard, line);
    line += ' ';
    if (sample.kind == Kind::event) {
      append_event(sample.name, notice, line);
    } else {
      append_check(notice, line);
    }
    line += fmt::format(" {}\n", stamp.time_since_epoch().count());
    add(line, heard.heard);
  }

  std::vector<Payload> finish() && { return std::move(payloads_); }

 private:
  void append_series(const Sample& sample, std::string& out) {
    const bool is_event = sample.kind == Kind::event;
    const std::span<const Tag> own = batch_.tags_of(sample);
    std::vector<Tag> tags(own.begin(), own.end());
    if (!is_event) tags.push_back({.key = "check", .value = sample.name});
    const std::string_view measurement = is_event ? "events" : "service_checks";
    const Series series = split_series_key(keys_.build(sample.kind, measurement, tags));
    std::map<std::string_view, std::string_view> all;
    for (const StaticTag& tag : naming_.static_tags) all[tag.key] = tag.value;
    for (const TagView& tag : series.tags) all[tag.key] = tag.value;

    append_measurement(out, naming_.prefix);
    append_measurement(out, series.name);
    for (const auto& [key, value] : all) {
      out += ',';
      append_key(out, key);
      out += '=';
      append_key(out, value);
    }
  }

  // Never twice the same in a series.
  WallTime stamp_of(const Notice& notice, WallTime heard, const std::string& series) {
    const bool is_given = notice.time > 0 && notice.time < seconds_max;
    const WallTime asked = is_given ? WallTime(seconds(notice.time)) : heard;
    WallTime stamp = asked;
    // Where many ask for one stamp, the search goes on behind the last that was given for it.
    const auto last = last_.find({series, asked});
    if (last != last_.end()) stamp = last->second + milliseconds(1);
    while (!stamps_.emplace(series, stamp).second) stamp += milliseconds(1);
    last_.insert_or_assign({series, asked}, stamp);
    return stamp;
  }

  static void append_event(std::string_view title, const Notice& notice, std::string& out) {
    out += "title=";
    append_string(out, title);
    append_text("text", notice.text, out);
    append_text("priority", notice.priority.empty() ? "normal" : notice.priority, out);
    append_text("alert_type", notice.alert.empty() ? "info" : notice.alert, out);
    if (!notice.key.empty()) append_text("aggregation_key", notice.key, out);
    if (!notice.source.empty()) append_text("source_type_name", notice.source, out);
    if (!notice.host.empty()) append_text("hostname", notice.host, out);
  }

  static void append_check(const Notice& notice, std::string& out) {
    out += "status=";
    append_number(out, notice.status);
    if (!notice.text.empty()) append_text("message", notice.text, out);
    if (!notice.host.empty()) append_text("hostname", notice.host, out);
  }

  static void append_text(std::string_view field, std::string_view text, std::string& out) {
    out += ',';
    out += field;
    out += '=';
    append_string(out, text);
  }

  void add(const std::string& line, WallTime window) {
    const bool fits = !payloads_.empty() && payloads_.back().points < limits_.lines_max &&
                      payloads_.back().body.size() + line.size() <= limits_.bytes_max;
    if (!fits) payloads_.push_back({.precision = Precision::milliseconds, .window = window});
    payloads_.back().body += line;
    ++payloads_.back().points;
  }

  const Naming& naming_;
  const PayloadLimits& limits_;
  SeriesKeyBuilder keys_;
  Batch batch_;
  std::set<std::pair<std::string, WallTime>> stamps_;          // given so far, by series
  std::map<std::pair<std::string, WallTime>, WallTime> last_;  // given for one that was asked for
  std::vector<Payload> payloads_;
};

}  // namespace

std::vector<Payload> encode_notices(const std::vector<StampedNotice>& notices, const Naming& naming,
                                    const PayloadLimits& limits) {
  NoticeEncoder encoder(naming, limits);
  for (const StampedNotice& notice : notices) encoder.write(notice);
  return std::move(encoder).finish();
}

}  // namespace tally
