#pragma once
// Which series a database has acknowledged.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace tally {

/// A bounded set of series, each kept as a 64-bit hash at 10 to 16 bytes. Two series with one hash
/// are taken for one: among 1,000,000, once in 4 * 10^7 sets. Owned by main's loop.
///
///     page.views,env=prod value=3 1700000000
///     ^ the series      ^ up to the first blank that no backslash escapes
class KnownSeries {
 public:
  /// Past `series_max` no series is learned any more, and that is counted. REQUIRES: fewer than
  /// 2^31. The seed is secret to those who choose names.
  KnownSeries(std::size_t series_max, std::uint64_t seed);

  /// From here on it learns. A database that is not full needs no one to know its series: until
  /// then this costs neither time nor memory.
  void begin() { learns_ = true; }

  /// Learns the series of every line of a body that was written, once begun.
  void learn(std::string_view body);

  /// Forgets those of a body that the database does not have after all.
  void forget(std::string_view body);

  /// Whether the series of this line was learned.
  bool knows(std::string_view line) const;

  std::size_t size() const { return size_; }
  std::uint64_t not_learned() const { return not_learned_; }  ///< lines, for want of room
  std::size_t memory_bytes() const { return slots_.capacity() * sizeof(std::uint64_t); }

 private:
  std::uint64_t hash_of(std::string_view line) const;
  std::size_t home_of(std::uint64_t hash) const;
  std::size_t next(std::size_t at) const { return at + 1 == slots_.size() ? 0 : at + 1; }
  std::size_t slot_of(std::uint64_t hash) const;
  void insert(std::uint64_t hash);
  void erase(std::uint64_t hash);
  void grow();

  bool learns_ = false;
  std::size_t series_max_;
  std::uint64_t seed_;
  std::size_t size_ = 0;
  std::uint64_t not_learned_ = 0;
  std::vector<std::uint64_t> slots_;  ///< 0 is empty
};

}  // namespace tally
