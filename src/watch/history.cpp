// A flush brings its points in the order in which the window heard them, which is no order in our
// memory. So they are taken some at a time, and each step asks for what the next one reads: of all
// their buckets, then of all their cells, then of all their records. What a point costs is then
// work and not waiting.

#include "watch/history.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <type_traits>

#include "tally/encode.hpp"
#include "tally/glob.hpp"
#include "watch/rankings.hpp"
#include "watch/records.hpp"

namespace tally {
namespace {

constexpr double nothing = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t points_at_once = 64;
constexpr std::size_t keys_ahead = 8;
constexpr std::size_t lines_at_once = 1000;
constexpr std::size_t records_ahead = 16;  // asked for before they are read

constexpr std::uint32_t shown_max = History::windows_max;
static_assert(shown_max + 1 == RecordLayout::rows);

std::size_t row_of(std::uint32_t window) {
  return window % RecordLayout::rows;
}

double seconds_of(const Span& span) {
  return std::chrono::duration<double>(span.interval).count();
}

std::vector<std::string> lines_of(const std::vector<Payload>& payloads) {
  std::vector<std::string> lines;
  for (const Payload& payload : payloads) {
    std::string_view rest = payload.body;
    for (std::size_t end; (end = rest.find('\n')) != std::string_view::npos;
         rest.remove_prefix(end + 1))
      lines.emplace_back(rest.substr(0, end));
  }
  return lines;
}

/// The order in which the encoder takes a snapshot's points.
int place_in_snapshot(Kind kind) {
  if (kind == Kind::counter) return 0;
  if (is_timer_like(kind)) return 1;
  return kind == Kind::gauge ? 2 : 3;
}

/// Names that a query means.
class Match {
 public:
  explicit Match(std::string_view text)
      : text_(text), is_glob_(text.find_first_of("*?") != std::string_view::npos) {}

  bool is_all() const { return text_.empty(); }
  bool operator()(std::string_view name) const {
    return is_glob_ ? matches_glob(text_, name) : name.find(text_) != std::string_view::npos;
  }

 private:
  std::string_view text_;
  bool is_glob_;
};

/// Asks for the front of a record: all but its numbers.
void prefetch(const Record* record) {
  if (record == nullptr) return;
  __builtin_prefetch(record);
  __builtin_prefetch(reinterpret_cast<const char*>(record) + 64);
}

/// A series that was found: its cell, and the number that it is sorted by.
struct Candidate {
  double by;
  std::uint32_t at;
};

}  // namespace

struct History::Impl {
  explicit Impl(Settings given)
      : settings(std::move(given)),
        records(RecordLayout(settings.percents.size(), needs_details(settings.naming.profile)),
                settings.bytes_max, settings.hash_seed) {}

  const RecordLayout& layout() const { return records.layout(); }

  template <class Point>
  void note_all(const std::vector<Point>& points, const Snapshot& whole);
  template <class Point>
  void note_some(std::span<const Point> points, const Snapshot& whole);
  template <class Point>
  void note_one(const Point& point, RecordedSeries& series, const Snapshot& whole);
  RecordedSeries* add(std::uint64_t hash, std::string_view key);
  void fill_gap(RecordedSeries& series);
  void set_sender(Record& record, std::uint16_t number) const;

  std::uint32_t first_shown() const { return closed > shown_max ? closed - shown_max + 1 : 1; }
  const Span& span_of(std::uint32_t window) const { return spans[row_of(window)]; }
  bool is_current(const RecordedSeries& series) const {
    return closed != 0 && series.last >= closed;
  }
  double rate(const RecordedSeries& series) const;
  double number(const RecordedSeries& series, std::uint32_t window, std::size_t field) const;
  HistoryRow row(const RecordedSeries& series) const;
  std::vector<std::pair<std::string, std::vector<double>>> fields(
      const RecordedSeries& series) const;
  std::vector<double> course(const RecordedSeries& series, std::size_t field) const;
  std::vector<double> rates(const RecordedSeries& series) const;
  std::optional<std::chrono::milliseconds> ttl(const RecordedSeries& series) const;
  std::vector<std::string> lines(const RecordedSeries& series) const;

