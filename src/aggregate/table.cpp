// The hot half of aggregation. A slot is 8 bytes: 32 bits of hash and the number of a cell; a cell
// is one cache line that holds a series' state and, if it is short, its key. So a sample of a known
// series costs two cache lines, both asked for long before they are read (look_up), no
// allocation and no look at the key but one comparison.
//
//     slots   [hash|cell] [hash|cell] ....       eight to a cache line (buckets.hpp)
//     series  [state|key] [state|key] ....       in the order in which they became known
//     spellings [->series|key] ....              other bytes that mean a series: tags, mostly
//
// Cells lie in chunks that never move, so a table that grows copies no cell and a flush can give
// the first ones back while it still reads the last.
//
// Series outlive their window, for most come again in the next: there they are not heard until
// their first sample, which finds its cell as any other does: a million of them cost half of the
// 0.1 s and more that making them anew takes of each window. A table of which too many do not come
// again starts from nothing (keeps_known).

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

// So few series stay known whatever was heard of them: they take no memory to speak of.
constexpr std::size_t few_series = 1024;

union State {
  double number;  // a counter's sum, a gauge's value
  Distribution* values;
  MemberSet* members;
};

// What a series is but for its name, and how it stands: one word, so that a line is held against
// all of it at once.
class Form {
 public:
  enum Mark : std::uint32_t {
    spelling = 1U << 8,  // a line with these bytes means this series
    heard = 1U << 9,     // in this window, and not forgotten since
    set = 1U << 10,      // of a gauge
  };

  Form() = default;
  Form(Kind kind, std::size_t key_size)
      : word_(static_cast<std::uint32_t>(word_of(kind, key_size))) {}

  Kind kind() const { return static_cast<Kind>(word_ & 0xff); }
  std::size_t key_size() const { return word_ >> 16; }
  bool has(Mark mark) const { return (word_ & mark) != 0; }
  void give(Mark mark) { word_ |= mark; }
  void take(Mark mark) { word_ &= ~std::uint32_t{mark}; }

  bool is_of(Kind kind, std::size_t key_size) const {
    return word_of(kind, key_size) == (word_ & ~marks);
  }
  // Whether a line of this kind and key size may be a sample of it, and not the window's first.
  bool is_heard_as(Kind kind, std::size_t key_size) const {
    return (word_of(kind, key_size) | spelling | heard) == (word_ & ~std::uint32_t{set});
  }

 private:
  static constexpr std::uint32_t marks = spelling | heard | set;
  // In 64 bits: what a line may have for its name can be longer than any key.
  static std::uint64_t word_of(Kind kind, std::size_t key_size) {
    return static_cast<std::uint64_t>(kind) | static_cast<std::uint64_t>(key_size) << 16;
  }

  std::uint32_t word_;
};

// A series in one cache line. Its key is a byte of kind and the name.
struct alignas(64) Cell {
  State state;     // only of one that was heard
  Instant set_at;  // of a gauge
  Form form;
  std::uint16_t sender;  // who sent last
  Bytes<42> key;

