#pragma once
// From the history to the names that `counters` and `timers` show though they are silent.

#include <vector>

#include "tally/series.hpp"
#include "watch/admin_answers.hpp"
#include "watch/history.hpp"

namespace tally {

/// As `AdminAnswers::Known` wants it. `history` must outlive what is returned.
inline AdminAnswers::Known known_in(const History& history) {
  return [&history](const std::vector<Kind>& kinds) {
    std::vector<AdminName> names;
    for (const Kind kind : kinds) {
      const std::size_t room = Insight::looked_max - names.size();
      for (const HistoryRow& row : history.find({.kind = kind, .limit = room}).rows)
        names.push_back({.name = name_with_tags(row.series), .kind = kind});
    }
    return names;
  };
}

}  // namespace tally