  enum class Reads : std::uint8_t { cells, records };
  template <class Visit>
  void each_known(Reads what, Visit visit) const;
  std::vector<Candidate> candidates(const HistoryQuery& query) const;
  void sort(std::vector<Candidate>& found, const HistoryQuery& query) const;
  void measure_lines(std::span<Candidate> found) const;

  Settings settings;
  Records records;
  std::array<Span, RecordLayout::rows> spans{};  // of window n in row_of(n)
  std::uint32_t noted = 0;                       // number of the window that was begun last, from 1
  std::uint32_t closed = 0;                      // and of the one that was ended last; 0: none
  double seconds = 1;                            // of the one that was begun
  std::span<const Sender> senders;
  std::uint64_t left_out = 0;
  std::uint64_t left_out_before = 0;  // of the last closed window
};

// ------------------------------------------------------------------------------ noting a window

void History::begin(const Span& span, std::span<const Sender> senders) {
  ++impl_->noted;
  impl_->spans[row_of(impl_->noted)] = span;
  impl_->seconds = seconds_of(span);
  impl_->senders = senders;
  impl_->left_out = 0;
}

void History::note(const Snapshot& slice) {
  if (impl_->settings.bytes_max == 0) return;
  impl_->note_all(slice.counters, slice);
  impl_->note_all(slice.timers, slice);
  impl_->note_all(slice.gauges, slice);
  impl_->note_all(slice.sets, slice);
}

void History::end() {
  impl_->closed = impl_->noted;
  impl_->left_out_before = impl_->left_out;
  impl_->senders = {};
  impl_->records.forget_before(impl_->first_shown());
}

void History::forget(const std::function<bool(std::string_view key)>& is_meant) {
  impl_->records.forget_if(
      [&](const RecordedSeries& series) { return is_meant(series.record->key()); });
}

template <class Point>
void History::Impl::note_all(const std::vector<Point>& points, const Snapshot& whole) {
  for (std::span<const Point> rest = points; !rest.empty();) {
    const auto some = rest.first(std::min(points_at_once, rest.size()));
    note_some(some, whole);
    rest = rest.subspan(some.size());
  }
}

template <class Point>
void History::Impl::note_some(std::span<const Point> points, const Snapshot& whole) {
  std::array<std::uint64_t, points_at_once> hashes;
  std::array<std::uint32_t, points_at_once> candidates;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (i + keys_ahead < points.size()) __builtin_prefetch(points[i + keys_ahead].key.data());
    hashes[i] = records.hash(points[i].key);
    records.prefetch_bucket(hashes[i]);
  }
  for (std::size_t i = 0; i < points.size(); ++i) candidates[i] = records.candidate(hashes[i]);
  for (std::size_t i = 0; i < points.size(); ++i)
    records.prefetch(candidates[i], points[i].key, row_of(noted));
  for (std::size_t i = 0; i < points.size(); ++i) {
    const std::string_view key = points[i].key;
    if (time_of_series_key(key) != 0) continue;
    if (candidates[i] == 0 && records.is_full()) {
      ++left_out;
      continue;
    }
    RecordedSeries* series = records.find(hashes[i], key, candidates[i]);
    if (series == nullptr) series = add(hashes[i], key);
    if (series != nullptr) note_one(points[i], *series, whole);
  }
}

RecordedSeries* History::Impl::add(std::uint64_t hash, std::string_view key) {
  RecordedSeries* const series = records.add(hash, key);
  if (series == nullptr)
    ++left_out;
  else
    series->last = noted;  // no gap to fill
  return series;
}

