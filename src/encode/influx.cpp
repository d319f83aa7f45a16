// One snapshot entry is one line is one point (with etsy's names, one for each of its numbers).
//
//     response_time.timer,env=prod,host=a count=3,mean=2,...,p999=3 1700000000
//     ^prefix + name + kind ^tags, sorted ^fields, all floats       ^stamp, the same on all lines
//
// Which words those are is the scheme's (scheme.hpp); tallyd's own series keep the native ones,
// whatever is chosen for the rest: dashboards and alerts on them are ours.
//
// What is the same on many lines (static tags, field names, the stamp) is rendered once a window.
//
// A series with a second of its own (`|T`, too late for its window) is stamped inside that second,
// as many nanoseconds behind its start as the window's milliseconds say: later windows may add to
// the same second, and must not overwrite each other, nor a window's own point.
// Names arrive clean: SeriesKeyBuilder took away what cannot be escaped.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <deque>
#include <iterator>
#include <limits>
#include <type_traits>
#include <utility>

#include "encode/scheme.hpp"
#include "tally/encode.hpp"

namespace tally {
namespace {

constexpr double nothing = std::numeric_limits<double>::quiet_NaN();  // is not written

double number(const Snapshot::Counter& counter, Stat stat, double /*seconds*/) {
  return stat == Stat::rate ? counter.rate : counter.count;
}

double number(const Snapshot::Gauge& gauge, Stat /*stat*/, double /*seconds*/) {
  return gauge.value;
}

double number(const Snapshot::Set& set, Stat /*stat*/, double /*seconds*/) {
  return set.count;
}

double number(const Snapshot::Timer& timer, Stat stat, double seconds) {
  switch (stat) {
    case Stat::count:
      return timer.count;
    case Stat::rate:
      return timer.count / seconds;
    case Stat::mean:
      return timer.mean;
    case Stat::min:
      return timer.min;
    case Stat::max:
      return timer.max;
    case Stat::sum:
      return timer.sum;
    case Stat::stddev:
      return timer.stddev;
    case Stat::median:
      return timer.median;
    case Stat::sum_squares:
      return timer.sum_squares;
    case Stat::value:
      break;
  }
  return nothing;  // no scheme asks a timer for it
}

double number(const Lowest& lowest, PercentStat stat) {
  if (lowest.count == 0) return nothing;
  switch (stat) {
    case PercentStat::count:
      return lowest.count;
    case PercentStat::mean:
      return lowest.sum / lowest.count;
    case PercentStat::upper:
      return lowest.upper;
    case PercentStat::sum:
      return lowest.sum;
    case PercentStat::sum_squares:
      return lowest.sum_squares;
    case PercentStat::percentile:
      break;
  }
  return nothing;  // no scheme asks for it here
}

constexpr std::size_t index_of(Kind kind) {
  return static_cast<std::size_t>(kind);
}

constexpr std::size_t timer_kind = index_of(Kind::timer);

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
          Precision precision, std::size_t lines_expected = 0);

  /// One point; `series` is what its key says, and its tags may be renamed.
  template <class Point>
  void write(const Point& point, Series& series);

  std::vector<Payload> finish() &&;

  /// Bytes of what `write` would write. REQUIRES: nothing was written.
  template <class Point>
  std::size_t size_of(const Point& point, Series& series);

 private:
  struct RenderedTag {
    std::string key;
    std::string text;  // `,key=value`, escaped
  };

  // A scheme's words that depend on the configuration.
  struct Words {
    const Scheme& scheme;
    std::array<std::string, value_kind_count> behind_name;  // of a series without tags
    std::vector<std::string> percentile_labels;             // `,p99=`, percentile by percentile
  };

  Words words_of(const Scheme& scheme) const;
  bool is_taken(Kind kind, std::string_view tag) const;
  bool is_taken_by_any(std::string_view tag) const;
  void settle_tags();
  void put_tag(std::string_view key, std::string_view value);

