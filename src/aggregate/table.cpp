// The hot half of aggregation. A slot is 8 bytes: 32 bits of hash and the number of a cell; a cell
// is one cache line that holds a series' state and, if it is short, its key. So a sample of a known
// series costs two cache lines, both asked for long before they are read (look_up), no
// allocation and no look at the key but one comparison.
//
//     slots   [hash|cell] [hash|cell] ....       eight to a cache line, at most 3/4 full
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
#include <cstdlib>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#if defined(__SSE2__) && !defined(TALLY_NO_SIMD)
#include <emmintrin.h>
#endif

namespace tally {
namespace {

// Spellings are a convenience, and a sender can make up any number of them for one series: longer
// ones and more of them are parsed each time.
constexpr std::size_t spelling_bytes_max = 250;
constexpr std::size_t spellings_beside_series = 1024;

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

std::uint64_t word(const char* at) {
  std::uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// The hash of short names, in the manner of wyhash (Wang Yi, 2019): words are multiplied to 128
// bits and folded. Both factors are hidden by random words, so that no one who does not know them
// can choose bytes that make one zero, or names that meet in one bucket.
class NameHash {
 public:
  explicit NameHash(std::uint64_t seed) : first_(spread(seed)), second_(spread(first_)) {}

  [[gnu::always_inline]] std::uint64_t operator()(std::string_view name, std::uint64_t salt) const {
    const char* const at = name.data();
    const std::size_t size = name.size();
    std::uint64_t state = second_ + salt;
    if (size >= 16) {
      for (std::size_t i = 0; i + 16 < size; i += 16)
        state = fold(word(at + i) ^ first_, word(at + i + 8) ^ state);
      state = fold(word(at + size - 16) ^ first_, word(at + size - 8) ^ state);
    } else if (size >= 8) {
      state = fold(word(at) ^ first_, word(at + size - 8) ^ state);
    } else {
      std::uint64_t few = 0;
      std::memcpy(&few, at, size);
      state = fold(few ^ first_, state);
    }
    return fold(state ^ first_, second_ + size);
  }

 private:
  static std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }
  // splitmix64 (Steele, Lea and Flood 2014), which makes something of any seed.
  static std::uint64_t spread(std::uint64_t seed) {
    std::uint64_t x = seed + 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return (x ^ x >> 31) | 1;
  }
  __extension__ using Wide = unsigned __int128;

  std::uint64_t first_;
  std::uint64_t second_;
};

// memcmp as it is called costs more than it compares. Sixteen bytes at a time, the last sixteen
// overlapping those before: names of 16 to 32 bytes, which most are, meet no loop.
[[gnu::always_inline]] inline bool is_equal(const char* a, const char* b, std::size_t size) {
  const auto differ = [a, b](std::size_t at) {
    return (word(a + at) ^ word(b + at)) | (word(a + at + 8) ^ word(b + at + 8));
  };
  if (size >= 16) {
    std::uint64_t difference = differ(0) | differ(size - 16);
    for (std::size_t at = 16; at + 16 < size; at += 16) difference |= differ(at);
    return difference == 0;
  }
  if (size >= 8) return word(a) == word(b) && word(a + size - 8) == word(b + size - 8);
  for (std::size_t i = 0; i < size; ++i) {
    if (a[i] != b[i]) return false;
  }
  return true;
}

union State {
  double number;  // a counter's sum, a gauge's value
  Distribution* values;
  MemberSet* members;
};

// Bytes that stand in the cell if they are few, else in the KeyStore, and here their address.
template <std::size_t inline_bytes>
class Bytes {
 public:
  const char* data(std::size_t size) const {
    if (size <= inline_bytes) return bytes_;
    const char* at;
    std::memcpy(&at, bytes_, sizeof at);
    return at;
  }
  char* make(std::size_t size, KeyStore& store) {
    if (size <= inline_bytes) return bytes_;
    char* const at = store.take(size);
    std::memcpy(bytes_, &at, sizeof at);
    return at;
  }

 private:
  char bytes_[inline_bytes];
};

// A series in one cache line. Its key is a byte of kind and the name.
struct alignas(64) Cell {
  State state;
  Instant set_at;      // of a gauge
  std::uint16_t size;  // of the key
  Kind kind;
  bool is_set : 1;       // of a gauge
  bool is_spelling : 1;  // a line with these bytes means this series
  Bytes<44> key;

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

// Cells in chunks that never move.
template <class Any>
class Cells {
 public:
  static constexpr std::size_t chunk_cells = 4096;  // 256 KiB of series

