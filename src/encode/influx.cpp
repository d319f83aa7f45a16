// The native naming: one snapshot entry is one line is one point.
//
//     response_time.timer,env=prod,host=a count=3,mean=2,...,p999=3 1700000000
//     ^prefix + name + kind ^tags, sorted ^fields, all floats       ^stamp, the same on all lines
//
// What is the same on many lines (static tags, field names, the stamp) is rendered once a window.
//
// A series with a second of its own (`|T`, too late for its window) is stamped inside that second,
// as many nanoseconds behind its start as the window's milliseconds say: later windows may add to
// the same second, and must not overwrite each other, nor a window's own point.
// Names arrive clean: SeriesKeyBuilder took away what cannot be escaped.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <utility>

#include "tally/encode.hpp"

namespace tally {
namespace {

std::string_view measurement_suffix(Kind kind) {
  switch (kind) {
    case Kind::counter:
      return ".count";
    case Kind::gauge:
      return ".gauge";
    case Kind::timer:
      return ".timer";
    case Kind::histogram:
      return ".histogram";
    case Kind::distribution:
      return ".distribution";
    case Kind::set:
      return ".set";
    case Kind::event:
    case Kind::service_check:
      break;  // encode_notices
  }
  return {};  // not reached: the switch is complete
}

void append_tag(std::string& out, std::string_view key, std::string_view value) {
  out.push_back(',');
  append_key(out, key);
  out.push_back('=');
  append_key(out, value);
}

bool is_whole_seconds(const Span& span) {
  return span.start.time_since_epoch().count() % 1000 == 0 && span.interval.count() % 1000 == 0;
}

std::string late_stamp(std::int64_t seconds, WallTime window) {
  constexpr std::int64_t second = 1'000'000'000;  // ns
  const std::int64_t offset = 1 + window.time_since_epoch().count() % (second - 1);
  return fmt::format(" {}\n", seconds * second + offset);
}

class Encoder {
 public:
  Encoder(const Snapshot& snapshot, const Naming& naming, const PayloadLimits& limits,
          Precision precision);

  void write(const Snapshot::Counter& counter);
  void write(const Snapshot::Timer& timer);
  void write(const Snapshot::Gauge& gauge);
  void write(const Snapshot::Set& set);

  std::vector<Payload> finish() &&;

 private:
  struct RenderedTag {
    std::string_view key;
    std::string text;  // `,key=value`, escaped
  };

  void begin_line(std::string_view key);
  void append_tags();
  void append_field(std::string_view name, double value);
  void end_line();
  void cut(std::size_t at);

  const Snapshot& snapshot_;
  const PayloadLimits& limits_;
  std::string prefix_;                    // escaped
  std::vector<RenderedTag> static_tags_;  // sorted by key
  std::vector<std::string> percentile_fields_;
  std::string stamp_;  // ` 1700000000\n`
  Precision precision_;

