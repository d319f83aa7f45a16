#pragma once
// What `tallyd check` found, for people and for programs.

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

namespace tally {

struct Finding {
  enum class Level : std::uint8_t { well, note, mend } level;
  std::string subject;  ///< what was looked at: "udp 127.0.0.1:8125", "influxdb db:8086"
  std::string text;     ///< what was found, and for `mend` the cure

  std::string line() const { return subject + ": " + text; }
};

enum class ReportAs : std::uint8_t { text, json };

/// Prints a line a finding, or one JSON object for all:
///
///     {"findings":[{"level":"well","subject":"..","text":".."}],"well":true}
///
/// Levels: "well", "note", "mend". Returns the exit status: 1 if there is something to mend, else
/// 0.
int report(const std::vector<Finding>& findings, std::ostream& out, ReportAs as = ReportAs::text);

}  // namespace tally