  // Without the library's checks, which are a tenth of what a sample costs. REQUIRES: at < size().
  Any& operator[](std::size_t at) {
    return chunks_.data()[at / chunk_cells].get()[at % chunk_cells];
  }
  const Any& operator[](std::size_t at) const {
    return chunks_.data()[at / chunk_cells].get()[at % chunk_cells];
  }
  Any& add() {
    if (size_ == chunks_.size() * chunk_cells)
      chunks_.push_back(std::make_unique_for_overwrite<Any[]>(chunk_cells));
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
  std::vector<std::unique_ptr<Any[]>> chunks_;
  std::size_t size_ = 0;
};

// Eight slots in one cache line. A slot is 32 bits of hash and a cell's number plus one (0 is
// free), with the highest bit for a spelling. Slots are filled from the first on and never freed,
// so a bucket whose last slot is free ends the search. Comparing all eight at once leaves no branch
// to be guessed wrong, as a walk from slot to slot would.
constexpr std::uint32_t spelling_bit = 1U << 31;

struct alignas(64) Bucket {
  static constexpr std::size_t slots = 8;

  std::uint32_t hash[slots];
  std::uint32_t cell[slots];

  // One bit for each slot with this hash; of free ones too, if it is 0.
  unsigned equal(std::uint32_t wanted) const {
#if defined(__SSE2__) && !defined(TALLY_NO_SIMD)
    const __m128i value = _mm_set1_epi32(static_cast<int>(wanted));
    const auto half = [&](std::size_t at) {
      const __m128i hashes = _mm_load_si128(reinterpret_cast<const __m128i*>(hash + at));
      return static_cast<unsigned>(
          _mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(hashes, value))));
    };
    return half(0) | half(4) << 4;
#else
    unsigned mask = 0;
    for (unsigned i = 0; i < slots; ++i) mask |= static_cast<unsigned>(hash[i] == wanted) << i;
    return mask;
#endif
  }
  bool is_full() const {
    return cell[slots - 1] != 0;
  }
  std::size_t first_free() const {
    std::size_t at = 0;
    while (cell[at] != 0) ++at;
    return at;
  }
};
static_assert(sizeof(Bucket) == 64);

// Buckets, at most 3/4 full.
class Buckets {
 public:
  Buckets() { static_cast<void>(resize(buckets_least)); }

  std::size_t first(std::uint64_t hash) const { return hash & mask_; }
  std::size_t next(std::size_t at) const { return (at + 1) & mask_; }
  const Bucket& operator[](std::size_t at) const { return buckets_.get()[at]; }

  void insert(std::uint64_t hash, std::uint32_t cell) {
    if (4 * (used_ + 1) > 3 * Bucket::slots * (mask_ + 1)) grow();
    put(static_cast<std::uint32_t>(hash), cell);
    ++used_;
  }
  // REQUIRES: empty.
  void expect(std::size_t count) {
    std::size_t wanted = mask_ + 1;
    while (4 * count > 3 * Bucket::slots * wanted) wanted *= 2;
    if (wanted > mask_ + 1) static_cast<void>(resize(wanted));
  }
  // Keeps the size: the next window has as many series, more often than not.
  void clear() {
    if (mask_ < buckets_kept) {
      std::fill_n(buckets_.get(), mask_ + 1, Bucket{});
    } else {
      static_cast<void>(resize(mask_ + 1));
    }
    used_ = 0;
  }

 private:
  static constexpr std::size_t buckets_least = 64;
  static constexpr std::size_t buckets_kept = 8 << 10;

  // Zeroed and on a cache line, which calloc alone does not promise: it is asked for one more.
  class Array {
   public:
    Array() = default;
    explicit Array(std::size_t count) : memory_(std::calloc(count + 1, sizeof(Bucket))) {
      if (memory_ == nullptr) std::abort();  // as operator new would end us
      void* at = memory_.get();
      std::size_t room = (count + 1) * sizeof(Bucket);
      first_ = static_cast<Bucket*>(std::align(alignof(Bucket), count * sizeof(Bucket), at, room));
    }
    Bucket* get() const { return first_; }

   private:
    struct Free {
      void operator()(void* memory) const { std::free(memory); }
    };
    std::unique_ptr<void, Free> memory_;
    Bucket* first_ = nullptr;
  };

  // calloc, because the kernel's fresh pages are zero already and are given as they are touched: a
  // large table is cleared at no cost to the thread that receives.
  Array resize(std::size_t count) {
    Array fresh(count);
    mask_ = count - 1;
    return std::exchange(buckets_, std::move(fresh));
  }
  void grow() {
    const std::size_t count = mask_ + 1;
    const Array old = resize(2 * count);
    for (std::size_t at = 0; at < count; ++at) {
      const Bucket& bucket = old.get()[at];
      for (std::size_t i = 0; i < Bucket::slots && bucket.cell[i] != 0; ++i)
        put(bucket.hash[i], bucket.cell[i]);
    }
  }
  // The 32 bits that a slot keeps also say where it belongs, in any size.
  void put(std::uint32_t hash, std::uint32_t cell) {
    std::size_t at = first(hash);
    while ((*this)[at].is_full()) at = next(at);
    Bucket& bucket = buckets_.get()[at];
    const std::size_t slot = bucket.first_free();
    bucket.hash[slot] = hash;
    bucket.cell[slot] = cell;
  }