template <class Point>
void History::Impl::note_one(const Point& point, RecordedSeries& series, const Snapshot& whole) {
  fill_gap(series);
  Record& record = *series.record;
  layout().write(record, row_of(noted), point, whole);
  bool is_idle = false;
  if constexpr (std::is_same_v<Point, Snapshot::Gauge>) is_idle = point.idle.count() != 0;
  if (!is_idle) set_sender(record, point.sender);
  series.last = noted;
  series.rate = as_float(layout().heard(record) / seconds);
}

// Of 59 windows at most: who was silent for longer is forgotten.
void History::Impl::fill_gap(RecordedSeries& series) {
  for (std::uint32_t at = series.last + 1; at < noted; ++at)
    layout().write_nothing(*series.record, row_of(at));
}

void History::Impl::set_sender(Record& record, std::uint16_t number) const {
  const bool is_named = number != 0 && number < senders.size();
  // Written only where it changes: a line of memory that stays clean need not be written back.
  if (record.has_sender != is_named) record.has_sender = is_named;
  if (is_named && record.sender != senders[number].peer) record.sender = senders[number].peer;
}

// ------------------------------------------------------------------------------ one series

double History::Impl::rate(const RecordedSeries& series) const {
  return is_current(series) ? layout().heard(*series.record) / seconds_of(span_of(series.last)) : 0;
}

double History::Impl::number(const RecordedSeries& series, std::uint32_t window,
                             std::size_t field) const {
  if (window > series.last) return nothing;
  return layout().row(*series.record, row_of(window))[field];
}

HistoryRow History::Impl::row(const RecordedSeries& series) const {
  const Record& record = *series.record;
  HistoryRow row{.id = series.id,
                 .series = split_series_key(record.key()),
                 .last = layout().last(record),
                 .rate = rate(series),
                 .last_seen = span_of(series.last).start - record.idle,
                 .spark = {}};
  const std::size_t field = is_timer_like(series.kind) ? 1 : 0;  // the mean
  const std::uint32_t count = std::min<std::uint32_t>(spark_windows, closed);
  for (std::uint32_t at = closed - count + 1; at <= closed; ++at)
    row.spark.push_back(number(series, at, field));
  return row;
}

std::vector<double> History::Impl::course(const RecordedSeries& series, std::size_t field) const {
  std::vector<double> numbers;
  for (std::uint32_t at = first_shown(); at <= closed; ++at)
    numbers.push_back(number(series, at, field));
  return numbers;
}

std::vector<double> History::Impl::rates(const RecordedSeries& series) const {
  std::vector<double> rates = course(series, 0);
  for (std::size_t i = 0; i < rates.size(); ++i)
    rates[i] /= seconds_of(span_of(first_shown() + static_cast<std::uint32_t>(i)));
  return rates;
}

std::vector<std::pair<std::string, std::vector<double>>> History::Impl::fields(
    const RecordedSeries& series) const {
  if (series.kind == Kind::gauge) return {{"value", course(series, 0)}};
  std::vector<std::pair<std::string, std::vector<double>>> fields = {{"count", course(series, 0)}};
  if (series.kind == Kind::counter) fields.emplace_back("rate", rates(series));
  if (!is_timer_like(series.kind)) return fields;
  fields.emplace_back("mean", course(series, 1));
  fields.emplace_back("max", course(series, 2));
  for (std::size_t i = 0; i < settings.percents.size(); ++i)
    fields.emplace_back(percentile_field(settings.percents[i]), course(series, 3 + i));
  return fields;
}

std::optional<std::chrono::milliseconds> History::Impl::ttl(const RecordedSeries& series) const {
  if (series.kind != Kind::gauge || settings.gauge_ttl.count() == 0 || !is_current(series))
    return std::nullopt;
  return settings.gauge_ttl - series.record->idle;
}

std::vector<std::string> History::Impl::lines(const RecordedSeries& series) const {
  Snapshot snapshot;
  snapshot.span = span_of(series.last);
  snapshot.percents = settings.percents;
  layout().restore(*series.record, snapshot);
  return lines_of(encode_influx(snapshot, settings.naming));
}

