#pragma once
// All series that are remembered, found by their keys, within a budget of bytes. Pure; one thread.
//
//     Buckets  hash -> number of a cell      buckets.hpp
//     Cells    [record, id, last, rate ..]   32 bytes a series: what sorting and forgetting look at
//     Record   a block each                  record.hpp
//
// A look-up goes through three places that are far away in memory, so a caller with many keys takes
// them together: `candidate` for all, then `prefetch` for all, then `find`.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "aggregate/buckets.hpp"
#include "aggregate/cells.hpp"
#include "aggregate/name_hash.hpp"
#include "watch/record.hpp"

namespace tally {

struct RecordedSeries {
  RecordPointer record;  ///< null: forgotten
  std::uint64_t id;      ///< SeriesId
  std::uint32_t hash;    ///< its low half
  std::uint32_t last;    ///< number of the last window that it was heard in
  float rate;            ///< values per second in that one
  Kind kind;
  bool is_own;  ///< `is_own_name`
};
static_assert(sizeof(RecordedSeries) == 32);

class Records {
 public:
  /// `hash_seed`: hidden from those who send, so that no one can aim at a bucket. 0 bytes take no
  /// memory at all.
  Records(RecordLayout layout, std::size_t bytes_max, std::uint64_t hash_seed)
      : layout_(layout), bytes_max_(bytes_max), hash_of_(hash_seed) {}

  const RecordLayout& layout() const { return layout_; }

  std::uint64_t hash(std::string_view key) const { return hash_of_(key, 0); }
  void prefetch_bucket(std::uint64_t hash) const {
    if (buckets_) __builtin_prefetch(buckets_->first(hash));
  }
  /// The number of the cell that is probably meant, which is asked for; 0: none.
  std::uint32_t candidate(std::uint64_t hash) const;
  /// Asks for the record of a candidate.
  void prefetch(std::uint32_t candidate, std::string_view key, std::size_t row) const;
  RecordedSeries* find(std::uint64_t hash, std::string_view key, std::uint32_t candidate);

  /// A new series; null if there is no room for it. REQUIRES: `find` did not find it.
  RecordedSeries* add(std::uint64_t hash, std::string_view key);

  /// Whether there was no room for the last one, and none was forgotten since: then a series
  /// without a candidate is not known, and would hardly be taken.
  bool is_full() const { return is_full_; }

  /// Forgets the series that were last heard before a window, or all that are meant: a look at each
  /// cell, 0.3 ms for 100,000. When a fifth of the index is of forgotten ones it is made anew: 10
  /// ms for 100,000 that stay, once for every 25,000 that went.
  void forget_before(std::uint32_t window);
  void forget_if(const std::function<bool(const RecordedSeries&)>& is_meant);

  /// By age, forgotten ones among them.
  std::size_t cells() const { return cells_.size(); }
  const RecordedSeries& operator[](std::size_t at) const { return cells_[at]; }

  std::size_t size() const { return size_; }  ///< series
  std::size_t bytes() const { return bytes_of_records_ + bytes_of_index(); }

 private:
  // A chunk of 16 KiB.
  using CellsOfSeries = Cells<RecordedSeries, 512>;

  template <class IsMeant>
  void forget(IsMeant is_meant);
  bool is(std::uint32_t number, std::string_view key) const;
  std::size_t bytes_of_index() const;
  std::size_t bytes_to_add(std::string_view key) const;
  void rebuild();

  RecordLayout layout_;
  std::size_t bytes_max_;
  NameHash hash_of_;
  std::optional<Buckets> buckets_;  // from the first series on
  CellsOfSeries cells_;             // number n is cells_[n - 1]
  std::size_t size_ = 0;
  std::size_t bytes_of_records_ = 0;
  bool is_full_ = false;
};

}  // namespace tally