  Array buckets_;
  std::size_t mask_ = 0;
  std::size_t used_ = 0;  // slots
};

// What a line or a sample adds to its series.
struct Heard {
  double value;
  double rate;
  bool is_delta;
  std::string_view member;
};

// One function a kind: adds what was heard; false if a sum would overflow.
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

[[gnu::always_inline]] inline bool add_to(Cell& cell, const Heard& heard, Instant now) {
  switch (cell.kind) {
    case Kind::counter:
      return add_to_counter(cell, heard);
    case Kind::gauge:
      return add_to_gauge(cell, heard, now);
    case Kind::set:
      cell.state.members->add(heard.member);
      return true;
    default:
      return cell.state.values->add(heard.value, 1 / heard.rate);
  }
}

Heard heard_of(const Sample& sample) {
  return {sample.value, sample.rate, sample.is_delta, sample.member};
}

Heard heard_of(const ScannedLine& line) {
  return {line.value, line.rate, line.is_delta, line.member()};
}

void make_state(Cell& cell, const TableRules& rules) {
  const Kind kind = cell.kind;
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
  if (is_timer_like(cell.kind)) std::unique_ptr<Distribution>(cell.state.values).reset();
  if (cell.kind == Kind::set) std::unique_ptr<MemberSet>(cell.state.members).reset();
}

Aggregate aggregate_of(const Cell& cell) {
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
    for (std::size_t at = buckets.first(hash);; at = buckets.next(at)) {
      const Bucket& bucket = buckets[at];
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
    const Bucket& bucket = buckets[buckets.first(hash)];
    const unsigned equal = bucket.equal(static_cast<std::uint32_t>(hash));
    return equal == 0 ? 0 : bucket.cell[std::countr_zero(equal)];
  }
  void prefetch(std::uint32_t number) const {
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

  static Added update(Cell& cell, const Heard& heard, Instant now) {
    return add_to(cell, heard, now) ? Added::updated : Added::overflow;
  }

  // Adds to the series, or makes it. Nothing is made if its first sample is refused.
  Added add(std::uint64_t hash, Kind kind, std::string_view name, const Heard& heard, Instant now) {
    last_added = number_of(hash, kind, name);
    if (last_added != 0) return update(series[last_added - 1], heard, now);
    if (series.size() >= rules.series_max) return Added::series_limit;
    Cell first;
    first.kind = kind;
    make_state(first, rules);
    if (!add_to(first, heard, now)) {
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
    cell.is_set = state.is_set;
    cell.is_spelling = false;
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

Added Table::add(const Sample& sample, std::span<const Tag> tags, Instant now) {
  assert(!is_notice(sample.kind));
  const std::string_view name =
      impl_->keys.build(sample.kind, sample.name, tags, sample.time).substr(1);
  return impl_->add(impl_->hash_of(sample.kind, name), sample.kind, name, heard_of(sample), now);
}

// Two turns, so that all slots are under way before the first is needed, and then all series.
void Table::look_up(std::span<ScannedLine> lines) const {
  const Impl& impl = *impl_;
  for (ScannedLine& line : lines) {
    const std::uint64_t hash = impl.hash_of(line.kind, line.name());
    line.hash = line.tags_size == 0 ? hash : impl.name_hash(line.tags(), hash);
    __builtin_prefetch(&impl.buckets[impl.buckets.first(line.hash)]);
  }
  for (ScannedLine& line : lines) {
    line.candidate = impl.candidate(line.hash);
    impl.prefetch(line.candidate);
  }
}

std::size_t Table::add_known(std::span<const ScannedLine> lines, Instant now) {
  std::size_t added = 0;
  for (const ScannedLine& line : lines) {
    Cell* const known = impl_->find_spelling(line);
    if (known == nullptr || !add_to(*known, heard_of(line), now)) {
      impl_->last_added = 0;  // what `learn` may refer to comes now, if it comes
      break;
    }
    ++added;
  }
  return added;
}

Added Table::add_plain(const ScannedLine& line, Instant now) {
  const Added added = impl_->add(line.hash, line.kind, line.name(), heard_of(line), now);
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

void Table::merge(Table&& other) {
  Impl& theirs = *other.impl_;
  for (std::size_t i = 0; i < theirs.series.size(); ++i) {
    Cell& cell = theirs.series[i];
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
  return {.key = cell.full_key(), .aggregate = aggregate_of(cell)};
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
