// The hot half of aggregation. A slot is 8 bytes: 32 bits of hash and the number of a cell; a cell
// is one cache line that holds a series' state and, if it is short, its key. So a sample of a known
// series costs two cache lines, both asked for long before they are read (look_up), no
// allocation and no look at the key but one comparison.
//
//     slots   [hash|cell] [hash|cell] ....       eight to a cache line (buckets.hpp)
//     series  [state|key] [state|key] ....       in the order of their first sample
//     spellings [->series|key] ....              other bytes that mean a series: tags, mostly
//
// Cells lie in chunks that never move, so a table that grows copies no cell and a flush can give
// the first ones back while it still reads the last.

#include "tally/table.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <limits>
#include <utility>

#include "buckets.hpp"
#include "cells.hpp"
#include "name_hash.hpp"

namespace tally {
namespace {

// The highest bit of a slot's number: it means a spelling.
constexpr std::uint32_t spelling_bit = 1U << 31;

// Spellings are a convenience, and a sender can make up any number of them for one series: longer
// ones and more of them are parsed each time.
constexpr std::size_t spelling_bytes_max = 250;
constexpr std::size_t spellings_beside_series = 1024;

union State {
  double number;  // a counter's sum, a gauge's value
  Distribution* values;
  MemberSet* members;
};

// A series in one cache line. Its key is a byte of kind and the name.
struct alignas(64) Cell {
  State state;
  Instant set_at;        // of a gauge
  std::uint16_t size;    // of the key
  std::uint16_t sender;  // who sent last
  Kind kind;
  bool is_set : 1;        // of a gauge
  bool is_spelling : 1;   // a line with these bytes means this series
  bool is_forgotten : 1;  // what it held was; it may hold something again
  Bytes<42> key;

  std::string_view full_key() const { return {key.data(size), size}; }
};
static_assert(sizeof(Cell) == 64);

// What a line may say for a series: name and tags.
struct alignas(64) SpellingCell {
  std::uint32_t series;
  std::uint16_t size;  // of the key
  std::uint16_t name_size;
  Kind kind;
  Bytes<119> key;
};
static_assert(sizeof(SpellingCell) == 128);

// What a line or a sample adds to its series.
struct Heard {
  double value;
  double rate;
  bool is_delta;
  std::string_view member;
};

// One function each: adds what was heard; false if a sum would overflow.
[[gnu::always_inline]] inline bool add_to_counter(Cell& cell, const Heard& heard) {
  // Most are not sampled, and a division takes as long as all the rest.
  const double value = heard.rate == 1 ? heard.value : heard.value / heard.rate;
  const double sum = cell.state.number + value;
  if (!std::isfinite(sum)) return false;
  cell.state.number = sum;
  return true;
}

bool add_to_gauge(Cell& cell, const Heard& heard, Instant now) {
  const double value = heard.is_delta ? cell.state.number + heard.value : heard.value;
  if (!std::isfinite(value)) return false;
  cell.state.number = value;
  if (!heard.is_delta) {
    cell.is_set = true;
    cell.set_at = now;
  }
  return true;
}

[[gnu::always_inline]] inline bool add_to_timer(Cell& cell, const Heard& heard) {
  return cell.state.values->add(heard.value, heard.rate == 1 ? 1 : 1 / heard.rate);
}

bool add_to_set(Cell& cell, const Heard& heard) {
  cell.state.members->add(heard.member);
  return true;
}

[[gnu::always_inline]] inline bool add_to(Cell& cell, const Heard& heard, Instant now) {
  switch (cell.kind) {
    case Kind::counter:
      return add_to_counter(cell, heard);
    case Kind::gauge:
      return add_to_gauge(cell, heard, now);
    case Kind::set:
      return add_to_set(cell, heard);
    default:
      return add_to_timer(cell, heard);
  }
}

Heard heard_of(const Sample& sample) {
  return {sample.value, sample.rate, sample.is_delta, sample.member};
}

Heard heard_of(const ScannedLine& line) {
  return {line.value, line.rate, line.is_delta, line.member()};
}

// The known lines of a batch by what they add to, and then a loop for each: where kinds come at
// random, a switch a line is guessed wrong half of the time, and what lies behind a timer or a set
// is asked for before it is needed. A mix of all kinds takes a seventh less (workload C).
class ByKind {
 public:
  void add(Cell& cell, const ScannedLine& line) {
    const std::size_t loop = loop_of_kind[static_cast<std::size_t>(line.kind)];
    known_[loop][sizes_[loop]++] = {&cell, &line};
  }

