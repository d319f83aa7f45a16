#pragma once
// Everything heard in one window, by series. One owner and one thread at a time; moved whole.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "tally/distribution.hpp"
#include "tally/member_set.hpp"
#include "tally/sample.hpp"
#include "tally/series.hpp"
#include "tally/time.hpp"

namespace tally {

/// The sum of value / rate over the samples.
struct Counter {
  double sum = 0;
};

/// A gauge: the last value set (with the deltas that came behind it), or deltas only, to be added
/// to what the gauge was before the window.
struct Gauge {
  double value = 0;  ///< the value if `is_set`, else the sum of deltas
  bool is_set = false;
  Instant set_at{};  ///< when it was set; decides between tables of several workers
};

/// What a window knows of one series.
using Aggregate =
    std::variant<Counter, Gauge, std::unique_ptr<Distribution>, std::unique_ptr<MemberSet>>;

/// What became of a sample.
enum class Added : std::uint8_t {
  created,  ///< first sample of its series in this window
  updated,
  series_limit,  ///< refused: the table is full and the series is new
  overflow,      ///< refused: the sum would leave the range of a double; the series is as before
};

struct TableRules {
  std::size_t series_max = 1'000'000;
  std::size_t set_members_exact = 4096;
  std::uint64_t hash_seed =
      0;  ///< random per process, equal in all its tables: no one can aim at a bucket
  std::vector<StaticTag> static_tags;
};

/// Samples by series. `add` is O(1) whatever the sample's rate.
class Table {
 public:
  /// `rules` must outlive the table.
  explicit Table(const TableRules& rules);
  ~Table();
  Table(Table&&) noexcept;
  Table& operator=(Table&&) noexcept;

  /// Adds one sample. `tags` are the sample's own; `now` orders the gauges of several tables.
  /// REQUIRES: the sample is no event and no service check.
  Added add(const Sample& sample, std::span<const Tag> tags, Instant now);

  /// Adds all that `other` heard, as if every sample had come here: commutative, associative, an
  /// empty table is neutral. Of a gauge set in both the later one stays, and a set beats deltas.
  /// The series limit does not hold here: what was accepted stays. `other` is left empty.
  void merge(Table&& other);

  std::size_t size() const;  ///< series
  bool empty() const { return size() == 0; }

  /// Forgets everything and keeps the memory for the next window.
  void clear();

  /// One series and what was heard of it. The key is one of `SeriesKeyBuilder`.
  struct Entry {
    std::string_view key;
    Aggregate aggregate;
  };

  /// All series, in the order of their first sample. Valid until the table changes.
  std::span<const Entry> entries() const;

 private:
  struct Impl;  // keeps the hash map's library out of this header
  std::unique_ptr<Impl> impl_;
};

}  // namespace tally
