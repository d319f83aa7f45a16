#pragma once
// What is largest: sums by text, series by prefix of their names, distinct values by tag. Made for
// one answer and thrown away. Pure. Texts are views of what was given, which must outlive all.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "aggregate/name_hash.hpp"
#include "tally/member_set.hpp"
#include "tally/series.hpp"

namespace tally {

struct RankedText {
  std::string_view text;
  std::uint64_t value;
  std::string_view example = {};  ///< of a tag: a name that has it

  friend bool operator==(const RankedText&, const RankedText&) = default;
};

/// Sums by text. 24 bytes a text, in an array that is at most half full.
class TextSums {
 public:
  explicit TextSums(std::uint64_t hash_seed) : hash_(hash_seed) {}

  void add(std::string_view text, std::uint64_t amount);
  /// The largest, of equal ones the first by the alphabet.
  std::vector<RankedText> top(std::size_t limit) const;
  void clear();

 private:
  struct Slot {
    const char* text = nullptr;  // null: free
    std::uint32_t size = 0;
    std::uint32_t hash = 0;
    std::uint64_t sum = 0;

    std::string_view view() const { return {text, size}; }
  };
  Slot& slot(std::string_view text, std::uint32_t hash);
  void grow();

  NameHash hash_;
  std::vector<Slot> slots_;
  std::size_t used_ = 0;
};

/// Prefixes of dotted names with the most names below them: "api.hits." of api.hits.count. Those of
/// up to eight parts; of several with the same names below them only the longest. A part at a time,
/// so that memory is that of one: 48 bytes a name at most.
std::vector<RankedText> top_prefixes_of(std::span<const std::string_view> names, std::size_t limit,
                                        std::uint64_t hash_seed);

/// Distinct values by tag: exact up to 512, then within 1.6 %. At most 8 KiB a tag.
class TagValues {
 public:
  static constexpr std::size_t tags_max = 1024;  ///< the first; others are not ranked

  explicit TagValues(std::uint64_t hash_seed) : seed_(hash_seed) {}

  /// REQUIRES: a key of `SeriesKeyBuilder`.
  void add(std::string_view series_key);
  std::vector<RankedText> top(std::size_t limit) const;

 private:
  struct Seen {
    MemberSet values;
    std::string_view example;
  };
  std::uint64_t seed_;
  Series series_{};
  std::unordered_map<std::string_view, Seen> tags_;
};

}  // namespace tally