  Kind kind() const { return form.kind(); }
  bool is_heard() const { return form.has(Form::heard); }
  bool is_set() const { return form.has(Form::set); }
  std::string_view full_key() const { return {key.data(form.key_size()), form.key_size()}; }
  std::string_view name() const { return full_key().substr(1); }
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
    cell.form.give(Form::set);
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
  switch (cell.kind()) {
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
  ByKind() = default;
  ByKind(const ByKind&) = delete;
  ByKind& operator=(const ByKind&) = delete;

  void add(Cell& cell, const ScannedLine& line) {
    *ends_[loop_of_kind[static_cast<std::size_t>(line.kind)]]++ = {&cell, &line};
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

  std::span<const Known> all(Loop loop) const { return {known_[loop], ends_[loop]}; }

  // Objects of malloc's lie across two lines, more often than not.
  template <class Any>
  [[gnu::always_inline]] static void prefetch(const Any* object) {
    __builtin_prefetch(object, 1);
    __builtin_prefetch(reinterpret_cast<const char*>(object + 1) - 1, 1);
  }

  // Not initialised: clearing 4 KB would cost a packet of one line as much as all the rest.
  Known known_[loops][Table::batch_lines_max];
  Known* ends_[loops] = {known_[counters], known_[gauges], known_[timers], known_[sets]};
};

void make_state(Cell& cell, const TableRules& rules) {
  const Kind kind = cell.kind();
  cell.form.take(Form::set);
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
  if (!cell.is_heard()) return;
  if (is_timer_like(cell.kind())) std::unique_ptr<Distribution>(cell.state.values).reset();
  if (cell.kind() == Kind::set) std::unique_ptr<MemberSet>(cell.state.members).reset();
}

Aggregate aggregate_of(const Cell& cell) {
  if (!cell.is_heard()) return std::monostate();
  switch (cell.kind()) {
    case Kind::counter:
      return Counter{cell.state.number};
    case Kind::gauge:
      return Gauge{cell.state.number, cell.is_set(), cell.set_at};
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
  if (!gauge.is_set() && !other.is_set()) {
    gauge.state.number = merged_sum(gauge.state.number, other.state.number);
    return;
  }
  const auto order = [](const Cell& cell) { return std::pair(cell.set_at, cell.state.number); };
  if (gauge.is_set() && !(other.is_set() && order(other) > order(gauge))) return;
  gauge.state = other.state;
  if (other.is_set()) gauge.form.give(Form::set);  // if this one is, the other is
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
      : rules(table_rules), hash_by_words(table_rules.hash_seed), keys(table_rules.static_tags) {}
  ~Impl() { silence_up_to(series.size()); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // The kind is part of it, so that a counter and a timer of one name lie apart.
  static std::uint64_t salt_of(Kind kind) { return static_cast<std::uint64_t>(kind) << 8; }
  std::uint64_t hash_of(Kind kind, std::string_view name) const {
#ifdef TALLY_X86
    if (has_aes) return hash_by_aes(name, salt_of(kind));
#endif
    return hash_by_words(name, salt_of(kind));
  }

  // Two turns, so that all slots are under way before the first is needed, and then all series.
  [[gnu::always_inline]] void look_up(std::span<ScannedLine> lines) const {
    for (ScannedLine& line : lines) {
      const std::uint64_t hash = hash_by_words(line.name(), salt_of(line.kind));
      line.hash = line.tags_size == 0 ? hash : hash_by_words(line.tags(), hash);
      __builtin_prefetch(buckets.first(line.hash));
    }
    for (ScannedLine& line : lines) {
      const Bucket& bucket = *buckets.first(line.hash);
      line.candidate = bucket.number_at(bucket.equal(static_cast<std::uint32_t>(line.hash)));
      prefetch(line.candidate);
    }
  }
#ifdef TALLY_X86
  // The same with what newer processors have: workloads B and E take a twelfth less. Written out,
  // for what is inlined into a function of this target must be of the same.
  [[gnu::target("aes,avx2,bmi")]] void look_up_by_aes(std::span<ScannedLine> lines) const {
    for (ScannedLine& line : lines) {
      const std::uint64_t hash = hash_by_aes.inlined(line.name(), salt_of(line.kind));
      line.hash = line.tags_size == 0 ? hash : hash_by_aes.inlined(line.tags(), hash);
      __builtin_prefetch(buckets.first(line.hash));
    }
    for (ScannedLine& line : lines) {
      const Bucket& bucket = *buckets.first(line.hash);
      line.candidate =
          bucket.number_at(bucket.equal_by_avx2(static_cast<std::uint32_t>(line.hash)));
      prefetch(line.candidate);
    }
  }
#endif

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
  // gcc takes what only prefetches for a function without effect, and drops calls of it: so each
  // such function of the receive path is always inlined.
  [[gnu::always_inline]] void prefetch(std::uint32_t number) const {
    if (number == 0) return;
    if (!is_spelling(number)) return __builtin_prefetch(&series[number - 1], 1);
    const SpellingCell& cell = spelling_of(number);
    __builtin_prefetch(&cell);
    __builtin_prefetch(reinterpret_cast<const char*>(&cell) + 64);
  }
  static bool is_spelling(std::uint32_t number) {
    return (number & spelling_bit) != 0;
  }
  const SpellingCell& spelling_of(std::uint32_t number) const {
    return spellings[(number & ~spelling_bit) - 1];
  }

  // The place of a series plus one; 0 if there is none.
  std::uint32_t number_of(std::uint64_t hash, Kind kind, std::string_view name) const {
    return find(hash, [&](std::uint32_t candidate) {
      return !is_spelling(candidate) && is_named(series[candidate - 1], kind, name);
    });
  }
  [[gnu::always_inline]] static bool is_named(const Cell& cell, Kind kind, std::string_view name) {
    return cell.form.is_of(kind, name.size() + 1) && has_name(cell, name);
  }
  [[gnu::always_inline]] static bool has_name(const Cell& cell, std::string_view name) {
    return is_equal(cell.key.data(name.size() + 1) + 1, name.data(), name.size());
  }
  Cell* find_series(std::uint64_t hash, Kind kind, std::string_view name) {
    const std::uint32_t number = number_of(hash, kind, name);
    return number == 0 ? nullptr : &series[number - 1];
  }

  bool is_meant(std::uint32_t number, const ScannedLine& line) const {
    if (is_spelling(number)) return is_spelled(spelling_of(number), line);
    const Cell& cell = series[number - 1];
    return cell.form.has(Form::spelling) && line.tags_size == 0 &&
           is_named(cell, line.kind, line.name());
  }
  // The series of nearly all lines: the candidate's, which the window has heard. Null if it is not:
  // one time in four billion, or for a spelling that was not known when it was looked for, or for
  // the first sample in the window.
  [[gnu::always_inline]] Cell* find_heard(const ScannedLine& line) {
    const std::uint32_t number = line.candidate;
    if (number == 0) return nullptr;
    if (is_spelling(number)) {
      const SpellingCell& spelling = spelling_of(number);
      Cell& cell = series[spelling.series];
      return is_spelled(spelling, line) && cell.is_heard() ? &cell : nullptr;
    }
    Cell& cell = series[number - 1];
    const std::string_view name = line.name();
    const bool may_be = cell.form.is_heard_as(line.kind, name.size() + 1) && line.tags_size == 0;
    return may_be && has_name(cell, name) ? &cell : nullptr;
  }
  // The series that a line is known to mean, heard or not; null if it is not known. A line that is
  // not simple has no name, and no series is without.
  Cell* find_spelling(const ScannedLine& line) {
    const std::uint32_t number =
        find(line.hash, [&](std::uint32_t other) { return is_meant(other, line); });
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

  // Adds to the series, or makes it. Nothing is made if its first sample is refused. Only what was
  // added is there for `learn`: a line that is refused again and again has but one spelling.
  Added add(std::uint64_t hash, Kind kind, std::string_view name, const Heard& heard,
            const Hearing& hearing) {
    const std::uint32_t known = number_of(hash, kind, name);
    const Added added = known != 0 ? add_to_known(series[known - 1], heard, hearing)
                                   : add_new(hash, kind, name, heard, hearing);
    const bool is_added = added == Added::created || added == Added::updated;
    last_added = !is_added ? 0 : known != 0 ? known : static_cast<std::uint32_t>(series.size());
    return added;
  }
  Added add_to_known(Cell& cell, const Heard& heard, const Hearing& hearing) {
    return cell.is_heard() ? update(cell, heard, hearing) : add_first(cell, heard, hearing);
  }
  Added add_new(std::uint64_t hash, Kind kind, std::string_view name, const Heard& heard,
                const Hearing& hearing) {
    // Those that were not heard, or were forgotten, take memory too.
    if (series.size() >= 2 * rules.series_max) return Added::series_limit;
    Cell cell;
    cell.form = Form(kind, name.size() + 1);
    const Added added = add_first(cell, heard, hearing);
    if (added == Added::created) new_series(hash, kind, name, cell);
    return added;
  }
  // The first sample that a series has in the window. One that is refused leaves it unheard.
  [[gnu::noinline]] Added add_first(Cell& cell, const Heard& heard, const Hearing& hearing) {
    if (heard_series >= rules.series_max) return Added::series_limit;
    make_state(cell, rules);
    cell.form.give(Form::heard);
    if (!add_to(cell, heard, hearing.now)) {
      silence(cell);
      return Added::overflow;
    }
    cell.sender = hearing.sender;
    ++heard_series;
    return Added::created;
  }
  static void silence(Cell& cell) {
    free_state(cell);
    cell.form.take(Form::heard);
  }
  void new_series(std::uint64_t hash, Kind kind, std::string_view name, const Cell& state) {
    Cell& cell = series.add();
    cell.form = Form(kind, name.size() + 1);
    take_state(cell, state);
    char* const key = cell.key.make(name.size() + 1, store);
    key[0] = static_cast<char>(kind);
    name.copy(key + 1, name.size());
    buckets.insert(hash, static_cast<std::uint32_t>(series.size()));
  }

  // What another series of the same kind was heard with, for one that was not heard.
  static void take_state(Cell& cell, const Cell& other) {
    cell.state = other.state;
    cell.set_at = other.set_at;
    cell.sender = other.sender;
    cell.form.take(Form::set);
    if (other.is_set()) cell.form.give(Form::set);
    cell.form.give(Form::heard);
  }

  // Whether what is known is worth keeping for the next window. Series that were not heard in this
  // one take memory and are passed over by each flush; beyond the limit they would go on to be
  // twice as many; and where all spellings are used up, new ones would be parsed for ever.
  bool keeps_known() const {
    const bool most_heard = 4 * heard_series >= 3 * series.size();
    return (series.size() <= few_series || most_heard) && series.size() <= rules.series_max &&
           !is_full_of_spellings();
  }
  bool is_full_of_spellings() const {
    return spellings.size() >= series.size() + spellings_beside_series;
  }
  // REQUIRES: no series is heard.
  void forget_known() {
    buckets.clear();
    series.clear();
    spellings.clear();
    store.clear();
  }
  void silence_up_to(std::size_t end) {
    for (; released < end; ++released) silence(series[released]);
  }

  const TableRules& rules;
  const NameHash hash_by_words;
#ifdef TALLY_X86
  const AesHash hash_by_aes{rules.hash_seed};
  const bool has_aes = AesHash::is_possible();
#endif
  SeriesKeyBuilder keys;
  KeyStore store;
  Buckets buckets;
  Cells<Cell> series;
  Cells<SpellingCell> spellings;
  std::uint32_t last_added = 0;  // number of the series that `learn` is about; 0: of none
  std::size_t heard_series = 0;  // in this window
  std::size_t released = 0;      // series that the window needs no more
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

void Table::look_up(std::span<ScannedLine> lines) const {
#ifdef TALLY_X86
  if (impl_->has_aes) return impl_->look_up_by_aes(lines);
#endif
  impl_->look_up(lines);
}

Table::AddedKnown Table::add_known(std::span<const ScannedLine> lines, const Hearing& hearing) {
  assert(lines.size() <= batch_lines_max);
  Impl& impl = *impl_;
  ByKind known;
  const ScannedLine* const first = lines.data();
  const ScannedLine* const end = first + lines.size();
  const ScannedLine* line = first;
  std::uint64_t overflowed = 0;
  for (; line != end; ++line) {
    if (Cell* const heard = impl.find_heard(*line)) [[likely]] {
      known.add(*heard, *line);
      continue;
    }
    Cell* const series = impl.find_spelling(*line);
    if (series == nullptr) break;
    if (series->is_heard()) {
      known.add(*series, *line);
      continue;
    }
    // At once: what comes behind it, waits or not, finds it heard.
    const Added added = impl.add_first(*series, heard_of(*line), hearing);
    if (added == Added::series_limit) break;
    if (added == Added::overflow) overflowed |= std::uint64_t{1} << (line - first);
  }
  if (line != end) impl.last_added = 0;  // what `learn` may refer to comes now, if it comes
  return {.lines = static_cast<std::size_t>(line - first),
          .overflowed = overflowed | known.apply(first, hearing)};
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
    series.form.give(Form::spelling);
    return;
  }
  const std::string_view name = line.name(), tags = line.tags();
  const std::size_t size = name.size() + tags.size();
  if (impl.is_full_of_spellings() || size > spelling_bytes_max) return;
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
    if (!cell.is_heard()) continue;
    cell.sender = cell.sender < senders.size() ? senders[cell.sender] : 0;
    const std::uint64_t hash = impl_->hash_of(cell.kind(), cell.name());
    Cell* const known = impl_->find_series(hash, cell.kind(), cell.name());
    if (known != nullptr && known->is_heard()) {
      merge_into(*known, cell);
      continue;
    }
    if (known != nullptr) {
      Impl::take_state(*known, cell);
    } else {
      impl_->new_series(hash, cell.kind(), cell.name(), cell);
    }
    ++impl_->heard_series;
    cell.form.take(Form::heard);  // its state has moved: nothing to free
  }
  other.clear();
}

std::size_t Table::size() const {
  return impl_->heard_series;
}

std::size_t Table::places() const {
  return impl_->series.size();
}

Table::Entry Table::entry(std::size_t place) const {
  const Cell& cell = impl_->series[place];
  return {.key = cell.full_key(), .aggregate = aggregate_of(cell), .sender = cell.sender};
}

void Table::forget(std::size_t place) {
  Cell& cell = impl_->series[place];
  impl_->heard_series -= cell.is_heard() ? 1 : 0;
  Impl::silence(cell);
}

void Table::reserve(std::size_t series) {
  assert(empty());
  if (places() > few_series || impl_->buckets.has_room(series)) return;
  impl_->forget_known();
  impl_->buckets.reserve(series);
}

void Table::expect(std::size_t series) {
  assert(empty());
  if (places() > few_series) return;
  if (places() > 0 && !impl_->buckets.fits(series)) impl_->forget_known();
  if (places() == 0) impl_->buckets.expect(series);
}

void Table::release_first(std::size_t count) {
  Impl& impl = *impl_;
  if (impl.keeps_known()) return impl.silence_up_to(count);
  constexpr std::size_t chunk_cells = Cells<Cell>::chunk_cells;
  for (std::size_t i = impl.released / chunk_cells; i < count / chunk_cells; ++i) {
    impl.silence_up_to((i + 1) * chunk_cells);
    impl.series.release(i);
  }
}

void Table::clear() {
  impl_->silence_up_to(places());
  impl_->keeps_known() ? impl_->buckets.finish_growing() : impl_->forget_known();
  impl_->heard_series = 0;
  impl_->released = 0;
  impl_->last_added = 0;
}

}  // namespace tally
