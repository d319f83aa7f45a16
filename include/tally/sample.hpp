#pragma once
// A sample is one parsed value, a refusal one line that was not taken, a batch all of both that a
// datagram held. They borrow the datagram's bytes: keep the datagram until you are done with them.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tally {

/// What a StatsD line counts, times or sets. The kind is part of a series' identity: a counter and
/// a timer of one name never meet.
///
/// The last two are no values but notices: they are written as they came, never added up.
enum class Kind : std::uint8_t {
  counter,
  gauge,
  timer,
  histogram,
  distribution,
  set,
  event,
  service_check
};
inline constexpr std::size_t kind_count = 8;
inline constexpr std::size_t value_kind_count = 6;  ///< without the notices

/// "counter", "gauge", "timer", "histogram", "distribution", "set", "event", "service_check".
std::string_view to_string(Kind kind);

/// Timers, histograms and distributions are summarised alike; only their names differ.
constexpr bool is_timer_like(Kind kind) {
  return kind == Kind::timer || kind == Kind::histogram || kind == Kind::distribution;
}

constexpr bool is_notice(Kind kind) {
  return kind == Kind::event || kind == Kind::service_check;
}

/// Names of tallyd's own series, which no client may use.
constexpr bool is_own_name(std::string_view name) {
  return name.starts_with("tallyd.");
}

/// One tag of a line. `bare` is a tag without a value (`|#urgent`); InfluxDB gets "true" for it.
struct Tag {
  std::string_view key;
  std::string_view value;
  bool bare = false;

  friend bool operator==(const Tag&, const Tag&) = default;
};

/// One value of one series. Views point into the datagram or into Batch::owned_texts.
struct Sample {
  Kind kind = Kind::counter;
  bool is_delta = false;        ///< a gauge with a sign: `+3` and `-3` move it, `3` sets it
  std::uint32_t first_tag = 0;  ///< its tags are Batch::tags[first_tag .. first_tag + tag_count)
  std::uint32_t tag_count = 0;
  std::string_view name;    ///< valid UTF-8, not empty; may hold any other byte but '\n'
  double value = 0;         ///< finite; unused by a set. The unit is the sender's (ms for timers)
  double rate = 1;          ///< 1e-6 .. 1; one sample stands for 1/rate. Always 1 for gauge and set
  std::string_view member;  ///< what a set counts; not empty
  /// When the sender says it was (`|T`), in seconds since 1970, up to 18 digits; 0 if it does not
  /// say. Of several in a line the last holds for all of it. Always 0 with `is_delta`: what is
  /// moved has no base in the past.
  std::int64_t time = 0;
  std::uint32_t notice = 0;  ///< of an event or a service check: Batch::notices[notice]
};

/// What an event or a service check says beside its name and tags. A text that was not sent is
/// empty. Texts are as sent: a line feed stands as the two characters `\n` (`unescape_notice` reads
/// them).
struct Notice {
  std::string_view text;      ///< of an event; of a service check the message
  std::uint8_t status = 0;    ///< of a service check: 0 ok, 1 warning, 2 critical, 3 unknown
  std::int64_t time = 0;      ///< seconds since 1970 as the sender gave it (`d:`), 0 if not
  std::string_view host;      ///< `h:`
  std::string_view priority;  ///< of an event, `p:`: normal or low
  std::string_view alert;     ///< of an event, `t:`: error, warning, info or success
  std::string_view key;       ///< of an event, `k:`: what similar ones are grouped by
  std::string_view source;    ///< of an event, `s:`
};

/// Reads `\n` as a line feed, as DogStatsD's readers do; all else stays as it is.
std::string unescape_notice(std::string_view text);

/// Why a line, or a part of what it asked for, was not taken. Every reason is a counter.
enum class Reason : std::uint8_t {
  missing_value,    ///< no ':', or nothing behind it
  missing_type,     ///< no '|', or nothing behind it
  empty_name,       ///< nothing before the ':' (or only tags)
  bad_value,        ///< not a finite decimal number
  bad_rate,         ///< not a number in (0, 1], below 1e-6, given twice, or without its '@'
  bad_timestamp,    ///< `|T` without whole seconds behind it
  unknown_type,     ///< none of c g ms s h d
  dialect_off,      ///< fine, but [dialects] says that it is not wanted
  bad_notice,       ///< an event `_e{` or a service check `_sc|` that is not as DogStatsD writes it
  invalid_utf8,     ///< name or tag: InfluxDB fails the request, some builds the shard, over it
  reserved_name,    ///< `tallyd.*` is where tallyd's own series live
  name_too_long,    ///< limits.name_bytes
  tag_too_long,     ///< limits.tag_bytes, a key or a value
  too_many_tags,    ///< limits.tags
  series_too_long,  ///< name and tags together over 4,096 bytes
  truncated,        ///< the end of a datagram larger than the receive buffer
  line_too_long,    ///< of a stream: no line end within 64 KiB
  series_limit,     ///< limits.series: known series go on, this one is new
  overflow,         ///< the sum would leave the range of a double
  notice_limit,     ///< 10,000 events and service checks in one window
};
inline constexpr std::size_t reason_count = 20;

/// The reason's name as users see it in logs, JSON and tags: "bad_value" and so on.
std::string_view to_string(Reason reason);

/// A refused line. `caret` is the offset in `line` of the byte that decided it.
struct Refusal {
  Reason reason;
  std::uint32_t caret;
  std::string_view line;
};

/// A line that was taken: its samples are Batch::samples[first .. first + count). A line is taken
/// or refused as a whole: `a:1:x|ms` gives no sample.
struct Line {
  std::uint32_t first;
  std::uint32_t count;
  std::string_view text;
};

/// All that one datagram held, in its order. Meant to be reused: `clear` keeps the memory.
struct Batch {
  std::vector<Sample> samples;
  std::vector<Tag> tags;
  std::vector<Notice> notices;
  std::vector<Line> lines;
  std::vector<Refusal> refused;
  std::uint32_t fields_skipped = 0;  ///< unknown `|x` fields of taken lines
  /// Names and tags that do not stand in the datagram like this: a name around tags, `a.[k=v]b`,
  /// and what names.sanitize changed.
  std::deque<std::string> owned_texts;

  void clear();
  std::span<const Tag> tags_of(const Sample& sample) const {
    return std::span(tags).subspan(sample.first_tag, sample.tag_count);
  }
};

}  // namespace tally
