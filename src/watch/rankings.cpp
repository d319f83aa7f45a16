#include "watch/rankings.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace tally {
namespace {

constexpr std::size_t parts_max = 8;

bool is_before(const RankedText& a, const RankedText& b) {
  return std::tie(b.value, a.text) < std::tie(a.value, b.text);
}

std::vector<RankedText> largest(std::vector<RankedText> all, std::size_t limit) {
  const std::size_t count = std::min(limit, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count), all.end(),
                    is_before);
  all.resize(count);
  return all;
}

/// Up to and with the dot behind so many parts; "" if there are not as many.
std::string_view prefix_of(std::string_view name, std::size_t parts) {
  std::size_t end = 0;
  for (; parts > 0; --parts) {
    end = name.find('.', end);
    if (end == std::string_view::npos) return {};
    ++end;
  }
  return name.substr(0, end);
}

/// Without its last part: "a." of "a.b."; "" of "a.".
std::string_view parent_of(std::string_view prefix) {
  const std::size_t dot = prefix.substr(0, prefix.size() - 1).rfind('.');
  return dot == std::string_view::npos ? std::string_view() : prefix.substr(0, dot + 1);
}

// A prefix whose names all have a longer one in common says less than that.
void drop_those_that_say_less(std::vector<RankedText>& prefixes) {
  std::unordered_map<std::string_view, std::uint64_t> known;
  for (const RankedText& each : prefixes) known.emplace(each.text, each.value);
  std::unordered_map<std::string_view, bool> says_less;
  for (const RankedText& each : prefixes) {
    const auto parent = known.find(parent_of(each.text));
    if (parent != known.end() && parent->second == each.value) says_less[parent->first] = true;
  }
  std::erase_if(prefixes, [&](const RankedText& each) { return says_less.contains(each.text); });
}

}  // namespace

void TextSums::add(std::string_view text, std::uint64_t amount) {
  if (2 * (used_ + 1) > slots_.size()) grow();
  const auto hash = static_cast<std::uint32_t>(hash_(text, 0));
  Slot& found = slot(text, hash);
  if (found.text == nullptr) {
    found = {text.data(), static_cast<std::uint32_t>(text.size()), hash, 0};
    ++used_;
  }
  found.sum += amount;
}

TextSums::Slot& TextSums::slot(std::string_view text, std::uint32_t hash) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  while (slots_[at].text != nullptr && (slots_[at].hash != hash || slots_[at].view() != text))
    at = (at + 1) & mask;
  return slots_[at];
}

void TextSums::grow() {
  std::vector<Slot> old(std::max<std::size_t>(64, 2 * slots_.size()));
  old.swap(slots_);
  for (const Slot& each : old)
    if (each.text != nullptr) slot(each.view(), each.hash) = each;
}

void TextSums::clear() {
  std::ranges::fill(slots_, Slot{});
  used_ = 0;
}

std::vector<RankedText> TextSums::top(std::size_t limit) const {
  std::vector<RankedText> all;
  all.reserve(used_);
  for (const Slot& each : slots_)
    if (each.text != nullptr) all.push_back({each.view(), each.sum});
  return largest(std::move(all), limit);
}

std::vector<RankedText> top_prefixes_of(std::span<const std::string_view> names, std::size_t limit,
                                        std::uint64_t hash_seed) {
  std::vector<RankedText> prefixes;
  TextSums sums(hash_seed);
  for (std::size_t parts = 1; parts <= parts_max; ++parts) {
    sums.clear();
    for (const std::string_view name : names) {
      const std::string_view prefix = prefix_of(name, parts);
      if (!prefix.empty()) sums.add(prefix, 1);
    }
    const std::vector<RankedText> top = sums.top(limit);
    if (top.empty()) break;
    prefixes.insert(prefixes.end(), top.begin(), top.end());
  }
  drop_those_that_say_less(prefixes);
  return largest(std::move(prefixes), limit);
}

void TagValues::add(std::string_view series_key) {
  constexpr std::size_t exact_max = 512;
  split_series_key(series_key, series_);
  for (const TagView& tag : series_.tags) {
    auto seen = tags_.find(tag.key);
    if (seen == tags_.end()) {
      if (tags_.size() == tags_max) continue;
      seen = tags_.try_emplace(tag.key, Seen{MemberSet(exact_max, seed_), series_.name}).first;
    }
    seen->second.values.add(tag.value);
  }
}

std::vector<RankedText> TagValues::top(std::size_t limit) const {
  std::vector<RankedText> all;
  for (const auto& [key, seen] : tags_)
    all.push_back({key, static_cast<std::uint64_t>(seen.values.count()), seen.example});
  return largest(std::move(all), limit);
}

}  // namespace tally
