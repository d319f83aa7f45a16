// The hot half of aggregation. A slot is 8 bytes: 32 bits of hash and the number of a cell; a cell
// is one cache line that holds a series' state and, if it is short, its key. So a sample of a known
// series costs two cache lines, both asked for long before they are read (prefetch_*), no
// allocation and no look at the key but one comparison.
//
//     slots   [hash|cell] [hash|cell] ....       open addressing, linear probing, at most 3/4 full
//     series  [state|key] [state|key] ....       in the order of their first sample
//     spellings [->series|key] ....              other bytes that mean a series: tags, mostly
//
// Cells lie in chunks that never move, so a table that grows copies no cell and a flush can give
// the first ones back while it still reads the last.

#include "tally/table.hpp"

// The hash is worth inlining: names are short, and a call would cost as much as the hash.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "tally/parse.hpp"

namespace tally {
namespace {

// Between the name and the tags of a spelling: a byte that the key of a series cannot hold there.
constexpr char tags_mark = '\3';

// Memory for keys that are all forgotten at once, and the memory kept.
class KeyStore {
 public:
  char* take(std::size_t bytes) {
    assert(bytes <= chunk_bytes);
    if (used_ == 0 || chunk_bytes - filled_ < bytes) next_chunk();
    char* const at = chunks_[used_ - 1].get() + filled_;
    filled_ += bytes;
    return at;
  }
  void clear() {
    if (chunks_.size() > chunks_kept) chunks_.resize(chunks_kept);
    used_ = 0;
  }

 private:
  // Holds the longest key many times over: a key is series_bytes_max and a few renamed tags.
  static constexpr std::size_t chunk_bytes = 64 << 10;
  static constexpr std::size_t chunks_kept = 16;

  void next_chunk() {
    if (used_ == chunks_.size())
      chunks_.push_back(std::make_unique_for_overwrite<char[]>(chunk_bytes));
    ++used_;
    filled_ = 0;
  }

  std::vector<std::unique_ptr<char[]>> chunks_;
  std::size_t used_ = 0;    // chunks
  std::size_t filled_ = 0;  // bytes of the last used one
};

// memcmp as it is called costs more than it compares.
bool is_equal(const char* a, const char* b, std::size_t size) {
  const auto word = [](const char* at) {
    std::uint64_t value;
    std::memcpy(&value, at, sizeof value);
    return value;
  };
  if (size < 8) {
    for (std::size_t i = 0; i < size; ++i) {
      if (a[i] != b[i]) return false;
    }
    return true;
  }
  for (std::size_t i = 0; i + 8 < size; i += 8) {
    if (word(a + i) != word(b + i)) return false;
  }
  return word(a + size - 8) == word(b + size - 8);  // overlaps the words before
}

union State {
  double number;  // a counter's sum, a gauge's value
  Distribution* values;
  MemberSet* members;
  std::size_t number_of_series;  // of a spelling that only points
};

// One cache line. `key` is the kind and then the name (of a spelling: and tags_mark and tags); a
// longer one stands in the KeyStore, and `key` holds its kind and its address.
struct alignas(64) Cell {
  static constexpr std::size_t inline_bytes = 44;  // behind the kind

  State state;
  Instant set_at;        // of a gauge
  std::uint16_t size;    // of the key, without the kind
  bool is_set : 1;       // of a gauge
  bool is_spelling : 1;  // a line with these bytes means this series
  bool points : 1;       // it has no state of its own: it says which series
  char key[inline_bytes + 1];

  Kind kind() const { return static_cast<Kind>(key[0]); }
  const char* name() const { return is_long() ? address() + 1 : key + 1; }
  std::string_view full_key() const { return {is_long() ? address() : key, std::size_t{size} + 1}; }
  bool is_long() const { return size > inline_bytes; }
  const char* address() const {
    const char* at;
    std::memcpy(&at, key + 1, sizeof at);
    return at;
  }
  void set_address(const char* at) { std::memcpy(key + 1, &at, sizeof at); }
};
static_assert(sizeof(Cell) == 64);

// Cells in chunks that never move.
class Cells {
 public:
  static constexpr std::size_t chunk_cells = 4096;  // 256 KiB