std::optional<HistoryDetail> History::view(SeriesId id) const {
  const Records& records = impl_->records;
  for (std::size_t at = 0; at < records.cells(); ++at) {
    const RecordedSeries& series = records[at];
    if (series.id != id || series.record == nullptr) continue;
    const Record& record = *series.record;
    HistoryDetail detail{.row = impl_->row(series),
                         .windows = {},
                         .fields = impl_->fields(series),
                         .last_sender = std::nullopt,
                         .ttl = impl_->ttl(series),
                         .lines = impl_->lines(series)};
    for (std::uint32_t window = impl_->first_shown(); window <= impl_->closed; ++window)
      detail.windows.push_back(impl_->span_of(window).start);
    if (record.has_sender) detail.last_sender = record.sender;
    return detail;
  }
  return std::nullopt;
}

// ------------------------------------------------------------------------------ many series

/// Calls `visit(series, at)` for those that are known, and asks for their records ahead if they
/// will be read: all of them are more than a cache holds, and a receiver next to us needs that too.
template <class Visit>
void History::Impl::each_known(Reads what, Visit visit) const {
  for (std::size_t at = 0; at < records.cells(); ++at) {
    const std::size_t next = at + records_ahead;
    if (what == Reads::records && next < records.cells()) prefetch(records[next].record.get());
    if (records[at].record != nullptr) visit(records[at], static_cast<std::uint32_t>(at));
  }
}

std::vector<Candidate> History::Impl::candidates(const HistoryQuery& query) const {
  const Match match(query.match);
  std::vector<Candidate> found;
  if (match.is_all()) found.reserve(records.size());
  const bool reads_records = !match.is_all() || query.sort == SortBy::last;
  each_known(reads_records ? Reads::records : Reads::cells,
             [&](const RecordedSeries& series, std::uint32_t at) {
               if (query.kind && *query.kind != series.kind) return;
               if (!match.is_all() && !match(series.record->name())) return;
               if (query.leaves_out_own && series.is_own) return;
               double by = 0;
               if (query.sort == SortBy::rate && is_current(series))
                 by = static_cast<double>(series.rate);
               if (query.sort == SortBy::last) by = layout().last(*series.record);
               found.push_back({by, at});
             });
  if (query.sort == SortBy::bytes) measure_lines(found);
  return found;
}

// Puts the rows that are asked for in their place; what is behind them stays as it is.
void History::Impl::sort(std::vector<Candidate>& found, const HistoryQuery& query) const {
  const auto name = [&](const Candidate& each) { return records[each.at].record->name(); };
  const auto is_before = [&](const Candidate& a, const Candidate& b) {
    if (query.sort == SortBy::name) {
      const int order = name(a).compare(name(b));
      if (order != 0) return query.ascending ? order < 0 : order > 0;
    } else if (a.by != b.by) {
      return query.ascending ? a.by < b.by : a.by > b.by;
    }
    return a.at < b.at;
  };
  const std::size_t begin = std::min(query.offset, found.size());
  const std::size_t count = std::min(query.limit, found.size() - begin);
  const auto first = found.begin() + static_cast<std::ptrdiff_t>(begin);
  if (begin > 0) std::nth_element(found.begin(), first, found.end(), is_before);
  std::partial_sort(first, first + static_cast<std::ptrdiff_t>(count), found.end(), is_before);
}

