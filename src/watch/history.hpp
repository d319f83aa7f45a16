#pragma once
// The last 60 windows of every series, within a budget of bytes. Pure; main's thread.
//
//     flush --slice by slice--> note      each series: one look-up, one number or a few in a ring
//     page, top, admin, Grafana --> find, view
//
// A series that was not heard for 60 windows is forgotten. When the budget is used up the known
// ones go on and new ones are left out, counted. A counter takes about 400 bytes, a timer with five
// percentiles about 2,200; nothing is taken ahead of the series that need it.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tally/naming.hpp"
#include "tally/peer.hpp"
#include "tally/sample.hpp"
#include "tally/senders.hpp"
#include "tally/series.hpp"
#include "tally/snapshot.hpp"
#include "tally/time.hpp"

namespace tally {

/// What a series is called in urls: XXH3 of its key, so the same in every process, and links live
/// on. Of two series with one id both are listed, and `view` shows the one that is known longer.
using SeriesId = std::uint64_t;

enum class SortBy : std::uint8_t { rate, name, last, bytes };

struct HistoryQuery {
  std::string match;  ///< a glob on the name; without `*` and `?` a part of it; "": all
  std::optional<Kind> kind;
  SortBy sort = SortBy::rate;  ///< bytes: of line protocol in the last closed window
  bool ascending = false;
  std::size_t limit = 100;
  std::size_t offset = 0;
  bool without_own = false;  ///< leaves tallyd.* out
};

/// A series in a list.
struct HistoryRow {
  SeriesId id;
  Series series;  ///< views the history, until its next `end`
  double last;    ///< counter: count; gauge: value; set: count; timers: mean
  /// Values per second in the last closed window; 0 if it was not heard in it, and of a gauge, for
  /// which they are not counted.
  double rate;
  WallTime last_seen;         ///< start of the last window that it was heard in
  std::vector<double> spark;  ///< `last` of the last 30 windows, oldest first; NaN: not heard
};

/// A series alone.
struct HistoryDetail {
  HistoryRow row;
  std::vector<WallTime> windows;  ///< the last 60, or as many as there were; oldest first
  /// One number a window, NaN where it was not heard. Counter: count, rate; gauge: value; set:
  /// count; timers: count, mean, max and percentiles.
  std::vector<std::pair<std::string, std::vector<double>>> fields;
  std::optional<Peer> last_sender;               ///< none: one of too many
  std::optional<std::chrono::milliseconds> ttl;  ///< of a gauge: what is left
  std::vector<std::string> lines;                ///< the line protocol last written, with its stamp
};

class History {
 public:
  static constexpr std::size_t windows_max = 60;
  static constexpr std::size_t spark_windows = 30;

  struct Settings {
    std::size_t bytes_max = 32 << 20;        ///< 0: remembers nothing, costs nothing
    Naming naming;                           ///< how lines are written
    std::vector<double> percents;            ///< of timers, as in every snapshot
    std::chrono::milliseconds gauge_ttl{0};  ///< `CarryRules::gauge_ttl`
    std::uint64_t hash_seed = 0;             ///< random: no one can aim at a bucket
  };

  explicit History(Settings settings);
  ~History();
  History(const History&) = delete;
  History& operator=(const History&) = delete;

  /// A window, in this order: `begin`, `note` for each slice of its snapshot as it is written,
  /// `end`. `senders` are the window's, `Senders::all()`, and must live until `end`. Between
  /// `begin` and `end` those noted show their new `last`, `rate` and `lines`; all else is of the
  /// last closed window. Series with a second of their own (`|T`) are left out: they are points, no
  /// course.
  void begin(const Span& span, std::span<const Sender> senders);
  void note(const Snapshot& slice);
  void end();

  /// Forgets series, by key (series.hpp). What is heard of them later is new.
  void forget(const std::function<bool(std::string_view key)>& is_meant);

  /// What was found, and how many there are in all and with this match. Those that are equal in
  /// what is sorted by are in the order of their age. About 3 ms for 100,000 series, 15 ms by
  /// bytes.
  struct Found {
    std::size_t total = 0;
    std::size_t matched = 0;
    std::vector<HistoryRow> rows;
  };
  Found find(const HistoryQuery& query) const;
  /// Nothing if there is no such series, or not any more.
  std::optional<HistoryDetail> view(SeriesId id) const;

  /// Rankings, largest first. Computed when asked: kept by window they would cost every flush what
  /// few look at. They look at each series, some 10 ms for 100,000, bytes 30 ms; who is asked often
  /// keeps the answer until `last_window` is another.
  struct Ranked {
    std::string name;  ///< a prefix "api.*", a metric's name or a tag's key
    std::uint64_t value;
    std::string example;  ///< of a tag: a metric that has it
  };
  /// By number of series that are remembered: of 60 windows, for ids in names are new ones in each.
  /// All of the first eight parts; of prefixes with the same series the longest one.
  std::vector<Ranked> top_prefixes(std::size_t limit) const;
  /// Names by bytes of line protocol in the last closed window.
  std::vector<Ranked> top_bytes(std::size_t limit) const;
  /// Tag keys by number of distinct values (1.6 % beyond 512) among the series that are remembered.
  /// Of more than 1,024 keys those that are known longest.
  std::vector<Ranked> top_tags(std::size_t limit) const;

  /// A series as a reader of totals sees it (Prometheus).
  struct Known {
    SeriesId id;
    std::string_view key;
    bool is_current;                      ///< in the last closed window
    double last;                          ///< as in HistoryRow
    double count;                         ///< of a counter and of timers: since it is known
    double sum;                           ///< of timers: since it is known
    std::span<const double> percentiles;  ///< of timers, in the last window that heard it
  };
  /// All series, the one known longest first. Views are valid during the call.
  void each(const std::function<void(const Known&)>& visit) const;

  const Settings& settings() const;
  std::size_t series() const;
  /// Of memory, at most `bytes_max`; what malloc rounds up is counted.
  std::size_t bytes() const;
  std::uint64_t left_out() const;  ///< series that there was no room for, of the last closed window
  std::optional<Span> last_window() const;  ///< the last closed one

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tally