  Cell& operator[](std::size_t at) { return chunks_[at / chunk_cells][at % chunk_cells]; }
  const Cell& operator[](std::size_t at) const {
    return chunks_[at / chunk_cells][at % chunk_cells];
  }
  Cell& add() {
    if (size_ == chunks_.size() * chunk_cells)
      chunks_.push_back(std::make_unique_for_overwrite<Cell[]>(chunk_cells));
    return (*this)[size_++];
  }
  std::size_t size() const { return size_; }
  void release(std::size_t chunk) { chunks_[chunk].reset(); }
  void clear() {
    chunks_.resize(std::min<std::size_t>(chunks_.size(), 1));
    if (!chunks_.empty() && chunks_[0] == nullptr) chunks_.clear();
    size_ = 0;
  }

 private:
  std::vector<std::unique_ptr<Cell[]>> chunks_;
  std::size_t size_ = 0;
};

// 0 is free; else a cell's number plus one, with the highest bit for a spelling.
struct Slot {
  std::uint32_t hash;
  std::uint32_t cell;
};
constexpr std::uint32_t spelling_bit = 1U << 31;

class Slots {
 public:
  Slots() { static_cast<void>(resize(slots_least)); }

  std::size_t first(std::uint64_t hash) const { return hash & mask_; }
  std::size_t next(std::size_t at) const { return (at + 1) & mask_; }
  const Slot& operator[](std::size_t at) const { return slots_.get()[at]; }

  void insert(std::uint64_t hash, std::uint32_t cell) {
    if (4 * (used_ + 1) > 3 * (mask_ + 1)) grow();
    put({.hash = static_cast<std::uint32_t>(hash), .cell = cell});
    ++used_;
  }
  // Keeps the size: the next window has as many series, more often than not.
  void clear() {
    if (mask_ < slots_kept) {
      std::fill_n(slots_.get(), mask_ + 1, Slot{});
    } else {
      static_cast<void>(resize(mask_ + 1));
    }
    used_ = 0;
  }
  std::size_t used() const { return used_; }

 private:
  static constexpr std::size_t slots_least = 1024;
  static constexpr std::size_t slots_kept = 64 << 10;

  struct Free {
    void operator()(Slot* slots) const { std::free(slots); }
  };
  using Array = std::unique_ptr<Slot, Free>;

  // calloc, because the kernel's fresh pages are zero already and are given as they are touched: a
  // large table is cleared at no cost to the thread that receives.
  Array resize(std::size_t count) {
    Array fresh(static_cast<Slot*>(std::calloc(count, sizeof(Slot))));
    if (fresh == nullptr) std::abort();  // as operator new would end us
    mask_ = count - 1;
    return std::exchange(slots_, std::move(fresh));
  }
  void grow() {
    const std::size_t count = mask_ + 1;
    const Array old = resize(2 * count);
    for (std::size_t i = 0; i < count; ++i) {
      if (old.get()[i].cell != 0) put(old.get()[i]);
    }
  }
  // The 32 bits that a slot keeps also say where it belongs, in any size.
  void put(Slot slot) {
    std::size_t at = first(slot.hash);
    while (slots_.get()[at].cell != 0) at = next(at);
    slots_.get()[at] = slot;
  }

