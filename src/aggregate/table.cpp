// Series keys lie one behind the other in large chunks; the map goes from key to the entry's place.
// Entries are a vector in order of arrival, so that closing a window is one sweep.

#include "tally/table.hpp"

#include <xxhash.h>

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cassert>
#include <cmath>
#include <limits>
#include <utility>

namespace tally {
namespace {

// Seeded with a random number of the process, so that no sender can aim at one bucket.
struct KeyHash {
  using is_avalanching = void;  // boost: the hash is good enough to be used as it is
  std::uint64_t seed;
  std::size_t operator()(std::string_view key) const {
    return XXH3_64bits_withSeed(key.data(), key.size(), seed);
  }
};

// Memory for keys that are all forgotten at once, and the memory kept.
class KeyStore {
 public:
  std::string_view keep(std::string_view key) {
    assert(key.size() <= chunk_bytes);
    if (used_ == 0 || room() < key.size()) next_chunk();
    char* at = chunks_[used_ - 1].get() + filled_;
    key.copy(at, key.size());
    filled_ += key.size();
    return {at, key.size()};
  }
  void clear() { used_ = 0; }

 private:
  // Holds the longest key many times over: a key is series_bytes_max and a few renamed tags.
  static constexpr std::size_t chunk_bytes = 64 << 10;

  std::size_t room() const { return chunk_bytes - filled_; }
  void next_chunk() {
    if (used_ == chunks_.size()) chunks_.push_back(std::make_unique<char[]>(chunk_bytes));
    ++used_;
    filled_ = 0;
  }

  std::vector<std::unique_ptr<char[]>> chunks_;
  std::size_t used_ = 0;    // chunks
  std::size_t filled_ = 0;  // bytes of the last used one
};

Aggregate empty_aggregate(Kind kind, const TableRules& rules) {
  if (kind == Kind::counter) return Counter{};
  if (kind == Kind::gauge) return Gauge{};
  if (kind == Kind::set)
    return std::make_unique<MemberSet>(rules.set_members_exact, rules.hash_seed);
  return std::make_unique<Distribution>();
}

// One overload a kind: adds a sample; false if a sum would overflow.
bool add_to(Counter& counter, const Sample& sample, Instant) {
  const double sum = counter.sum + sample.value / sample.rate;
  if (!std::isfinite(sum)) return false;
  counter.sum = sum;
  return true;
}

bool add_to(Gauge& gauge, const Sample& sample, Instant now) {
  const double value = sample.is_delta ? gauge.value + sample.value : sample.value;
  if (!std::isfinite(value)) return false;
  gauge.value = value;
  if (!sample.is_delta) {
    gauge.is_set = true;
    gauge.set_at = now;
  }
  return true;
}

bool add_to(std::unique_ptr<Distribution>& values, const Sample& sample, Instant) {
  return values->add(sample.value, 1 / sample.rate);
}

bool add_to(std::unique_ptr<MemberSet>& members, const Sample& sample, Instant) {
  members->add(sample.member);
  return true;
}

// Each side is finite, their sum may not be. Held to the range, or Inf and -Inf would merge to NaN.
double merged_sum(double a, double b) {
  constexpr double largest = std::numeric_limits<double>::max();
  return std::clamp(a + b, -largest, largest);
}

// One overload a kind: adds what another table knows.
void merge_into(Counter& counter, const Counter& other) {
  counter.sum = merged_sum(counter.sum, other.sum);
}

void merge_into(Gauge& gauge, const Gauge& other) {
  if (!gauge.is_set && !other.is_set) {
    gauge.value = merged_sum(gauge.value, other.value);
    return;
  }
  const bool other_wins =
      !gauge.is_set ||
      (other.is_set && std::pair(other.set_at, other.value) > std::pair(gauge.set_at, gauge.value));
  if (other_wins) gauge = other;
}

void merge_into(std::unique_ptr<Distribution>& values, const std::unique_ptr<Distribution>& other) {
  values->merge(*other);
}

void merge_into(std::unique_ptr<MemberSet>& members, const std::unique_ptr<MemberSet>& other) {
  members->merge(*other);
}

}  // namespace

struct Table::Impl {
  explicit Impl(const TableRules& table_rules)
      : rules(table_rules),
        keys(table_rules.static_tags),
        index(0, KeyHash{table_rules.hash_seed}) {}

  Entry& create(std::string_view key, Aggregate aggregate) {
    const std::string_view kept = store.keep(key);
    index.emplace(kept, static_cast<std::uint32_t>(entries.size()));
    return entries.emplace_back(Entry{kept, std::move(aggregate)});
  }

  const TableRules& rules;
  SeriesKeyBuilder keys;
  KeyStore store;
  std::vector<Entry> entries;
  boost::unordered_flat_map<std::string_view, std::uint32_t, KeyHash, std::equal_to<>> index;
};

Table::Table(const TableRules& rules) : impl_(std::make_unique<Impl>(rules)) {}
Table::~Table() = default;
Table::Table(Table&&) noexcept = default;
Table& Table::operator=(Table&&) noexcept = default;

Added Table::add(const Sample& sample, std::span<const Tag> tags, Instant now) {
  assert(!is_notice(sample.kind));
  const auto add = [&](Aggregate& aggregate) {
    return std::visit([&](auto& state) { return add_to(state, sample, now); }, aggregate);
  };
  const std::string_view key = impl_->keys.build(sample.kind, sample.name, tags);
  if (const auto known = impl_->index.find(key); known != impl_->index.end()) {
    return add(impl_->entries[known->second].aggregate) ? Added::updated : Added::overflow;
  }
  if (size() >= impl_->rules.series_max) return Added::series_limit;
  Aggregate first = empty_aggregate(sample.kind, impl_->rules);
  if (!add(first)) return Added::overflow;
  impl_->create(key, std::move(first));
  return Added::created;
}

void Table::merge(Table&& other) {
  for (Entry& theirs : other.impl_->entries) {
    const auto known = impl_->index.find(theirs.key);
    if (known == impl_->index.end()) {
      impl_->create(theirs.key, std::move(theirs.aggregate));
      continue;
    }
    // The key holds the kind, so both hold the same alternative.
    std::visit(
        [&](auto& ours) {
          merge_into(ours, std::get<std::decay_t<decltype(ours)>>(theirs.aggregate));
        },
        impl_->entries[known->second].aggregate);
  }
  other.clear();
}

std::size_t Table::size() const {
  return impl_->entries.size();
}

std::span<const Table::Entry> Table::entries() const {
  return impl_->entries;
}

void Table::clear() {
  impl_->index.clear();
  impl_->entries.clear();
  impl_->store.clear();
}

}  // namespace tally
