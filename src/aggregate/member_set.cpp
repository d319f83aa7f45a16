// Members are kept as their hashes, in an open-addressed array of 8 bytes a slot: two members with
// one hash are counted once, which for 4,096 members happens once in 2 * 10^12 windows.

#include "tally/member_set.hpp"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cmath>

namespace tally {
namespace {

constexpr unsigned register_bits = 12;
constexpr std::size_t register_count = std::size_t{1} << register_bits;

}  // namespace

void MemberSet::add(std::string_view member) {
  add_hash(XXH3_64bits_withSeed(member.data(), member.size(), seed_));
}

void MemberSet::add_hash(std::uint64_t hash) {
  if (!is_exact()) {
    insert_register(hash);
    return;
  }
  if (hash == 0) {
    has_zero_ = true;
  } else {
    insert_slot(hash);
  }
  if (size_ + has_zero_ > exact_max_) spill();
}

void MemberSet::insert_slot(std::uint64_t hash) {
  // At most half full, so that probing stays short.
  if (2 * (size_ + 1) > slots_.size()) {
    std::vector<std::uint64_t> old(std::max<std::size_t>(8, 2 * slots_.size()));
    old.swap(slots_);
    for (const std::uint64_t known : old) {
      if (known != 0) *free_or_equal(known) = known;
    }
  }
  std::uint64_t* slot = free_or_equal(hash);
  if (*slot == hash) return;
  *slot = hash;
  ++size_;
}

std::uint64_t* MemberSet::free_or_equal(std::uint64_t hash) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  while (slots_[at] != 0 && slots_[at] != hash) at = (at + 1) & mask;
  return &slots_[at];
}

// Flajolet et al., figure 3: the first bits choose a register, which keeps the largest position of
// the first 1 in the others.
void MemberSet::insert_register(std::uint64_t hash) {
  const std::size_t at = hash >> (64 - register_bits);
  const std::uint64_t others = (hash << register_bits) | (std::uint64_t{1} << (register_bits - 1));
  const auto rank = static_cast<std::uint8_t>(std::countl_zero(others) + 1);
  registers_[at] = std::max(registers_[at], rank);
}

void MemberSet::spill() {
  registers_.assign(register_count, 0);
  for (const std::uint64_t hash : slots_) {
    if (hash != 0) insert_register(hash);
  }
  if (has_zero_) insert_register(0);
  slots_ = {};
  size_ = 0;
  has_zero_ = false;
}

void MemberSet::merge(const MemberSet& other) {
  if (other.is_exact()) {
    for (const std::uint64_t hash : other.slots_) {
      if (hash != 0) add_hash(hash);
    }
    if (other.has_zero_) add_hash(0);
    return;
  }
  if (is_exact()) spill();
  std::ranges::transform(registers_, other.registers_, registers_.begin(),
                         [](std::uint8_t a, std::uint8_t b) { return std::max(a, b); });
}

double MemberSet::count() const {
  if (is_exact()) return static_cast<double>(size_ + has_zero_);
  constexpr double m = register_count;
  constexpr double alpha = 0.7213 / (1 + 1.079 / m);
  double sum = 0;
  std::size_t zeros = 0;
  for (const std::uint8_t rank : registers_) {
    sum += std::ldexp(1.0, -rank);
    zeros += rank == 0;
  }
  const double raw = alpha * m * m / sum;
  // Linear counting for small sets. No correction for large ones: a 64-bit hash does not run out.
  const bool is_small = raw <= 2.5 * m && zeros > 0;
  return std::round(is_small ? m * std::log(m / static_cast<double>(zeros)) : raw);
}

}  // namespace tally