  // Adds them to their series. Returns a bit for each line, from `first` on, that would have made a
  // sum overflow.
  std::uint64_t apply(const ScannedLine* first, const Hearing& hearing) {
    std::uint64_t overflowed = 0;
    const auto note = [&](const Known& at, bool is_added) {
      if (is_added) [[likely]] {
        at.cell->sender = hearing.sender;
      } else {
        overflowed |= std::uint64_t{1} << (at.line - first);
      }
    };
    for (const Known& at : all(counters)) note(at, add_to_counter(*at.cell, heard_of(*at.line)));
    for (const Known& at : all(gauges))
      note(at, add_to_gauge(*at.cell, heard_of(*at.line), hearing.now));
    for (const Known& at : all(timers)) prefetch(at.cell->state.values);
    for (const Known& at : all(timers)) at.cell->state.values->prefetch();
    for (const Known& at : all(timers)) note(at, add_to_timer(*at.cell, heard_of(*at.line)));
    for (const Known& at : all(sets)) prefetch(at.cell->state.members);
    for (const Known& at : all(sets)) note(at, add_to_set(*at.cell, heard_of(*at.line)));
    return overflowed;
  }

 private:
  struct Known {
    Cell* cell;
    const ScannedLine* line;
  };
  enum Loop : std::uint8_t { counters, gauges, timers, sets, loops };
  static constexpr Loop loop_of_kind[kind_count] = {counters, gauges, timers, timers, timers, sets};

  std::span<const Known> all(Loop loop) const { return {known_[loop], sizes_[loop]}; }

  // Objects of malloc's lie across two lines, more often than not.
  template <class Any>
  [[gnu::always_inline]] static void prefetch(const Any* object) {
    __builtin_prefetch(object, 1);
    __builtin_prefetch(reinterpret_cast<const char*>(object + 1) - 1, 1);
  }

