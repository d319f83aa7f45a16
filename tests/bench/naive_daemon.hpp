#pragma once
// The naive variant: a StatsD parser and table as a competent afternoon makes them, with memchr,
// from_chars and std::unordered_map<std::string, ..>. The measure for the in-memory benches.
//
// It does less than tallyd, so a ratio to it is no flattery: no limits, no UTF-8 check, no cleaning
// of names, no repeated tags, no reasons for what it refuses. What decides the result it does as
// tallyd must: tags in any order are one series, timers are kept for percentiles, members of sets
// one by one. The key is built in memory that is used again, and looking one up allocates nothing.

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace tally::bench {

class NaiveDaemon {
 public:
  /// Takes a datagram's lines apart and adds them up; a line that is not understood is counted.
  void hear(std::string_view datagram) {
    const char* at = datagram.data();
    const char* const end = at + datagram.size();
    while (at < end) {
      const char* line_end = find(at, end, '\n');
      if (line_end > at && !hear_line(at, line_end)) ++refused_;
      at = line_end == end ? end : line_end + 1;
    }
  }

  /// A new window: forgets all series, keeps the map's buckets.
  void clear() { series_.clear(); }

  std::uint64_t samples() const { return samples_; }
  std::uint64_t refused() const { return refused_; }
  std::size_t series() const { return series_.size(); }

 private:
  struct Aggregate {
    double value = 0;                         // of a counter its sum, of a gauge what it is
    std::vector<double> values;               // of a timer or histogram
    std::unordered_set<std::string> members;  // of a set
  };

  static const char* find(const char* at, const char* end, char wanted) {
    const void* found =
        at == end ? nullptr : std::memchr(at, wanted, static_cast<std::size_t>(end - at));
    return found == nullptr ? end : static_cast<const char*>(found);
  }

  static bool read_number(std::string_view text, double& value) {
    if (text.starts_with('+')) text.remove_prefix(1);
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    return error == std::errc{} && stop == end;
  }

  // name:value|type[|@rate][|#tags]
  bool hear_line(const char* line, const char* end) {
    const char* const colon = find(line, end, ':');
    const char* const bar = find(colon, end, '|');
    if (colon == line || bar == end) return false;
    const char* field_end = find(bar + 1, end, '|');
    const std::string_view type(bar + 1, static_cast<std::size_t>(field_end - bar - 1));
    tags_.clear();
    double rate = 1;
    while (field_end < end) {
      const char* const field = field_end + 1;
      field_end = find(field, end, '|');
      const std::string_view text(field, static_cast<std::size_t>(field_end - field));
      if (text.starts_with('#')) split_tags(text.substr(1));
      if (text.starts_with('@') && !read_number(text.substr(1), rate)) return false;
    }
    key_.assign(type).append(line, colon);
    for (const std::string_view tag : tags_) (key_ += ',') += tag;
    return add(type, {colon + 1, static_cast<std::size_t>(bar - colon - 1)}, rate);
  }

  void split_tags(std::string_view text) {
    const char* const end = text.data() + text.size();
    for (const char* at = text.data(); at < end;) {
      const char* const tag_end = find(at, end, ',');
      tags_.emplace_back(at, static_cast<std::size_t>(tag_end - at));
      at = tag_end == end ? end : tag_end + 1;
    }
    std::sort(tags_.begin(), tags_.end());
  }

  bool add(std::string_view type, std::string_view text, double rate) {
    double value = 0;
    if (type != "s" && !read_number(text, value)) return false;
    Aggregate& aggregate = series_[key_];
    if (type == "c") {
      aggregate.value += value / rate;
    } else if (type == "g") {
      const bool is_delta = text.starts_with('+') || text.starts_with('-');
      aggregate.value = is_delta ? aggregate.value + value : value;
    } else if (type == "ms" || type == "h" || type == "d") {
      aggregate.values.push_back(value);
    } else if (type == "s") {
      aggregate.members.emplace(text);
    } else {
      return false;
    }
    ++samples_;
    return true;
  }

  std::unordered_map<std::string, Aggregate> series_;
  std::string key_;
  std::vector<std::string_view> tags_;
  std::uint64_t samples_ = 0;
  std::uint64_t refused_ = 0;
};

}  // namespace tally::bench