  Series series_{};            // scratch of begin_line
  Payload payload_;            // being filled
  std::size_t line_at_ = 0;    // where the open line starts in its body
  std::size_t fields_at_ = 0;  // and where its fields do
  std::vector<Payload> done_;
};

Encoder::Encoder(const Snapshot& snapshot, const Naming& naming, const PayloadLimits& limits,
                 Precision precision)
    : snapshot_(snapshot), limits_(limits), precision_(precision) {
  append_measurement(prefix_, naming.prefix);
  for (const StaticTag& tag : naming.static_tags) {
    if (tag.key.empty() || tag.value.empty()) continue;  // influxd refuses the point
    RenderedTag& rendered = static_tags_.emplace_back(RenderedTag{tag.key, {}});
    append_tag(rendered.text, tag.key, tag.value);
  }
  for (const double percent : snapshot.percents)
    percentile_fields_.push_back(percentile_field(percent));
  const std::int64_t start = snapshot.span.start.time_since_epoch().count();
  stamp_ = fmt::format(" {}\n", precision == Precision::seconds ? start / 1000 : start);
}

void Encoder::write(const Snapshot::Counter& counter) {
  begin_line(counter.key);
  append_field("count", counter.count);
  append_field("rate", counter.rate);
  end_line();
}

void Encoder::write(const Snapshot::Timer& timer) {
  begin_line(timer.key);
  append_field("count", timer.count);
  append_field("mean", timer.mean);
  append_field("min", timer.min);
  append_field("max", timer.max);
  append_field("sum", timer.sum);
  append_field("stddev", timer.stddev);
  for (std::size_t i = 0; i < percentile_fields_.size(); ++i) {
    append_field(percentile_fields_[i], snapshot_.percentiles[timer.first_percentile + i]);
  }
  end_line();
}

void Encoder::write(const Snapshot::Gauge& gauge) {
  begin_line(gauge.key);
  append_field("value", gauge.value);
  end_line();
}

void Encoder::write(const Snapshot::Set& set) {
  begin_line(set.key);
  append_field("count", set.count);
  end_line();
}

void Encoder::begin_line(std::string_view key) {
  std::string& body = payload_.body;
  split_series_key(key, series_);
  if (series_.time != 0) stamp_ = late_stamp(series_.time, snapshot_.span.start);
  line_at_ = body.size();
  body += prefix_;
  append_measurement(body, series_.name);
  body += measurement_suffix(series_.kind);
  append_tags();
  body.push_back(' ');
  fields_at_ = body.size();
}

// Merges two sorted lists: influxd would sort a line itself, at its own cost.
void Encoder::append_tags() {
  auto fixed = static_tags_.begin();
  for (const TagView& own : series_.tags) {
    for (; fixed != static_tags_.end() && fixed->key < own.key; ++fixed)
      payload_.body += fixed->text;
    if (fixed != static_tags_.end() && fixed->key == own.key) ++fixed;
    append_tag(payload_.body, own.key, own.value);
  }
  for (; fixed != static_tags_.end(); ++fixed) payload_.body += fixed->text;
}

void Encoder::append_field(std::string_view name, double value) {
  if (!std::isfinite(value)) return;
  if (payload_.body.size() > fields_at_) payload_.body.push_back(',');
  payload_.body += name;  // ours: nothing in it to escape
  payload_.body.push_back('=');
  append_number(payload_.body, value);
}

void Encoder::end_line() {
  if (payload_.body.size() == fields_at_) {  // no field is finite, and influxd refuses such a line
    payload_.body.resize(line_at_);
    return;
  }
  payload_.body += stamp_;
  if (payload_.body.size() > limits_.bytes_max && line_at_ > 0) cut(line_at_);
  ++payload_.points;
  if (payload_.points >= limits_.lines_max) cut(payload_.body.size());
}

// Ends the payload before `at`; what is behind it starts the next.
void Encoder::cut(std::size_t at) {
  Payload next;
  next.body.append(payload_.body, at);
  payload_.body.resize(at);
  payload_.precision = precision_;
  payload_.window = snapshot_.span.start;
  done_.push_back(std::exchange(payload_, std::move(next)));
}

std::vector<Payload> Encoder::finish() && {
  if (payload_.points > 0) cut(payload_.body.size());
  return std::move(done_);
}

}  // namespace

std::vector<Payload> encode_influx(const Snapshot& snapshot, const Naming& naming,
                                   const PayloadLimits& limits) {
  Encoder on_time(snapshot, naming, limits,
                  is_whole_seconds(snapshot.span) ? Precision::seconds : Precision::milliseconds);
  Encoder late(snapshot, naming, limits, Precision::nanoseconds);
  const auto write = [&](const auto& points) {
    for (const auto& point : points)
      (time_of_series_key(point.key) == 0 ? on_time : late).write(point);
  };
  write(snapshot.counters);
  write(snapshot.timers);
  write(snapshot.gauges);
  write(snapshot.sets);
  std::vector<Payload> payloads = std::move(on_time).finish();
  std::ranges::move(std::move(late).finish(), std::back_inserter(payloads));
  return payloads;
}

std::string percentile_field(double percent) {
  std::string digits = fmt::format("{}", percent);
  std::erase(digits, '.');
  return "p" + digits;
}

}  // namespace tally
