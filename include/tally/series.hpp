#pragma once
// The identity of a series: how kind, name and tags become one key, and back.
//
// One key is exactly one selectable series in InfluxDB, so all that InfluxDB would swallow, split
// or merge is settled here, before values are added up: two lines that would end in one point must
// meet in one sum, never overwrite each other at the database.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tally/sample.hpp"

namespace tally {

/// A tag by its final key and value.
struct TagView {
  std::string_view key;
  std::string_view value;

  friend auto operator<=>(const TagView&, const TagView&) = default;
};

/// A tag that owns its text: the static tags of the config.
struct StaticTag {
  std::string key;
  std::string value;

  friend auto operator<=>(const StaticTag&, const StaticTag&) = default;
};

/// Builds keys. Holds scratch memory so that building allocates nothing in the long run; one per
/// thread.
///
/// The key: one byte of kind, the name, then for each tag 0x00 key 0x01 value, and where a sample
/// belongs to a second of its own 0x02 and that second in decimal digits. Tags are sorted by
/// key and unique (the last one wins), and:
///   - bytes below 0x20, 0x7f and '\' become '_' (a terminal or a log is a database's reader too,
///     and influxd cannot escape a backslash); a name's leading '#' becomes '_', or the line would
///     be a comment. So 0x00, 0x01 and 0x02 cannot occur in a part and the key is unambiguous
///   - a tag without a key or with an empty value is left out: InfluxDB refuses it
///   - a bare tag gets the value "true"
///   - a tag named `time`, as InfluxQL names the parts of a series (`_name`, `_tagKey`,
///   `_tagValue`,
///     `_seriesKey`, `_field`, `_measurement`), or as a field of its kind (`value`, `mean`, `p99`
///     ..) gets '_' behind it: influxd drops points with the first, and answers something else to a
///     query for the others
///   - a tag that equals a static tag is left out: the encoder writes it anyway
class SeriesKeyBuilder {
 public:
  /// `static_tags` must outlive the builder.
  explicit SeriesKeyBuilder(std::span<const StaticTag> static_tags) : static_tags_(static_tags) {}

  /// The key of a sample. Valid until the next call. Never empty. `time` in seconds since 1970
  /// makes a series of that second; 0 is the window's.
  std::string_view build(Kind kind, std::string_view name, std::span<const Tag> tags,
                         std::int64_t time = 0);

 private:
  // A cleaned tag: where its key and value stand in text_.
  struct Part {
    std::size_t key_at, key_size, value_at, value_size;
  };
  std::string_view key_of(const Part& part) const {
    return std::string_view(text_).substr(part.key_at, part.key_size);
  }
  std::string_view value_of(const Part& part) const {
    return std::string_view(text_).substr(part.value_at, part.value_size);
  }
  void add_tag(Kind kind, const Tag& tag);
  void append_tags();
  bool is_static(const Part& part) const;

  std::span<const StaticTag> static_tags_;
  std::string key_;
  std::string text_;
  std::vector<Part> parts_;
};

/// A key taken apart. Views point into the key.
struct Series {
  Kind kind;
  std::string_view name;
  std::vector<TagView> tags;  ///< sorted by key, unique
  std::int64_t time = 0;      ///< seconds since 1970; 0: the window's

  friend bool operator==(const Series&, const Series&) = default;
};

/// The second that a key belongs to; 0 if that is the window's.
std::int64_t time_of_series_key(std::string_view key);

/// Takes apart what `SeriesKeyBuilder` built. REQUIRES: `key` came from there.
Series split_series_key(std::string_view key);

/// As above, into an existing object, so that a million keys cost no allocation each.
void split_series_key(std::string_view key, Series& series);

/// A series as people write it, its tags behind its name as Graphite and the original statsd have
/// them: "api.hits;env=prod;region=eu". Where a ';' of the name, of a tag's key or value, or a '='
/// of a key would read as such a mark it has a '\' before it, which no part holds: so no two series
/// of a kind are written alike. A second of its own is left out.
std::string name_with_tags(const Series& series);

/// Whether InfluxDB has a meaning of its own for a tag: `time` drops the point; `_name`, `_tagKey`
/// and the like are what InfluxQL calls a series' parts, so a condition on them would ask something
/// else.
bool is_reserved_tag(std::string_view key);

/// Whether a point of this kind has a field of this name: `count` and `rate` of a counter, `value`
/// of a gauge, `count` of a set; `count mean min max sum stddev` and p followed by digits of
/// timers; the texts of events and service checks.
bool is_field_name(Kind kind, std::string_view name);

}  // namespace tally