  void begin(Series& series);
  void append_percentiles(const Snapshot::Timer& timer);
  void append(std::string_view label, double value);
  void begin_line(std::string_view field);
  void append_name();
  void append_tags();
  void end_line();
  void make_room();
  void cut(std::size_t at);

  const Snapshot& snapshot_;
  const Naming& naming_;
  const PayloadLimits& limits_;
  std::string prefix_;                    // escaped
  std::vector<RenderedTag> static_tags_;  // sorted by key
  double seconds_;                        // of the window
  std::string stamp_;                     // ` 1700000000\n`
  Precision precision_;
  Words chosen_;
  Words own_;  // of tallyd's own series

  std::size_t lines_left_;            // to come behind the payloads that are full
  Series* series_ = nullptr;          // of the open point
  const Words* words_ = nullptr;      // of its scheme
  const KindScheme* kind_ = nullptr;  // and of its kind there
  std::string measured_;              // and what name_tag says
  std::deque<std::string> freed_;     // and its tags that had to be renamed
  Payload payload_;                   // being filled
  std::size_t line_at_ = 0;           // where the open line starts in its body
  std::size_t fields_at_ = 0;         // and where its fields do
  std::vector<Payload> done_;
};

Encoder::Encoder(const Snapshot& snapshot, const Naming& naming, const PayloadLimits& limits,
                 Precision precision, std::size_t lines_expected)
    : snapshot_(snapshot),
      naming_(naming),
      limits_(limits),
      seconds_(std::chrono::duration<double>(snapshot.span.interval).count()),
      precision_(precision),
      chosen_(words_of(scheme_of(naming.profile, naming.measurement))),
      own_(words_of(scheme_of(Profile::native, MeasurementPer::metric))),
      lines_left_(lines_expected) {
  append_measurement(prefix_, naming.prefix);
  for (const StaticTag& tag : naming.static_tags) {
    if (tag.key.empty() || tag.value.empty()) continue;  // influxd refuses the point
    RenderedTag& rendered = static_tags_.emplace_back(RenderedTag{tag.key, {}});
    while (is_taken_by_any(rendered.key)) rendered.key += '_';
    append_tag(rendered.text, rendered.key, tag.value);
  }
  std::ranges::sort(static_tags_, {}, &RenderedTag::key);
  for (Words* words : {&chosen_, &own_})
    for (std::string& behind_name : words->behind_name) {
      for (const RenderedTag& tag : static_tags_) behind_name += tag.text;
      behind_name += ' ';
    }
  const std::int64_t start = snapshot.span.start.time_since_epoch().count();
  stamp_ = fmt::format(" {}\n", precision == Precision::seconds ? start / 1000 : start);
}

Encoder::Words Encoder::words_of(const Scheme& scheme) const {
  Words words{.scheme = scheme, .behind_name = {}, .percentile_labels = {}};
  for (std::size_t kind = 0; kind < value_kind_count; ++kind)
    words.behind_name[kind] = scheme.kinds[kind].suffix;
  for (const double percent : snapshot_.percents)
    for (const PercentField& field : scheme.kinds[timer_kind].of_percentiles)
      words.percentile_labels.push_back("," + percentile_name(scheme, field, percent) + "=");
  return words;
}

template <class Point>
void Encoder::write(const Point& point, Series& series) {
  begin(series);
  const bool is_one_line = !words_->scheme.is_point_per_field;
  if (is_one_line) begin_line({});
  for (const Field& field : kind_->fields) append(field.label, number(point, field.stat, seconds_));
  if constexpr (std::is_same_v<Point, Snapshot::Timer>) append_percentiles(point);
  if (is_one_line) end_line();
}

template <class Point>
std::size_t Encoder::size_of(const Point& point, Series& series) {
  write(point, series);
  const std::size_t size = payload_.body.size();
  payload_.body.clear();
  return size;
}

void Encoder::append_percentiles(const Snapshot::Timer& timer) {
  auto label = words_->percentile_labels.begin();
  for (std::size_t i = 0; i < snapshot_.percents.size(); ++i) {
    const std::size_t at = timer.first_percentile + i;
    for (const PercentField& field : kind_->of_percentiles) {
      if (field.stat == PercentStat::percentile)
        append(*label++, snapshot_.percentiles[at]);
      else
        append(*label++,
               at < snapshot_.lowest.size() ? number(snapshot_.lowest[at], field.stat) : nothing);
    }
  }
}

