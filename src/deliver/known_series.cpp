// An open-addressed array of hashes, probed linearly from a home that is proportional to the hash:
// so it can grow by a half, and 0.53 to 0.8 of it is in use. A deletion moves those behind it up.

#include "deliver/known_series.hpp"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <utility>

#include "deliver/body.hpp"

namespace tally {

KnownSeries::KnownSeries(std::size_t series_max, std::uint64_t seed)
    : series_max_(series_max), seed_(seed), slots_(16) {}

void KnownSeries::learn(std::string_view body) {
  if (!learns_) return;
  // A slot of a large set is far away: sixteen are fetched at a time, not one after the other.
  std::array<std::uint64_t, 16> batch;
  std::size_t count = 0;
  const auto insert_batch = [&] {
    for (std::size_t i = 0; i < count; ++i) insert(batch[i]);
    count = 0;
  };
  for_each_line(body, [&](std::string_view line) {
    batch[count] = hash_of(line);
    __builtin_prefetch(&slots_[home_of(batch[count])]);
    if (++count == batch.size()) insert_batch();
  });
  insert_batch();
}

void KnownSeries::forget(std::string_view body) {
  for_each_line(body, [this](std::string_view line) { erase(hash_of(line)); });
}

bool KnownSeries::knows(std::string_view line) const {
  return slots_[slot_of(hash_of(line))] != 0;
}

/// Never 0, which marks an empty slot.
std::uint64_t KnownSeries::hash_of(std::string_view line) const {
  const std::string_view series = series_of(line);
  return std::max<std::uint64_t>(1, XXH3_64bits_withSeed(series.data(), series.size(), seed_));
}

std::size_t KnownSeries::home_of(std::uint64_t hash) const {
  return static_cast<std::size_t>((hash >> 32) * slots_.size() >> 32);
}

/// Where the hash is, or the empty slot where it would be.
std::size_t KnownSeries::slot_of(std::uint64_t hash) const {
  std::size_t at = home_of(hash);
  while (slots_[at] != 0 && slots_[at] != hash) at = next(at);
  return at;
}

void KnownSeries::insert(std::uint64_t hash) {
  const std::size_t at = slot_of(hash);
  if (slots_[at] == hash) return;
  if (size_ >= series_max_) {
    ++not_learned_;
    return;
  }
  slots_[at] = hash;
  ++size_;
  if (size_ * 5 > slots_.size() * 4) grow();
}

void KnownSeries::erase(std::uint64_t hash) {
  std::size_t hole = slot_of(hash);
  if (slots_[hole] == 0) return;
  --size_;
  for (std::size_t at = next(hole); slots_[at] != 0; at = next(at)) {
    const std::size_t home = home_of(slots_[at]);
    const bool is_behind_hole =
        hole < at ? hole < home && home <= at : hole < home || home <= at;  // it may wrap around
    if (is_behind_hole) continue;
    slots_[hole] = slots_[at];
    hole = at;
  }
  slots_[hole] = 0;
}

void KnownSeries::grow() {
  const std::vector<std::uint64_t> old =
      std::exchange(slots_, std::vector<std::uint64_t>(slots_.size() * 3 / 2));
  for (const std::uint64_t hash : old) {
    if (hash != 0) slots_[slot_of(hash)] = hash;
  }
}

}  // namespace tally
