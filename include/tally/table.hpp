#pragma once
// Everything heard in one window, by series. One owner and one thread at a time; moved whole.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <variant>

#include "tally/distribution.hpp"
#include "tally/member_set.hpp"
#include "tally/sample.hpp"
#include "tally/scan.hpp"
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

/// What a window knows of one series; nothing of one that it has not heard.
using Aggregate =
    std::variant<Counter, Gauge, const Distribution*, const MemberSet*, std::monostate>;

/// When something was heard, and from whom.
struct Hearing {
  Hearing(Instant at = {}, std::uint16_t from = 0)
      : now(at), sender(from) {}  // implicit: by someone

  Instant now;           ///< orders the gauges of several tables
  std::uint16_t sender;  ///< as the window's Senders number them
};

/// What became of a sample.
enum class Added : std::uint8_t {
  created,  ///< first sample of its series in this window
  updated,
  series_limit,  ///< refused: as many series were heard as may be, and not this one
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
///
/// There are two ways in. `add` takes a parsed sample, builds the key of its series and looks it
/// up. `add_known` takes scanned lines whose spelling (kind, name and tags as they are written) was
/// parsed before, and so saves parsing and building. Many spellings can be one series:
/// `a:1|c|#x:1,y:2` and `a:1|c|#y:2,x:1`.
///
/// What was heard is the window's; series and spellings stay known to the windows behind it, as
/// long as most of them come again: a table may know twice as many as a window may hear.
class Table {
 public:
  /// `rules` must outlive the table.
  explicit Table(const TableRules& rules);
  ~Table();
  Table(Table&&) noexcept;
  Table& operator=(Table&&) noexcept;

  /// Adds one sample. `tags` are the sample's own. A sample with a `time` goes into a series of
  /// that second.
  /// REQUIRES: the sample is no event and no service check.
  Added add(const Sample& sample, std::span<const Tag> tags, const Hearing& hearing);

  /// Asks the memory for all that adding these lines will read, so that a table of a million series
  /// costs its cache misses side by side.
  void look_up(std::span<ScannedLine> lines) const;

  /// What `add_known` did with a batch of lines.
  struct AddedKnown {
    std::size_t lines;         ///< it went through, from the first on
    std::uint64_t overflowed;  ///< a bit for each of them, from the lowest on, that was refused:
                               ///< Added::overflow
  };
  static constexpr std::size_t batch_lines_max = 64;

  /// Adds lines from the first on to their series, up to one that is not simple, whose spelling is
  /// not known or that is beyond the limit: this goes the general way. REQUIRES: all went through
  /// `look_up`; at most `batch_lines_max`.
  AddedKnown add_known(std::span<const ScannedLine> lines, const Hearing& hearing);

  /// As `add` for a simple line without tags whose name `is_plain_name`. Its spelling is then
  /// known. REQUIRES: it went through `look_up`.
  Added add_plain(const ScannedLine& line, const Hearing& hearing);

  /// Makes a line's spelling known: it means the series that was added to since `add_known` gave
  /// up. Does nothing if there is none, or when there are many more spellings than series.
  /// REQUIRES: it went through `look_up`.
  void learn(const ScannedLine& line);

  /// Adds all that `other` heard, as if every sample had come here: commutative, associative, an
  /// empty table is neutral. Of a gauge set in both the later one stays, and a set beats deltas.
  /// The series limit does not hold here: what was accepted stays. `other` is left empty. `senders`
  /// says how its senders are numbered here (`Senders::merge`); without, they are not known.
  void merge(Table&& other, std::span<const std::uint16_t> senders = {});

  std::size_t size() const;  ///< series that were heard
  bool empty() const { return size() == 0; }

  /// Makes room for so many series in some microseconds: what the kernel has to give for it, it
  /// gives while they arrive. A table that knows more than a few is as it is. REQUIRES: empty.
  void reserve(std::size_t series);

  /// Makes room for so many series and touches it, so that neither is done while they arrive; gives
  /// back what a burst has left. Some milliseconds for a million. A table that knows more than
  /// a few is as it is. REQUIRES: empty.
  void expect(std::size_t series);

  /// Begins the next window: what was heard is gone. The series stay known if they are few, or
  /// if most of them, three in four, were heard; else memory is kept for a few only.
  void clear();

  /// What `clear` does, for the series of the first `count` places: so a flush can do it bit by
  /// bit, and give back their memory if they do not stay known. What they were must not be asked
  /// for any more; the table can only be cleared or destroyed.
  void release_first(std::size_t count);

  /// Forgets what was heard of the series at a place so far. What comes then counts.
  void forget(std::size_t place);

  /// One series and what was heard of it, if it was. The key is one of `SeriesKeyBuilder`.
  struct Entry {
    std::string_view key;
    Aggregate aggregate;
    std::uint16_t sender;  ///< who sent last
  };

  /// Where series stand, heard or not, by the order in which they became known.
  std::size_t places() const;

  /// The series at a place. Views are valid until the table changes. REQUIRES: place < places().
  Entry entry(std::size_t place) const;

  /// All that were heard, for a loop.
  class Entries;
  Entries entries() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The series of a table that were heard, as a range.
class Table::Entries {
 public:
  explicit Entries(const Table& table) : table_(table) {}

  class Iterator {
   public:
    Iterator(const Table& table, std::size_t at) : table_(&table), at_(at) { skip_unheard(); }
    Entry operator*() const { return table_->entry(at_); }
    Iterator& operator++() {
      ++at_;
      skip_unheard();
      return *this;
    }
    bool operator==(const Iterator& other) const { return at_ == other.at_; }

   private:
    void skip_unheard() {
      while (at_ < table_->places() &&
             std::holds_alternative<std::monostate>(table_->entry(at_).aggregate))
        ++at_;
    }

    const Table* table_;
    std::size_t at_;
  };

  Iterator begin() const { return {table_, 0}; }
  Iterator end() const { return {table_, table_.places()}; }
  std::size_t size() const { return table_.size(); }
  bool empty() const { return table_.empty(); }

 private:
  const Table& table_;
};

inline Table::Entries Table::entries() const {
  return Entries(*this);
}

}  // namespace tally
