#pragma once
// The command line of tallyd.

#include <optional>
#include <string>
#include <vector>

#include "daemon/spool_verb.hpp"
#include "tally/result.hpp"

namespace tally {

enum class Verb { run, config, check, explain, spool };

struct Options {
  Verb verb = Verb::run;
  bool wants_help = false;
  bool wants_version = false;
  std::optional<std::string> config_file;  ///< none: the default file, if it exists
  std::vector<std::string>
      sets;               ///< KEY=VALUE, as given; --log-level L is `log.level=L` at the end
  std::string log_level;  ///< of --log-level; "" if not given
  bool offline = false;   ///< check: read the config only
  bool running = false;   ///< check: is a tallyd with this config running?
  bool json = false;      ///< explain, check
  std::string line;       ///< explain: the datagram, or "-" for standard input
  SpoolAction spool_action = SpoolAction::list;
  std::string spool_root;  ///< spool: the directory named; "" is the default

  friend bool operator==(const Options&, const Options&) = default;
};

/// Reads the command line; `arguments` without the program's name. An unknown verb or flag is an
/// error that names the nearest known one. Where help or version is asked for, nothing else
/// matters.
Result<Options> parse_options(const std::vector<std::string>& arguments);

/// What --help prints, for someone who sees tallyd for the first time.
std::string help_text();

}  // namespace tally