void Encoder::begin(Series& series) {
  series_ = &series;
  if (series.time != 0) stamp_ = late_stamp(series.time, snapshot_.span.start);
  words_ = is_own_name(series.name) ? &own_ : &chosen_;
  kind_ = &words_->scheme.kinds[index_of(series.kind)];
  if (words_->scheme.renames_tags) settle_tags();
}

// SeriesKeyBuilder keeps tags apart from the native fields only.
bool Encoder::is_taken(Kind kind, std::string_view tag) const {
  if (tag.empty()) return false;
  const Scheme& scheme = chosen_.scheme;
  if (scheme.is_point_per_field) return tag == "value";
  const auto fields = scheme.kinds[index_of(kind)].fields;
  return tag == scheme.type_tag || tag == scheme.name_tag ||
         std::ranges::find(fields, tag, &Field::name) != fields.end() ||
         (is_timer_like(kind) && std::ranges::find(chosen_.percentile_labels, tag, name_in) !=
                                     chosen_.percentile_labels.end());
}

bool Encoder::is_taken_by_any(std::string_view tag) const {
  for (std::size_t kind = 0; kind < value_kind_count; ++kind)
    if (is_taken(static_cast<Kind>(kind), tag)) return true;
  return false;
}

void Encoder::settle_tags() {
  freed_.clear();
  for (TagView& tag : series_->tags) {
    if (!is_taken(series_->kind, tag.key)) continue;
    std::string& key = freed_.emplace_back(tag.key);
    while (is_taken(series_->kind, key) ||
           std::ranges::find(series_->tags, key, &TagView::key) != series_->tags.end())
      key += '_';
    tag.key = key;
  }
  if (!freed_.empty()) std::ranges::sort(series_->tags, {}, &TagView::key);
  const Scheme& scheme = words_->scheme;
  if (!scheme.type_tag.empty()) put_tag(scheme.type_tag, kind_->type);
  if (scheme.name_tag.empty()) return;
  measured_ = naming_.prefix;
  measured_ += series_->name;
  put_tag(scheme.name_tag, measured_);
}

void Encoder::put_tag(std::string_view key, std::string_view value) {
  const auto at = std::ranges::lower_bound(series_->tags, key, {}, &TagView::key);
  series_->tags.insert(at, {key, value});
}

// `field` is the end of the measurement where each field is a point.
void Encoder::begin_line(std::string_view field) {
  std::string& body = payload_.body;
  line_at_ = body.size();
  const bool is_named_by_tag = !words_->scheme.name_tag.empty();
  if (!is_named_by_tag) append_name();
  if (series_->tags.empty() && field.empty()) {  // most lines: what follows is known
    body += words_->behind_name[index_of(series_->kind)];
  } else {
    body += is_named_by_tag ? kind_->type : kind_->suffix;
    if (!field.empty()) (body += '.') += field;
    append_tags();
    body.push_back(' ');
  }
  fields_at_ = body.size();
}

void Encoder::append_name() {
  std::string& body = payload_.body;
  if (!prefix_.empty()) body += prefix_;
  const std::size_t name_at = body.size();
  append_measurement(body, series_->name);
  if (words_->scheme.underscores_dots)
    std::replace(body.begin() + static_cast<std::ptrdiff_t>(name_at), body.end(), '.', '_');
}

// Merges two sorted lists: influxd would sort a line itself, at its own cost.
void Encoder::append_tags() {
  auto fixed = static_tags_.begin();
  for (const TagView& own : series_->tags) {
    for (; fixed != static_tags_.end() && fixed->key < own.key; ++fixed)
      payload_.body += fixed->text;
    if (fixed != static_tags_.end() && fixed->key == own.key) ++fixed;
    append_tag(payload_.body, own.key, own.value);
  }
  for (; fixed != static_tags_.end(); ++fixed) payload_.body += fixed->text;
}