  // Apart from the lines, which are not initialised: clearing 4 KB would cost a packet of one line
  // as much as all the rest.
  std::uint32_t sizes_[loops] = {};
  Known known_[loops][Table::batch_lines_max];
};

void make_state(Cell& cell, const TableRules& rules) {
  const Kind kind = cell.kind;
  cell.is_set = false;
  cell.is_forgotten = false;
  cell.set_at = {};
  if (is_timer_like(kind)) {
    cell.state.values = std::make_unique<Distribution>().release();
  } else if (kind == Kind::set) {
    cell.state.members =
        std::make_unique<MemberSet>(rules.set_members_exact, rules.hash_seed).release();
  } else {
    cell.state.number = 0;
  }
}

void free_state(Cell& cell) {
  if (is_timer_like(cell.kind)) std::unique_ptr<Distribution>(cell.state.values).reset();
  if (cell.kind == Kind::set) std::unique_ptr<MemberSet>(cell.state.members).reset();
}

// Whether nothing was heard since it was forgotten.
bool is_blank(const Cell& cell) {
  if (!cell.is_forgotten) return false;
  if (is_timer_like(cell.kind)) return cell.state.values->empty();
  if (cell.kind == Kind::set) return cell.state.members->count() == 0;
  return !cell.is_set && cell.state.number == 0;
}

Aggregate aggregate_of(const Cell& cell) {
  if (is_blank(cell)) return std::monostate();
  switch (cell.kind) {
    case Kind::counter:
      return Counter{cell.state.number};
    case Kind::gauge:
      return Gauge{cell.state.number, cell.is_set, cell.set_at};
    case Kind::set:
      return cell.state.members;
    default:
      return cell.state.values;
  }
}

// Each side is finite, their sum may not be. Held to the range, or Inf and -Inf would merge to NaN.
double merged_sum(double a, double b) {
  constexpr double largest = std::numeric_limits<double>::max();
  return std::clamp(a + b, -largest, largest);
}

void merge_gauge(Cell& gauge, const Cell& other) {
  if (!gauge.is_set && !other.is_set) {
    gauge.state.number = merged_sum(gauge.state.number, other.state.number);
    return;
  }
  const auto order = [](const Cell& cell) { return std::pair(cell.set_at, cell.state.number); };
  if (gauge.is_set && !(other.is_set && order(other) > order(gauge))) return;
  gauge.state = other.state;
  gauge.is_set = other.is_set;
  gauge.set_at = other.set_at;
}

// Adds what another table knows of the same series.
void merge_into(Cell& cell, const Cell& other) {
  switch (cell.kind) {
    case Kind::counter:
      cell.state.number = merged_sum(cell.state.number, other.state.number);
      break;
    case Kind::gauge:
      merge_gauge(cell, other);
      break;
    case Kind::set:
      cell.state.members->merge(*other.state.members);
      break;
    default:
      cell.state.values->merge(*other.state.values);
  }
}

}  // namespace

struct Table::Impl {
  explicit Impl(const TableRules& table_rules)
      : rules(table_rules), name_hash(table_rules.hash_seed), keys(table_rules.static_tags) {}
  ~Impl() { free_states(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // The kind is part of it, so that a counter and a timer of one name lie apart.
  std::uint64_t hash_of(Kind kind, std::string_view name) const {
    return name_hash(name, static_cast<std::uint64_t>(kind) << 8);
  }

  // The number in the first slot on the hash's way for which `matches(number)` holds; 0 if none.
  template <class Matches>
  std::uint32_t find(std::uint64_t hash, Matches matches) const {
    for (const Bucket* at = buckets.first(hash);; at = buckets.next(at)) {
      const Bucket& bucket = *at;
      unsigned equal = bucket.equal(static_cast<std::uint32_t>(hash));
      for (; equal != 0; equal &= equal - 1) {
        const std::uint32_t number = bucket.cell[std::countr_zero(equal)];
        if (number != 0 && matches(number)) return number;
      }
      if (!bucket.is_full()) return 0;
    }
  }
  // The number in the first slot with this hash; 0 if the first bucket has none.
  std::uint32_t candidate(std::uint64_t hash) const {
    const Bucket& bucket = *buckets.first(hash);
    const unsigned equal = bucket.equal(static_cast<std::uint32_t>(hash));
    return equal == 0 ? 0 : bucket.cell[std::countr_zero(equal)];
  }
  // gcc takes what only prefetches for a function without effect, and drops calls of it: so each
  // such function of the receive path is always inlined.
  [[gnu::always_inline]] void prefetch(std::uint32_t number) const {
    if (number == 0) return;
    if (!is_spelling(number)) return __builtin_prefetch(&series[number - 1], 1);
    const SpellingCell& cell = spelling_of(number);
    __builtin_prefetch(&cell);
    __builtin_prefetch(reinterpret_cast<const char*>(&cell) + 64);
  }
  static bool is_spelling(std::uint32_t number) { return (number & spelling_bit) != 0; }
  const SpellingCell& spelling_of(std::uint32_t number) const {
    return spellings[(number & ~spelling_bit) - 1];
  }

  // The place of a series plus one; 0 if there is none.
  std::uint32_t number_of(std::uint64_t hash, Kind kind, std::string_view name) const {
    return find(hash, [&](std::uint32_t candidate) {
      return !is_spelling(candidate) && is_named(series[candidate - 1], kind, name);
    });
  }
  static bool is_named(const Cell& cell, Kind kind, std::string_view name) {
    return cell.size == name.size() + 1 && cell.kind == kind &&
           is_equal(cell.key.data(cell.size) + 1, name.data(), name.size());
  }
  Cell* find_series(std::uint64_t hash, Kind kind, std::string_view name) {
    const std::uint32_t number = number_of(hash, kind, name);
    return number == 0 ? nullptr : &series[number - 1];
  }

  bool is_meant(std::uint32_t number, const ScannedLine& line) const {
    if (is_spelling(number)) return is_spelled(spelling_of(number), line);
    const Cell& cell = series[number - 1];
    return cell.is_spelling && line.tags_size == 0 && is_named(cell, line.kind, line.name());
  }
  // The candidate is right but for one time in four billion, and for a spelling that was not known
  // when it was looked for. One that is not simple has no name, and no series is without.
  Cell* find_spelling(const ScannedLine& line) {
    std::uint32_t number = line.candidate;
    if (number == 0 || !is_meant(number, line)) [[unlikely]]
      number = find(line.hash, [&](std::uint32_t other) { return is_meant(other, line); });
    if (number == 0) return nullptr;
    return &series[is_spelling(number) ? spelling_of(number).series : number - 1];
  }
  static bool is_spelled(const SpellingCell& cell, const ScannedLine& line) {
    const std::string_view name = line.name(), tags = line.tags();
    if (cell.size != name.size() + tags.size() || cell.name_size != name.size() ||
        cell.kind != line.kind)
      return false;
    const char* const own = cell.key.data(cell.size);
    return is_equal(own, name.data(), name.size()) &&
           is_equal(own + name.size(), tags.data(), tags.size());
  }

  static Added update(Cell& cell, const Heard& heard, const Hearing& hearing) {
    if (!add_to(cell, heard, hearing.now)) return Added::overflow;
    cell.sender = hearing.sender;
    return Added::updated;
  }

  // Adds to the series, or makes it. Nothing is made if its first sample is refused.
  Added add(std::uint64_t hash, Kind kind, std::string_view name, const Heard& heard,
            const Hearing& hearing) {
    last_added = number_of(hash, kind, name);
    if (last_added != 0) return update(series[last_added - 1], heard, hearing);
    if (series.size() >= rules.series_max) return Added::series_limit;
    Cell first;
    first.kind = kind;
    make_state(first, rules);
    first.sender = hearing.sender;
    if (!add_to(first, heard, hearing.now)) {
      free_state(first);
      return Added::overflow;
    }
    new_series(hash, kind, name, first);
    last_added = static_cast<std::uint32_t>(series.size());
    return Added::created;
  }
  void new_series(std::uint64_t hash, Kind kind, std::string_view name, const Cell& state) {
    Cell& cell = series.add();
    cell.state = state.state;
    cell.set_at = state.set_at;
    cell.sender = state.sender;
    cell.is_set = state.is_set;
    cell.is_spelling = false;
    cell.is_forgotten = state.is_forgotten;
    cell.kind = kind;
    cell.size = static_cast<std::uint16_t>(name.size() + 1);
    char* const key = cell.key.make(cell.size, store);
    key[0] = static_cast<char>(kind);
    name.copy(key + 1, name.size());
    buckets.insert(hash, static_cast<std::uint32_t>(series.size()));
  }

  void free_states() {
    for (std::size_t i = released; i < series.size(); ++i) free_state(series[i]);
  }

  const TableRules& rules;
  const NameHash name_hash;
  SeriesKeyBuilder keys;
  KeyStore store;
  Buckets buckets;
  Cells<Cell> series;
  Cells<SpellingCell> spellings;
  std::uint32_t last_added = 0;  // number of the series that `learn` is about; 0: of none
  std::size_t released = 0;      // series whose memory was given back
};

Table::Table(const TableRules& rules) : impl_(std::make_unique<Impl>(rules)) {}
Table::~Table() = default;
Table::Table(Table&&) noexcept = default;
Table& Table::operator=(Table&&) noexcept = default;

Added Table::add(const Sample& sample, std::span<const Tag> tags, const Hearing& hearing) {
  assert(!is_notice(sample.kind));
  const std::string_view name =
      impl_->keys.build(sample.kind, sample.name, tags, sample.time).substr(1);
  return impl_->add(impl_->hash_of(sample.kind, name), sample.kind, name, heard_of(sample),
                    hearing);
}

// Two turns, so that all slots are under way before the first is needed, and then all series.
void Table::look_up(std::span<ScannedLine> lines) const {
  const Impl& impl = *impl_;
  for (ScannedLine& line : lines) {
    const std::uint64_t hash = impl.hash_of(line.kind, line.name());
    line.hash = line.tags_size == 0 ? hash : impl.name_hash(line.tags(), hash);
    __builtin_prefetch(impl.buckets.first(line.hash));
  }
  for (ScannedLine& line : lines) {
    line.candidate = impl.candidate(line.hash);
    impl.prefetch(line.candidate);
  }
}

Table::AddedKnown Table::add_known(std::span<const ScannedLine> lines, const Hearing& hearing) {
  assert(lines.size() <= batch_lines_max);
  ByKind known;
  const ScannedLine* const first = lines.data();
  const ScannedLine* const end = first + lines.size();
  const ScannedLine* line = first;
  for (; line != end; ++line) {
    Cell* const series = impl_->find_spelling(*line);
    if (series == nullptr) {
      impl_->last_added = 0;  // what `learn` may refer to comes now, if it comes
      break;
    }
    known.add(*series, *line);
  }
  return {.lines = static_cast<std::size_t>(line - first),
          .overflowed = known.apply(first, hearing)};
}

Added Table::add_plain(const ScannedLine& line, const Hearing& hearing) {
  const Added added = impl_->add(line.hash, line.kind, line.name(), heard_of(line), hearing);
  learn(line);
  return added;
}

void Table::learn(const ScannedLine& line) {
  Impl& impl = *impl_;
  if (impl.last_added == 0) return;
  Cell& series = impl.series[impl.last_added - 1];
  if (line.tags_size == 0 && Impl::is_named(series, line.kind, line.name())) {
    series.is_spelling = true;
    return;
  }
  const bool is_full = impl.spellings.size() >= impl.series.size() + spellings_beside_series;
  const std::string_view name = line.name(), tags = line.tags();
  const std::size_t size = name.size() + tags.size();
  if (is_full || size > spelling_bytes_max) return;
  SpellingCell& cell = impl.spellings.add();
  cell.series = impl.last_added - 1;
  cell.kind = line.kind;
  cell.size = static_cast<std::uint16_t>(size);
  cell.name_size = static_cast<std::uint16_t>(name.size());
  char* const key = cell.key.make(size, impl.store);
  name.copy(key, name.size());
  tags.copy(key + name.size(), tags.size());
  impl.buckets.insert(line.hash, static_cast<std::uint32_t>(impl.spellings.size()) | spelling_bit);
}

void Table::merge(Table&& other, std::span<const std::uint16_t> senders) {
  Impl& theirs = *other.impl_;
  for (std::size_t i = 0; i < theirs.series.size(); ++i) {
    Cell& cell = theirs.series[i];
    cell.sender = cell.sender < senders.size() ? senders[cell.sender] : 0;
    const std::string_view name = cell.full_key().substr(1);
    const std::uint64_t hash = impl_->hash_of(cell.kind, name);
    if (Cell* const known = impl_->find_series(hash, cell.kind, name)) {
      merge_into(*known, cell);
      continue;
    }
    impl_->new_series(hash, cell.kind, name, cell);
    cell.kind = Kind::counter;  // its state has moved: nothing to free
  }
  other.clear();
}

std::size_t Table::size() const {
  return impl_->series.size();
}

Table::Entry Table::entry(std::size_t index) const {
  const Cell& cell = impl_->series[index];
  return {.key = cell.full_key(), .aggregate = aggregate_of(cell), .sender = cell.sender};
}

void Table::forget(std::size_t index) {
  Cell& cell = impl_->series[index];
  free_state(cell);
  make_state(cell, impl_->rules);
  cell.is_forgotten = true;
}

void Table::reserve(std::size_t series) {
  assert(empty());
  impl_->buckets.reserve(series);
}

void Table::expect(std::size_t series) {
  assert(empty());
  impl_->buckets.expect(series);
}

void Table::release_first(std::size_t count) {
  Impl& impl = *impl_;
  const std::size_t chunks = count / Cells<Cell>::chunk_cells;
  for (; impl.released / Cells<Cell>::chunk_cells < chunks;
       impl.released += Cells<Cell>::chunk_cells) {
    for (std::size_t i = 0; i < Cells<Cell>::chunk_cells; ++i)
      free_state(impl.series[impl.released + i]);
    impl.series.release(impl.released / Cells<Cell>::chunk_cells);
  }
}

void Table::clear() {
  impl_->free_states();
  impl_->released = 0;
  impl_->last_added = 0;
  impl_->buckets.clear();
  impl_->series.clear();
  impl_->spellings.clear();
  impl_->store.clear();
}

}  // namespace tally
