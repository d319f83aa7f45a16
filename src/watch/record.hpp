#pragma once
// What is remembered of one series, in one block of memory. Pure.
//
//     [ Record | key | exact numbers of its last window: doubles | 61 rows of floats ]
//
//                 exact                                                         a row
//     counter     count rate; total                                             count
//     gauge       value                                                         value
//     set         count                                                         count
//     timer-like  count mean min max sum stddev; totals of count and sum;       count mean max
//                 percentiles; where details are written: median,               percentiles
//                 sum of squares, lowest shares
//
// The row of window n is n mod 61: one more than are shown, for the one that is being written.
// Where in a block something is follows from the kind and the size of the key, so that a block can
// be asked for before it is read.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <span>
#include <string_view>

#include "tally/peer.hpp"
#include "tally/sample.hpp"
#include "tally/snapshot.hpp"

namespace tally {

/// What `malloc(bytes)` takes of memory: glibc's eight bytes of its own, in steps of sixteen.
constexpr std::size_t malloc_bytes(std::size_t bytes) {
  return (bytes + 8 + 15) / 16 * 16;
}

/// For charts and for sorting. What a float cannot hold is at its edge; NaN stays.
inline float as_float(double value) {
  constexpr double largest = std::numeric_limits<float>::max();
  return static_cast<float>(std::clamp(value, -largest, largest));
}

/// The front of a block.
struct Record {
  std::chrono::milliseconds idle{0};  ///< of a gauge, in its last window
  Peer sender;
  std::uint16_t key_size = 0;
  std::uint16_t name_size = 0;
  bool has_sender = false;

  std::string_view key() const { return {reinterpret_cast<const char*>(this + 1), key_size}; }
  std::string_view name() const { return key().substr(1, name_size); }
  Kind kind() const { return static_cast<Kind>(key().front()); }
};

struct FreeRecord {
  void operator()(Record* record) const { std::free(record); }
};
using RecordPointer = std::unique_ptr<Record, FreeRecord>;

/// Makes, writes and reads blocks.
class RecordLayout {
 public:
  static constexpr std::size_t rows = 61;

  /// `percents`: how many percentiles a timer has. `details`: `CarryRules::details`.
  RecordLayout(std::size_t percents, bool details) : percents_(percents), details_(details) {}

  /// What a block for this key takes of memory.
  std::size_t bytes(std::string_view key) const { return malloc_bytes(block_size(key)); }

  /// A block in which nothing was heard yet.
  RecordPointer make(std::string_view key) const;

  /// Asks the memory for what `write` reads and writes. REQUIRES: a block made for a key of this
  /// kind and size; any other's is asked for in vain.
  [[gnu::always_inline]] void prefetch(const Record* record, std::string_view key,
                                       std::size_t row) const {
    const char* const at = reinterpret_cast<const char*>(record);
    const Kind kind = static_cast<Kind>(key.front());
    const std::size_t exact_at = exact_offset(key.size());
    __builtin_prefetch(at, 1);
    __builtin_prefetch(at + exact_at, 1);
    __builtin_prefetch(
        at + exact_at + sizeof(double) * exact_count(kind) + sizeof(float) * row * row_size(kind),
        1);
  }

  /// Writes a point as the last window's and as that row. `whole` is the point's snapshot.
  void write(Record& record, std::size_t row, const Snapshot::Counter& point,
             const Snapshot& whole) const;
  void write(Record& record, std::size_t row, const Snapshot::Gauge& point,
             const Snapshot& whole) const;
  void write(Record& record, std::size_t row, const Snapshot::Set& point,
             const Snapshot& whole) const;
  void write(Record& record, std::size_t row, const Snapshot::Timer& point,
             const Snapshot& whole) const;
  /// Not heard in that row's window.
  void write_nothing(Record& record, std::size_t row) const;

  /// Floats of a row, in the order above.
  std::span<const float> row(const Record& record, std::size_t row) const;

  /// Adds the point of the last window to a snapshot, exactly as it was in its own.
  void restore(const Record& record, Snapshot& snapshot) const;

  /// Of the last window: what a list shows (counter: count; gauge: value; set: count; timers:
  /// mean), and how many values were heard (of a gauge it is not known: 0).
  double last(const Record& record) const;
  double heard(const Record& record) const;

  /// Since the series is known: what a counter counted; a timer's count and sum of values; 0 of
  /// others.
  struct Totals {
    double count = 0;
    double sum = 0;
  };
  Totals totals(const Record& record) const;
  /// Of a timer, in its last window.
  std::span<const double> percentiles(const Record& record) const;

 private:
  static constexpr std::size_t timer_numbers = 8;  // before the percentiles

  static std::size_t exact_offset(std::size_t key_size) {
    return (sizeof(Record) + key_size + sizeof(double) - 1) / sizeof(double) * sizeof(double);
  }
  std::size_t exact_count(Kind kind) const {
    if (kind == Kind::counter) return 3;
    if (!is_timer_like(kind)) return 1;
    return timer_numbers + percents_ + (details_ ? 2 + 4 * percents_ : 0);
  }
  std::size_t row_size(Kind kind) const { return is_timer_like(kind) ? 3 + percents_ : 1; }

  std::size_t block_size(std::string_view key) const {
    const Kind kind = static_cast<Kind>(key.front());
    return exact_offset(key.size()) + sizeof(double) * exact_count(kind) +
           sizeof(float) * rows * row_size(kind);
  }

  double* exact(Record& record) const;
  const double* exact(const Record& record) const;
  float* row_at(Record& record, std::size_t row) const;
  void restore_timer(const Record& record, Snapshot& snapshot) const;

  std::size_t percents_;
  bool details_;
};

}  // namespace tally