void Encoder::append(std::string_view label, double value) {
  if (!std::isfinite(value)) return;
  if (words_->scheme.is_point_per_field) {
    const std::string_view field = name_in(label);
    begin_line(field == "value" ? "" : field);
    payload_.body += "value=";
    append_number(payload_.body, value);
    return end_line();
  }
  const bool is_first = payload_.body.size() == fields_at_;
  payload_.body += label.substr(is_first ? 1 : 0);  // ours: nothing in it to escape
  append_number(payload_.body, value);
}

void Encoder::end_line() {
  if (payload_.body.size() == fields_at_) {  // no field is finite, and influxd refuses such a line
    payload_.body.resize(line_at_);
    return;
  }
  payload_.body += stamp_;
  if (payload_.body.size() > limits_.bytes_max && line_at_ > 0) cut(line_at_);
  if (++payload_.points == 1) make_room();
  if (payload_.points >= limits_.lines_max) cut(payload_.body.size());
}

// For as many lines like the first as are expected: growing would touch twice the memory.
void Encoder::make_room() {
  const std::size_t bytes = payload_.body.size() * std::min(lines_left_, limits_.lines_max);
  payload_.body.reserve(std::min(bytes + bytes / 8, limits_.bytes_max + payload_.body.size()));
}

// Ends the payload before `at`; what is behind it starts the next.
void Encoder::cut(std::size_t at) {
  Payload next;
  next.body.append(payload_.body, at);
  payload_.body.resize(at);
  payload_.precision = precision_;
  payload_.window = snapshot_.span.start;
  lines_left_ -= std::min<std::size_t>(lines_left_, payload_.points);
  // It may wait long, and what waits is counted by its size.
  if (payload_.body.capacity() > 2 * payload_.body.size()) payload_.body.shrink_to_fit();
  done_.push_back(std::exchange(payload_, std::move(next)));
}

std::vector<Payload> Encoder::finish() && {
  if (payload_.points > 0) cut(payload_.body.size());
  return std::move(done_);
}

Precision precision_of(const Span& span) {
  return is_whole_seconds(span) ? Precision::seconds : Precision::milliseconds;
}

}  // namespace

std::vector<Payload> encode_influx(const Snapshot& snapshot, const Naming& naming,
                                   const PayloadLimits& limits) {
  Encoder on_time(snapshot, naming, limits, precision_of(snapshot.span), snapshot.points());
  Encoder late(snapshot, naming, limits, Precision::nanoseconds);
  Series series{};
  const auto write = [&](const auto& points) {
    for (const auto& point : points) {
      split_series_key(point.key, series);
      (series.time == 0 ? on_time : late).write(point, series);
    }
  };
  write(snapshot.counters);
  write(snapshot.timers);
  write(snapshot.gauges);
  write(snapshot.sets);
  std::vector<Payload> payloads = std::move(on_time).finish();
  std::ranges::move(std::move(late).finish(), std::back_inserter(payloads));
  return payloads;
}

std::vector<std::size_t> encoded_sizes(const Snapshot& snapshot, const Naming& naming) {
  constexpr std::size_t endless = std::numeric_limits<std::size_t>::max();
  const PayloadLimits limits{.bytes_max = endless, .lines_max = endless};
  Encoder encoder(snapshot, naming, limits, precision_of(snapshot.span));
  std::vector<std::size_t> sizes;
  sizes.reserve(snapshot.points());
  Series series{};
  const auto measure = [&](const auto& points) {
    for (const auto& point : points) {
      split_series_key(point.key, series);
      sizes.push_back(encoder.size_of(point, series));
    }
  };
  measure(snapshot.counters);
  measure(snapshot.timers);
  measure(snapshot.gauges);
  measure(snapshot.sets);
  return sizes;
}

std::string percentile_field(double percent) {
  std::string digits = fmt::format("{}", percent);
  std::erase(digits, '.');
  return "p" + digits;
}

}  // namespace tally