// Sets `by` to the bytes that were written in the last closed window.
void History::Impl::measure_lines(std::span<Candidate> found) const {
  const auto idle = std::partition(found.begin(), found.end(), [this](const Candidate& each) {
    return is_current(records[each.at]);
  });
  std::span<Candidate> rest(found.begin(), idle);
  std::ranges::sort(
      rest, {}, [this](const Candidate& each) { return place_in_snapshot(records[each.at].kind); });
  while (!rest.empty()) {
    const auto some = rest.first(std::min(lines_at_once, rest.size()));
    Snapshot snapshot;
    snapshot.span = span_of(closed);
    snapshot.percents = settings.percents;
    for (const Candidate& each : some) layout().restore(*records[each.at].record, snapshot);
    const std::vector<std::size_t> sizes = encoded_sizes(snapshot, settings.naming);
    for (std::size_t i = 0; i < some.size(); ++i) some[i].by = static_cast<double>(sizes[i]);
    rest = rest.subspan(some.size());
  }
}

History::Found History::find(const HistoryQuery& query) const {
  std::vector<Candidate> found = impl_->candidates(query);
  impl_->sort(found, query);
  Found result{.total = series(), .matched = found.size(), .rows = {}};
  const std::size_t end = std::min(found.size(), query.offset + query.limit);
  for (std::size_t at = query.offset; at < end; ++at)
    result.rows.push_back(impl_->row(impl_->records[found[at].at]));
  return result;
}

void History::each(const std::function<void(const Known&)>& visit) const {
  impl_->each_known(Impl::Reads::records, [&](const RecordedSeries& series, std::uint32_t) {
    const Record& record = *series.record;
    const RecordLayout::Totals totals = impl_->layout().totals(record);
    visit({.id = series.id,
           .key = record.key(),
           .is_current = impl_->is_current(series),
           .last = impl_->layout().last(record),
           .count = totals.count,
           .sum = totals.sum,
           .percentiles = impl_->layout().percentiles(record)});
  });
}

// ------------------------------------------------------------------------------ rankings

std::vector<History::Ranked> History::top_prefixes(std::size_t limit) const {
  std::vector<std::string_view> names;
  names.reserve(series());
  impl_->each_known(Impl::Reads::records, [&](const RecordedSeries& series, std::uint32_t) {
    names.push_back(series.record->name());
  });
  std::vector<Ranked> ranked;
  for (const RankedText& each : top_prefixes_of(names, limit, impl_->settings.hash_seed))
    ranked.push_back({std::string(each.text) + '*', each.value, {}});
  return ranked;
}

std::vector<History::Ranked> History::top_bytes(std::size_t limit) const {
  std::vector<Candidate> written;
  impl_->each_known(Impl::Reads::cells, [&](const RecordedSeries& series, std::uint32_t at) {
    if (impl_->is_current(series)) written.push_back({0, at});
  });
  impl_->measure_lines(written);
  TextSums sums(impl_->settings.hash_seed);
  for (const Candidate& each : written)
    sums.add(impl_->records[each.at].record->name(), static_cast<std::uint64_t>(each.by));
  std::vector<Ranked> ranked;
  for (const RankedText& each : sums.top(limit))
    ranked.push_back({std::string(each.text), each.value, {}});
  return ranked;
}

std::vector<History::Ranked> History::top_tags(std::size_t limit) const {
  TagValues tags(impl_->settings.hash_seed);
  impl_->each_known(Impl::Reads::records, [&](const RecordedSeries& series, std::uint32_t) {
    tags.add(series.record->key());
  });
  std::vector<Ranked> ranked;
  for (const RankedText& each : tags.top(limit))
    ranked.push_back({std::string(each.text), each.value, std::string(each.example)});
  return ranked;
}

// ------------------------------------------------------------------------------ in numbers

History::History(Settings settings) : impl_(std::make_unique<Impl>(std::move(settings))) {}
History::~History() = default;

const History::Settings& History::settings() const {
  return impl_->settings;
}
std::size_t History::series() const {
  return impl_->records.size();
}
std::size_t History::bytes() const {
  return impl_->records.bytes();
}
std::uint64_t History::left_out() const {
  return impl_->left_out_before;
}
std::optional<Span> History::last_window() const {
  if (impl_->closed == 0) return std::nullopt;
  return impl_->span_of(impl_->closed);
}

}  // namespace tally
