#include "watch/records.hpp"

#include <xxhash.h>

#include <bit>
#include <utility>

namespace tally {
namespace {

/// Calls `is_it` with the number in each slot of that hash until it says yes; that number, else 0.
template <class Is>
std::uint32_t search(const Buckets& buckets, std::uint64_t hash, Is is_it) {
  for (const Bucket* at = buckets.first(hash);; at = buckets.next(at)) {
    for (unsigned equal = at->equal(static_cast<std::uint32_t>(hash)); equal != 0;
         equal &= equal - 1) {
      const std::uint32_t number = at->cell[std::countr_zero(equal)];
      if (number != 0 && is_it(number)) return number;
    }
    if (!at->is_full()) return 0;
  }
}

}  // namespace

std::uint32_t Records::candidate(std::uint64_t hash) const {
  if (!buckets_) return 0;
  const std::uint32_t number = search(*buckets_, hash, [](std::uint32_t) { return true; });
  if (number != 0) __builtin_prefetch(&cells_[number - 1], 1);
  return number;
}

void Records::prefetch(std::uint32_t candidate, std::string_view key, std::size_t row) const {
  if (candidate == 0) return;
  const Record* const record = cells_[candidate - 1].record.get();
  if (record != nullptr) layout_.prefetch(record, key, row);
}

bool Records::is(std::uint32_t number, std::string_view key) const {
  const Record* const record = cells_[number - 1].record.get();
  return record != nullptr && record->key_size == key.size() &&
         is_equal(record->key().data(), key.data(), key.size());
}

RecordedSeries* Records::find(std::uint64_t hash, std::string_view key, std::uint32_t candidate) {
  if (candidate != 0 && is(candidate, key)) return &cells_[candidate - 1];
  // Also without a candidate: it may have come since.
  if (!buckets_) return nullptr;
  const std::uint32_t number =
      search(*buckets_, hash, [&](std::uint32_t other) { return is(other, key); });
  return number == 0 ? nullptr : &cells_[number - 1];
}

RecordedSeries* Records::add(std::uint64_t hash, std::string_view key) {
  const std::size_t needed = bytes_to_add(key);
  is_full_ = bytes_max_ < needed || bytes() > bytes_max_ - needed;
  if (is_full_) return nullptr;
  if (!buckets_) buckets_.emplace();
  RecordedSeries& series = cells_.add();
  series.record = layout_.make(key);
  series.id = XXH3_64bits(key.data(), key.size());
  series.hash = static_cast<std::uint32_t>(hash);
  series.kind = series.record->kind();
  series.is_own = is_own_name(series.record->name());
  buckets_->insert(hash, static_cast<std::uint32_t>(cells_.size()));
  bytes_of_records_ += layout_.bytes(key);
  ++size_;
  return &series;
}

std::size_t Records::bytes_of_index() const {
  constexpr std::size_t chunk = malloc_bytes(CellsOfSeries::chunk_cells * sizeof(RecordedSeries));
  constexpr std::size_t pointer = 2 * sizeof(void*);  // to a chunk, in a vector that doubles
  return (buckets_ ? malloc_bytes(buckets_->bytes()) : 0) + cells_.chunks() * (chunk + pointer);
}

std::size_t Records::bytes_to_add(std::string_view key) const {
  constexpr std::size_t chunk = CellsOfSeries::chunk_cells * sizeof(RecordedSeries);
  constexpr std::size_t rounding = 64;
  std::size_t bytes = layout_.bytes(key);
  bytes += buckets_ ? buckets_->bytes_to_insert() : Buckets().bytes() + rounding;
  if (cells_.size() == cells_.chunks() * CellsOfSeries::chunk_cells) bytes += chunk + rounding;
  return bytes;
}

void Records::forget_before(std::uint32_t window) {
  forget([window](const RecordedSeries& series) { return series.last < window; });
}

void Records::forget_if(const std::function<bool(const RecordedSeries&)>& is_meant) {
  forget(is_meant);
}

template <class IsMeant>
void Records::forget(IsMeant is_meant) {
  for (std::size_t at = 0; at < cells_.size(); ++at) {
    RecordedSeries& series = cells_[at];
    if (series.record == nullptr || !is_meant(series)) continue;
    bytes_of_records_ -= layout_.bytes(series.record->key());
    series.record.reset();
    --size_;
    is_full_ = false;
  }
  if (5 * (cells_.size() - size_) > cells_.size()) rebuild();
}

// The index cannot take out, so it is made anew of those that are left, in their order.
void Records::rebuild() {
  std::size_t kept = 0;
  for (std::size_t at = 0; at < cells_.size(); ++at) {
    if (cells_[at].record == nullptr) continue;
    if (kept != at) cells_[kept] = std::move(cells_[at]);
    ++kept;
  }
  cells_.shrink(kept);
  if (kept == 0) return buckets_.reset();
  buckets_->clear();
  buckets_->expect(kept);
  for (std::size_t at = 0; at < kept; ++at)
    buckets_->insert(cells_[at].hash, static_cast<std::uint32_t>(at + 1));
}

}  // namespace tally
