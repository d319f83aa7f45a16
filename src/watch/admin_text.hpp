#pragma once
// The language of the original statsd's management interface: its commands, and the answers as it
// gives them. Pure.
//
//     counters                      {
//                                     'api.hits': 12,
//                                     'api.hits;env=prod': 3
//                                   }
//                                   END
//                                   (a blank line)
//
// The original prints objects of JavaScript; statsd-ruby turns each ' into a " and reads the rest
// as JSON. So every key stands in quotes here, and holds none: a ' is \u0027, and what JSON escapes
// is escaped. Keys are `name_with_tags`. Where an answer was cut it says so in a key of its own.

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "watch/insight.hpp"

namespace tally {

/// A line of a client, taken apart.
struct AdminCommand {
  enum class Verb : std::uint8_t {
    nothing,  ///< a blank line
    unknown,
    help,
    stats,
    counters,
    gauges,
    timers,
    delcounters,
    delgauges,
    deltimers,
    health,
    config,
    quit
  };
  Verb verb = Verb::nothing;
  std::vector<std::string> words;  ///< what stands behind it
};

/// Reads a line without its line end; white space around words means nothing.
AdminCommand read_admin_command(std::string_view line);

/// Whether it changes nothing, so that it may be obeyed before the end of its line is seen.
bool only_reads(const AdminCommand& command);

/// What `counters`, `delcounters` and so on speak of. Histograms and distributions are timers here.
std::vector<Kind> kinds_of(AdminCommand::Verb verb);

/// A series by the key of an answer; of one key and another kind it is another series.
struct AdminName {
  std::string name;  ///< name_with_tags
  Kind kind;

  friend auto operator<=>(const AdminName&, const AdminName&) = default;
};
AdminName admin_name(std::string_view series_key);

inline constexpr std::size_t admin_answer_bytes_max = 16 << 20;

/// `counters`: what the open window has counted, and 0 for `known` ones that it has not heard.
std::string counters_answer(const std::vector<Looked>& open, const std::vector<AdminName>& known,
                            std::size_t bytes_max = admin_answer_bytes_max);

/// `gauges`: `carried` values by series key, overlaid with what the open window has set and moved.
std::string gauges_answer(const std::vector<Looked>& open, std::map<std::string, double> carried,
                          std::size_t bytes_max = admin_answer_bytes_max);

/// `timers`: the values of the open window, and none for `known` ones. Those that have more values
/// than are kept have none here either, and their names stand in `tallyd.too_many_values`.
std::string timers_answer(std::vector<Looked> open, const std::vector<AdminName>& known,
                          std::size_t bytes_max = admin_answer_bytes_max);

/// A pattern of a `del` command, and the keys of what it has deleted, or of a part of it.
struct AdminDeleted {
  std::string pattern;
  std::vector<std::string> keys;
  std::size_t more = 0;  ///< series beside those
};
std::string deleted_answer(const std::vector<AdminDeleted>& deleted,
                           std::size_t bytes_max = admin_answer_bytes_max);

/// `stats`: ages and the uptime are in seconds, the duration of a flush in milliseconds. The first
/// destination is also called `graphite`, as checks for the original know it, and standard output
/// only so. As there, what never
/// failed did so in 1970, and what never succeeded did so at the start.
std::string stats_answer(const LiveState& live, std::chrono::seconds uptime);

/// `config`: "section > key: value  # origin" for each line of `config_to_toml`.
std::string config_answer(std::string_view toml);

std::string health_answer(bool is_up);
std::string help_answer();
inline constexpr std::string_view unknown_answer = "ERROR\n";

}  // namespace tally
