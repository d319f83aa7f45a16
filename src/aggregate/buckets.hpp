#pragma once
// From the hash of a key to the number of its cell: the index of a table, which grows without a
// pause.
//
//     bucket  [8 x 32 bits of hash | 8 x number of a cell]      one cache line, filled from the
//     left
//
// A key belongs into the bucket that the low bits of its hash name, or into the nearest one behind
// it that has room. Nothing is ever taken out, so a search ends at a bucket that is not full.
//
// At 3/4 an array of twice the size is begun, and each insertion moves a bucket or two over:
//
//     now     [ moved, empty ][ not yet moved ]     a bucket's place says in which array to look
//     wider   [ ..                            ]
//
// Moved at once, 800,000 keys would keep a receiver from its socket for 20 ms, most of it in page
// faults. So a batch of packets pays for its own new series only.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>

#include "base/simd.hpp"

namespace tally {

/// Eight slots in one cache line. A slot is 32 bits of hash and a number, 0 where it is free. Slots
/// are filled from the first on. Comparing all eight at once leaves no branch to be guessed wrong,
/// as a walk from slot to slot would.
struct alignas(64) Bucket {
  static constexpr std::size_t slots = 8;

  std::uint32_t hash[slots];
  std::uint32_t cell[slots];

  /// One bit for each slot with this hash; of free ones too, if it is 0.
  unsigned equal(std::uint32_t wanted) const {
#ifdef TALLY_X86
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
#ifdef TALLY_X86
  /// The same for processors that have AVX2, in three instructions for nine.
  [[gnu::target("avx2"), gnu::always_inline]] unsigned equal_by_avx2(std::uint32_t wanted) const {
    const __m256i value = _mm256_set1_epi32(static_cast<int>(wanted));
    const __m256i hashes = _mm256_load_si256(reinterpret_cast<const __m256i*>(hash));
    const __m256i same = _mm256_cmpeq_epi32(hashes, value);
    return static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(same)));
  }
#endif
  bool is_full() const {
    return cell[slots - 1] != 0;
  }
  /// What the first of these slots holds; 0 if there is none.
  [[gnu::always_inline]] std::uint32_t number_at(unsigned mask) const {
    return mask == 0 ? 0 : cell[std::countr_zero(mask)];
  }
  std::size_t first_free() const {
    std::size_t at = 0;
    while (cell[at] != 0) ++at;
    return at;
  }
};
static_assert(sizeof(Bucket) == 64);

/// All buckets, at most 7/8 full: growing begins at 3/4, and each insertion moves one bucket or
/// more. One thread.
///
///     for (const Bucket* at = buckets.first(hash);; at = buckets.next(at)) {
///       look at the slots of *at that are `equal` to the hash;
///       if (!at->is_full()) break;  // it is in none
///     }
class Buckets {
 public:
  Buckets() : now_(least), mask_(least - 1) {}

  /// The bucket in which the search for a hash begins.
  [[gnu::always_inline]] const Bucket* first(std::uint64_t hash) const { return place(hash); }
  /// The one behind it. REQUIRES: `at` is full.
  const Bucket* next(const Bucket* at) const {
    ++at;
    if (at == now_.end()) return now_.begin();
    return at == wider_.end() ? wider_.begin() : at;
  }

  /// REQUIRES: `cell` is not 0. Does not look whether it is there already.
  void insert(std::uint64_t hash, std::uint32_t cell) {
    if (is_growing()) {
      move_run();
    } else if (is_due_to_grow()) {
      begin_growing();
    }
    put(place(hash), static_cast<std::uint32_t>(hash), cell);
    ++used_;
  }

  /// Whether so many keys have room without growing.
  bool has_room(std::size_t count) const { return size_for(count) <= capacity(); }
  /// And whether it is not much more than they need.
  bool fits(std::size_t count) const {
    return has_room(count) && 4 * size_for(count) >= capacity();
  }

  /// Makes room for so many, if there is not, and touches nothing of it: some microseconds.
  /// REQUIRES: empty.
  void reserve(std::size_t count) {
    if (!has_room(count)) restart(size_for(count));
  }

  /// Makes room for so many at once, and has the kernel give the memory now and not when keys
  /// arrive. Gives back what a burst has left. REQUIRES: empty.
  void expect(std::size_t count) {
    if (!fits(count)) restart(size_for(count));
    now_.touch();
  }

  /// Moves over at once what is left of growing: a millisecond for 100,000 keys.
  void finish_growing() {
    while (is_growing()) move_run();
  }

  /// Forgets everything and keeps the size: what comes then is as much, more often than not.
  void clear() {
    const std::size_t count = is_growing() ? wider_.size() : now_.size();
    if (count < cleared_by_hand_below) {
      now_ = is_growing() ? std::move(wider_) : std::move(now_);
      now_.zero();
      reset();
    } else {
      restart(count);
    }
  }

