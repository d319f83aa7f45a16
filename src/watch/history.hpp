#pragma once
// The last 60 windows of every series, within a budget of bytes. Pure; main's thread.
//
//     flush --slice by slice--> note      each series: one look-up, one number or a few in a ring
//     page, top, admin, Grafana --> find, view
//
// A series that was not heard for 60 windows is forgotten. When the budget is used up the known
// ones go on and new ones are left out, counted.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
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

/// What a series is called in urls: the same in every process, so that links live on.
using SeriesId = std::uint64_t;

enum class SortBy : std::uint8_t { rate, name, last, bytes };

struct HistoryQuery {
  std::string match;  ///< a glob on the name; without `*` and `?` a part of it; "": all
  std::optional<Kind> kind;
  SortBy sort = SortBy::rate;
  bool ascending = false;
  std::size_t limit = 100;
  std::size_t offset = 0;
};

/// A series in a list.
struct HistoryRow {
  SeriesId id;
  Series series;  ///< views the history
  double last;    ///< counter: count; gauge: value; set: count; timers: mean
  double rate;    ///< values per second in the last closed window; 0 if it was not heard in it
  WallTime last_seen;
  std::vector<double> spark;  ///< `last` of the last 30 windows, oldest first; NaN: not heard
};

/// A series alone.
struct HistoryDetail {
  HistoryRow row;
  std::vector<WallTime> windows;                                    ///< oldest first
  std::vector<std::pair<std::string, std::vector<double>>> fields;  ///< one number a window
  std::optional<Peer> last_sender;                                  ///< none: one of too many
  std::vector<std::string> lines;  ///< the line protocol last written, with its stamp
};

class History {
 public:
  static constexpr std::size_t windows_max = 60;

  struct Settings {
    std::size_t bytes_max = 32 << 20;  ///< 0: remembers nothing
    Naming naming;                     ///< how lines are written
    std::vector<double> percents;      ///< of timers
  };

  explicit History(Settings settings);
  ~History();

  /// A window, in this order: `begin`, `note` for each slice of its snapshot, `end`. `senders` must
  /// live until `end`.
  void begin(const Span& span, const Senders& senders);
  void note(const Snapshot& slice);
  void end();

  /// What was found, and how many there are in all and with this match.
  struct Found {
    std::size_t total = 0;
    std::size_t matched = 0;
    std::vector<HistoryRow> rows;
  };
  Found find(const HistoryQuery& query) const;
  std::optional<HistoryDetail> view(SeriesId id) const;

  /// Rankings of the last closed window.
  struct Ranked {
    std::string name;  ///< a prefix "api.*", a metric's name or a tag's key
    std::uint64_t value;
    std::string example;  ///< of a tag: a metric that has it
  };
  std::vector<Ranked> top_prefixes(std::size_t limit) const;  ///< by number of series
  std::vector<Ranked> top_bytes(std::size_t limit) const;     ///< names by bytes of line protocol
  std::vector<Ranked> top_tags(std::size_t limit) const;      ///< tag keys by distinct values

  std::size_t series() const;
  std::size_t bytes() const;
  std::uint64_t left_out() const;  ///< series that there was no room for, of the last window
  std::optional<Span> last_window() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tally