  Array slots_;
  std::size_t mask_ = 0;
  std::size_t used_ = 0;
};

// One function a kind: adds a sample; false if a sum would overflow.
bool add_to_counter(Cell& cell, const Sample& sample) {
  const double sum = cell.state.number + sample.value / sample.rate;
  if (!std::isfinite(sum)) return false;
  cell.state.number = sum;
  return true;
}

bool add_to_gauge(Cell& cell, const Sample& sample, Instant now) {
  const double value = sample.is_delta ? cell.state.number + sample.value : sample.value;
  if (!std::isfinite(value)) return false;
  cell.state.number = value;
  if (!sample.is_delta) {
    cell.is_set = true;
    cell.set_at = now;
  }
  return true;
}

bool add_to(Cell& cell, const Sample& sample, Instant now) {
  switch (cell.kind()) {
    case Kind::counter:
      return add_to_counter(cell, sample);
    case Kind::gauge:
      return add_to_gauge(cell, sample, now);
    case Kind::set:
      cell.state.members->add(sample.member);
      return true;
    default:
      return cell.state.values->add(sample.value, 1 / sample.rate);
  }
}

void make_state(Cell& cell, const TableRules& rules) {
  const Kind kind = cell.kind();
  cell.is_set = false;
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
  if (is_timer_like(cell.kind())) std::unique_ptr<Distribution>(cell.state.values).reset();
  if (cell.kind() == Kind::set) std::unique_ptr<MemberSet>(cell.state.members).reset();
}

Aggregate aggregate_of(const Cell& cell) {
  switch (cell.kind()) {
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
  switch (cell.kind()) {
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
      : rules(table_rules), keys(table_rules.static_tags) {}
  ~Impl() { free_states(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::uint64_t hash_of(Kind kind, std::string_view name) const {
    // An odd number a kind, so that a counter and a timer of one name lie apart.
    const std::uint64_t seed = rules.hash_seed + (2 * static_cast<std::uint64_t>(kind) + 1);
    return XXH3_64bits_withSeed(name.data(), name.size(), seed);
  }

  // What a slot says of the first cell on the hash's way for which `matches(cell, points)` holds; 0
  // if there is none.
  template <class Matches>
  std::uint32_t find(std::uint64_t hash, Matches matches) {
    for (std::size_t at = slots.first(hash); slots[at].cell != 0; at = slots.next(at)) {
      if (slots[at].hash == static_cast<std::uint32_t>(hash) && matches(*cell_of(slots[at].cell)))
        return slots[at].cell;
    }
    return 0;
  }
  Cell* cell_of(std::uint32_t number) {
    if (number == 0) return nullptr;
    const bool is_series = (number & spelling_bit) == 0;
    return is_series ? &series[number - 1] : &spellings[(number & ~spelling_bit) - 1];
  }
  std::uint32_t find_series(std::uint64_t hash, Kind kind, std::string_view name) {
    return find(hash, [=](const Cell& cell) {
      return !cell.points && cell.size == name.size() && cell.kind() == kind &&
             is_equal(cell.name(), name.data(), name.size());
    });
  }
  Cell* find_spelling(const Spelling& spelling) {
    const std::string_view name = spelling.name, tags = spelling.tags;
    const std::size_t size = name.size() + (tags.empty() ? 0 : 1 + tags.size());
    Cell* const found = cell_of(find(spelling.hash, [=](const Cell& cell) {
      if (!cell.is_spelling || cell.size != size || cell.kind() != spelling.kind) return false;
      const char* const own = cell.name();
      if (!is_equal(own, name.data(), name.size())) return false;
      return tags.empty() || (own[name.size()] == tags_mark &&
                              is_equal(own + name.size() + 1, tags.data(), tags.size()));
    }));
    return found != nullptr && found->points ? &series[found->state.number_of_series] : found;
  }

  void fill(Cell& cell, Kind kind, std::string_view name, std::string_view tags) {
    const std::size_t size = name.size() + (tags.empty() ? 0 : 1 + tags.size());
    cell.size = static_cast<std::uint16_t>(size);
    char* key = cell.key;
    cell.key[0] = static_cast<char>(kind);
    if (cell.is_long()) {
      key = store.take(size + 1);
      key[0] = static_cast<char>(kind);
      cell.set_address(key);
    }
    name.copy(key + 1, name.size());
    if (tags.empty()) return;
    key[1 + name.size()] = tags_mark;
    tags.copy(key + 2 + name.size(), tags.size());
  }

  // Adds to the series, or makes it. Nothing is made if its first sample is refused.
  Added add(std::uint64_t hash, Kind kind, std::string_view name, const Sample& sample,
            Instant now) {
    if (Cell* const known = cell_of(find_series(hash, kind, name)))
      return add_to(*known, sample, now) ? Added::updated : Added::overflow;
    if (series.size() >= rules.series_max) return Added::series_limit;
    Cell first;
    first.key[0] = static_cast<char>(kind);
    make_state(first, rules);
    if (!add_to(first, sample, now)) {
      free_state(first);
      return Added::overflow;
    }
    new_series(hash, kind, name, first);
    return Added::created;
  }
  void new_series(std::uint64_t hash, Kind kind, std::string_view name, const Cell& state) {
    Cell& cell = series.add();
    cell.state = state.state;
    cell.set_at = state.set_at;
    cell.is_set = state.is_set;
    cell.is_spelling = false;
    cell.points = false;
    fill(cell, kind, name, {});
    slots.insert(hash, static_cast<std::uint32_t>(series.size()));
  }

  void free_states() {
    for (std::size_t i = released; i < series.size(); ++i) free_state(series[i]);
  }

  const TableRules& rules;
  SeriesKeyBuilder keys;
  KeyStore store;
  Slots slots;
  Cells series;
  Cells spellings;
  std::size_t released = 0;  // series whose memory was given back
};

Table::Table(const TableRules& rules) : impl_(std::make_unique<Impl>(rules)) {}
Table::~Table() = default;
Table::Table(Table&&) noexcept = default;
Table& Table::operator=(Table&&) noexcept = default;

Added Table::add(const Sample& sample, std::span<const Tag> tags, Instant now) {
  assert(!is_notice(sample.kind));
  const std::string_view name =
      impl_->keys.build(sample.kind, sample.name, tags, sample.time).substr(1);
  return impl_->add(impl_->hash_of(sample.kind, name), sample.kind, name, sample, now);
}

std::uint64_t Table::hash_of(Kind kind, std::string_view name, std::string_view tags) const {
  const std::uint64_t hash = impl_->hash_of(kind, name);
  return tags.empty() ? hash : XXH3_64bits_withSeed(tags.data(), tags.size(), hash);
}

void Table::prefetch_slot(std::uint64_t hash) const {
  __builtin_prefetch(&impl_->slots[impl_->slots.first(hash)]);
}

void Table::prefetch_series(std::uint64_t hash) const {
  const Slot& slot = impl_->slots[impl_->slots.first(hash)];
  if (slot.cell == 0) return;
  const std::size_t number = (slot.cell & ~spelling_bit) - 1;
  const bool is_spelling = (slot.cell & spelling_bit) != 0;
  __builtin_prefetch(is_spelling ? &impl_->spellings[number] : &impl_->series[number], 1);
}

std::optional<Added> Table::add_known(const Spelling& spelling, const Sample& sample, Instant now) {
  Cell* const known = impl_->find_spelling(spelling);
  if (known == nullptr) return std::nullopt;
  return add_to(*known, sample, now) ? Added::updated : Added::overflow;
}

Added Table::add_plain(const Spelling& spelling, const Sample& sample, Instant now) {
  const Added added = impl_->add(spelling.hash, spelling.kind, spelling.name, sample, now);
  if (added == Added::created) {
    impl_->series[impl_->series.size() - 1].is_spelling = true;
  } else if (added == Added::updated) {
    learn(spelling, sample, {});
  }
  return added;
}

void Table::learn(const Spelling& spelling, const Sample& sample, std::span<const Tag> tags) {
  Impl& impl = *impl_;
  const std::string_view name =
      impl.keys.build(sample.kind, sample.name, tags, sample.time).substr(1);
  const std::uint32_t number = impl.find_series(impl.hash_of(sample.kind, name), sample.kind, name);
  if (number == 0) return;
  if (spelling.tags.empty() && name == spelling.name) {
    impl.cell_of(number)->is_spelling = true;
    return;
  }
  const bool is_full = impl.spellings.size() >= impl.rules.series_max;
  if (is_full || spelling.name.size() + spelling.tags.size() > series_bytes_max) return;
  Cell& cell = impl.spellings.add();
  cell.is_spelling = true;
  cell.points = true;
  impl.fill(cell, spelling.kind, spelling.name, spelling.tags);
  cell.state.number_of_series = number - 1;
  impl.slots.insert(spelling.hash,
                    static_cast<std::uint32_t>(impl.spellings.size()) | spelling_bit);
}

void Table::merge(Table&& other) {
  Impl& theirs = *other.impl_;
  for (std::size_t i = 0; i < theirs.series.size(); ++i) {
    Cell& cell = theirs.series[i];
    const std::string_view name = cell.full_key().substr(1);
    const std::uint64_t hash = impl_->hash_of(cell.kind(), name);
    if (Cell* const known = impl_->cell_of(impl_->find_series(hash, cell.kind(), name))) {
      merge_into(*known, cell);
      continue;
    }
    impl_->new_series(hash, cell.kind(), name, cell);
    cell.key[0] = static_cast<char>(Kind::counter);  // its state has moved: nothing to free
  }
  other.clear();
}

std::size_t Table::size() const {
  return impl_->series.size();
}

Table::Entry Table::entry(std::size_t index) const {
  const Cell& cell = impl_->series[index];
  return {.key = cell.full_key(), .aggregate = aggregate_of(cell)};
}

void Table::release_first(std::size_t count) {
  Impl& impl = *impl_;
  const std::size_t chunks = count / Cells::chunk_cells;
  for (; impl.released / Cells::chunk_cells < chunks; impl.released += Cells::chunk_cells) {
    for (std::size_t i = 0; i < Cells::chunk_cells; ++i) free_state(impl.series[impl.released + i]);
    impl.series.release(impl.released / Cells::chunk_cells);
  }
}

void Table::clear() {
  impl_->free_states();
  impl_->released = 0;
  impl_->slots.clear();
  impl_->series.clear();
  impl_->spellings.clear();
  impl_->store.clear();
}

}  // namespace tally
