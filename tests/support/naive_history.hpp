#pragma once
// The naive twin of History: keeps every number of every window, and answers by looking at all of
// them. It shares types with src/ and no code but `encode_influx` and `split_series_key`.

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tally/senders.hpp"
#include "tally/snapshot.hpp"
#include "watch/history.hpp"

namespace tally::testing {

class NaiveHistory {
 public:
  explicit NaiveHistory(History::Settings settings) : settings_(std::move(settings)) {}

  /// A whole window.
  void add(const Snapshot& window, std::span<const Sender> senders);

  /// Keys of what is remembered.
  std::vector<std::string> known() const;
  /// Of them, those that a query means.
  std::vector<std::string> matching(const HistoryQuery& query) const;

  /// All but ids.
  HistoryDetail view(const std::string& key) const;
  /// What a query sorts by; names sort by themselves.
  double sorted_by(SortBy sort, const std::string& key) const;

  std::map<std::string, std::uint64_t> series_by_prefix() const;  ///< all prefixes: "a.b.*"
  std::map<std::string, std::uint64_t> bytes_by_name() const;
  std::map<std::string, std::uint64_t> values_by_tag() const;

 private:
  struct Point {
    std::vector<std::pair<std::string, double>> fields;  // as they are shown
    double last, heard;
    std::optional<Peer> sender;
    std::chrono::milliseconds idle;
    std::vector<std::string> lines;
  };
  struct Window {
    Span span;
    std::map<std::string, Point> points;
  };
  Point point_of(const Snapshot& one, std::span<const Sender> senders) const;
  std::span<const Window> shown() const;
  std::optional<Peer> last_sender(const std::string& key) const;

  History::Settings settings_;
  std::vector<Window> windows_;
};

/// All that a snapshot is written as, a line each.
std::vector<std::string> lines_of(const Snapshot& snapshot, const Naming& naming);

/// What a row or a detail says, in one text; ids left out.
std::string describe(const HistoryRow& row);
std::string describe(const HistoryDetail& detail);

}  // namespace tally::testing
