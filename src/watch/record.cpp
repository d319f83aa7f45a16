#include "watch/record.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <limits>

namespace tally {
namespace {

constexpr float nothing = std::numeric_limits<float>::quiet_NaN();

// Where the numbers of a timer are.
enum Exact : std::size_t { count, mean, min, max, sum, stddev, total_count, total_sum };

std::size_t name_size(std::string_view key) {
  return std::min(key.find('\0', 1), key.size()) - 1;
}

}  // namespace

RecordPointer RecordLayout::make(std::string_view key) const {
  void* const memory = std::malloc(block_size(key));
  if (memory == nullptr) std::abort();  // as operator new would end us
  RecordPointer record(std::construct_at(static_cast<Record*>(memory)));
  record->key_size = static_cast<std::uint16_t>(key.size());
  record->name_size = static_cast<std::uint16_t>(name_size(key));
  std::memcpy(static_cast<void*>(record.get() + 1), key.data(), key.size());
  std::fill_n(exact(*record), exact_count(record->kind()), 0.0);
  std::fill_n(row_at(*record, 0), rows * row_size(record->kind()), nothing);
  return record;
}

const double* RecordLayout::exact(const Record& record) const {
  return reinterpret_cast<const double*>(reinterpret_cast<const char*>(&record) +
                                         exact_offset(record.key_size));
}

double* RecordLayout::exact(Record& record) const {
  return const_cast<double*>(exact(std::as_const(record)));
}

float* RecordLayout::row_at(Record& record, std::size_t row) const {
  const Kind kind = record.kind();
  return reinterpret_cast<float*>(exact(record) + exact_count(kind)) + row * row_size(kind);
}

void RecordLayout::write(Record& record, std::size_t row, const Snapshot::Counter& point,
                         const Snapshot& /*whole*/) const {
  double* const out = exact(record);
  out[0] = point.count;
  out[1] = point.rate;
  out[2] += point.count;
  *row_at(record, row) = as_float(point.count);
}

void RecordLayout::write(Record& record, std::size_t row, const Snapshot::Gauge& point,
                         const Snapshot& /*whole*/) const {
  *exact(record) = point.value;
  *row_at(record, row) = as_float(point.value);
  record.idle = point.idle;
}

void RecordLayout::write(Record& record, std::size_t row, const Snapshot::Set& point,
                         const Snapshot& /*whole*/) const {
  *exact(record) = point.count;
  *row_at(record, row) = as_float(point.count);
}

void RecordLayout::write(Record& record, std::size_t row, const Snapshot::Timer& point,
                         const Snapshot& whole) const {
  assert(whole.percents.size() == percents_);
  const double* const percentiles = whole.percentiles.data() + point.first_percentile;
  double* out = exact(record);
  out[Exact::total_count] += point.count;
  out[Exact::total_sum] += point.sum;
  for (const double number :
       {point.count, point.mean, point.min, point.max, point.sum, point.stddev})
    *out++ = number;
  out = std::copy_n(percentiles, percents_, exact(record) + timer_numbers);
  if (details_) {
    *out++ = point.median;
    *out++ = point.sum_squares;
    for (std::size_t i = 0; i < percents_; ++i) {
      const Lowest& share = whole.lowest[point.first_percentile + i];
      for (const double number : {share.count, share.sum, share.sum_squares, share.upper})
        *out++ = number;
    }
  }
  float* at = row_at(record, row);
  for (const double number : {point.count, point.mean, point.max}) *at++ = as_float(number);
  std::transform(percentiles, percentiles + percents_, at, as_float);
}

void RecordLayout::write_nothing(Record& record, std::size_t row) const {
  std::fill_n(row_at(record, row), row_size(record.kind()), nothing);
}

std::span<const float> RecordLayout::row(const Record& record, std::size_t row) const {
  return {row_at(const_cast<Record&>(record), row), row_size(record.kind())};
}

void RecordLayout::restore(const Record& record, Snapshot& snapshot) const {
  const double* const in = exact(record);
  switch (record.kind()) {
    case Kind::counter:
      snapshot.counters.push_back({record.key(), in[0], in[1]});
      return;
    case Kind::gauge:
      snapshot.gauges.push_back({record.key(), in[0]});
      return;
    case Kind::set:
      snapshot.sets.push_back({record.key(), in[0]});
      return;
    default:
      restore_timer(record, snapshot);
  }
}

void RecordLayout::restore_timer(const Record& record, Snapshot& snapshot) const {
  const double* in = exact(record);
  snapshot.timers.push_back({.key = record.key(),
                             .count = in[Exact::count],
                             .mean = in[Exact::mean],
                             .min = in[Exact::min],
                             .max = in[Exact::max],
                             .sum = in[Exact::sum],
                             .stddev = in[Exact::stddev],
                             .first_percentile = snapshot.percentiles.size()});
  in += timer_numbers;
  snapshot.percentiles.insert(snapshot.percentiles.end(), in, in + percents_);
  if (!details_) return;
  in += percents_;
  snapshot.timers.back().median = *in++;
  snapshot.timers.back().sum_squares = *in++;
  for (std::size_t i = 0; i < percents_; ++i, in += 4)
    snapshot.lowest.push_back({in[0], in[1], in[2], in[3]});
}

double RecordLayout::last(const Record& record) const {
  return exact(record)[is_timer_like(record.kind()) ? Exact::mean : Exact::count];
}

double RecordLayout::heard(const Record& record) const {
  return record.kind() == Kind::gauge ? 0 : exact(record)[Exact::count];
}

RecordLayout::Totals RecordLayout::totals(const Record& record) const {
  const double* const in = exact(record);
  if (record.kind() == Kind::counter) return {.count = in[2], .sum = 0};
  if (!is_timer_like(record.kind())) return {};
  return {.count = in[Exact::total_count], .sum = in[Exact::total_sum]};
}

std::span<const double> RecordLayout::percentiles(const Record& record) const {
  if (!is_timer_like(record.kind())) return {};
  return {exact(record) + timer_numbers, percents_};
}

}  // namespace tally