  /// Of memory held, and that the next `insert` takes in addition: nothing, unless it begins to
  /// grow.
  std::size_t bytes() const { return now_.bytes() + wider_.bytes(); }
  std::size_t bytes_to_insert() const {
    return is_due_to_grow() ? Array::bytes_of(2 * now_.size()) : 0;
  }

  std::size_t size() const { return used_; }
  bool is_growing() const { return wider_.size() != 0; }
  /// Buckets; while growing of the wider array.
  std::size_t capacity() const { return is_growing() ? wider_.size() : now_.size(); }

 private:
  static constexpr std::size_t least = 64;
  static constexpr std::size_t cleared_by_hand_below = 8 << 10;

  // Zeroed and on a cache line, which calloc alone does not promise: it is asked for one more.
  // calloc, because the kernel's fresh pages are zero already and are given as they are touched.
  class Array {
   public:
    Array() = default;
    explicit Array(std::size_t size) : memory_(std::calloc(size + 1, sizeof(Bucket))), size_(size) {
      if (memory_ == nullptr) std::abort();  // as operator new would end us
      void* at = memory_.get();
      std::size_t room = (size + 1) * sizeof(Bucket);
      first_ = static_cast<Bucket*>(std::align(alignof(Bucket), size * sizeof(Bucket), at, room));
    }
    Array(Array&& other) noexcept { *this = std::move(other); }
    Array& operator=(Array&& other) noexcept {
      memory_ = std::move(other.memory_);
      first_ = std::exchange(other.first_, nullptr);
      size_ = std::exchange(other.size_, 0);
      return *this;
    }

    Bucket* begin() const { return first_; }
    Bucket* end() const { return first_ + size_; }
    std::size_t size() const { return size_; }
    std::size_t bytes() const { return size_ == 0 ? 0 : bytes_of(size_); }
    static std::size_t bytes_of(std::size_t size) { return (size + 1) * sizeof(Bucket); }
    void zero() { std::fill_n(first_, size_, Bucket{}); }
    void touch() {
      constexpr std::size_t page = 4096 / sizeof(Bucket);
      for (std::size_t at = 0; at < size_; at += page)
        const_cast<volatile std::uint32_t&>(first_[at].cell[0]) = 0;
    }

   private:
    struct Free {
      void operator()(void* memory) const { std::free(memory); }
    };
    std::unique_ptr<void, Free> memory_;
    Bucket* first_ = nullptr;
    std::size_t size_ = 0;
  };

  static std::size_t size_for(std::size_t count) {
    std::size_t size = least;
    while (4 * count > 3 * Bucket::slots * size) size *= 2;
    return size;
  }

  // The 32 bits that a slot keeps also say where it belongs, in any size.
  [[gnu::always_inline]] Bucket* place(std::uint64_t hash) const {
    Bucket* const home = now_.begin() + (hash & mask_);
    return moved_ == 0 ? home : place_while_growing(hash, home);
  }

  [[gnu::cold]] Bucket* place_while_growing(std::uint64_t hash, Bucket* home) const {
    if (((hash - start_) & mask_) >= moved_) return home;
    return wider_.begin() + (hash & (2 * mask_ + 1));
  }

  bool is_due_to_grow() const {
    return !is_growing() && 4 * (used_ + 1) > 3 * Bucket::slots * now_.size();
  }

  void put(Bucket* at, std::uint32_t hash, std::uint32_t cell) {
    while (at->is_full()) at = const_cast<Bucket*>(next(at));
    const std::size_t slot = at->first_free();
    at->hash[slot] = hash;
    at->cell[slot] = cell;
  }

  // Moving begins behind a bucket that has room, so that no key that belongs before the beginning
  // lies behind it.
  void begin_growing() {
    wider_ = Array(2 * now_.size());
    const Bucket* at = now_.begin();
    while (at->is_full()) ++at;
    start_ = static_cast<std::size_t>(at - now_.begin() + 1) & mask_;
    move_run();
  }

  // Moves buckets up to one that has room: then no key of a moved bucket is left behind.
  void move_run() {
    bool is_end = false;
    while (!is_end) {
      Bucket& bucket = now_.begin()[(start_ + moved_) & mask_];
      ++moved_;
      is_end = !bucket.is_full();
      for (std::size_t i = 0; i < Bucket::slots && bucket.cell[i] != 0; ++i)
        put(wider_.begin() + (bucket.hash[i] & (2 * mask_ + 1)), bucket.hash[i], bucket.cell[i]);
      bucket = {};
    }
    if (moved_ < now_.size()) return;
    const std::size_t used = used_;
    now_ = std::move(wider_);
    reset();
    used_ = used;
  }

  void restart(std::size_t size) {
    now_ = {};  // first, or both would be there at once
    now_ = Array(size);
    reset();
  }
  void reset() {
    wider_ = {};
    mask_ = now_.size() - 1;
    start_ = moved_ = used_ = 0;
  }

  Array now_;
  Array wider_;  // empty while nothing grows
  std::size_t mask_;
  std::size_t start_ = 0;  // where moving began
  std::size_t moved_ = 0;  // buckets from there on
  std::size_t used_ = 0;   // slots
};

}  // namespace tally
