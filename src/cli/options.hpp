#pragma once
// The command line of tallyd.

#include <optional>
#include <string>
#include <vector>

#include "cli/arguments.hpp"
#include "cli/verbs.hpp"
#include "tally/result.hpp"

namespace tally {

struct Options {
  Verb verb = Verb::run;
  bool wants_help = false;
  bool wants_version = false;
  std::optional<std::string> config_file;  ///< none: the default file, if it exists
  std::vector<std::string>
      sets;               ///< KEY=VALUE, as given; --log-level L is `log.level=L` at the end
  std::string log_level;  ///< of --log-level; "" if not given
  Arguments arguments;    ///< of the verb

  friend bool operator==(const Options&, const Options&) = default;
};

/// Reads the command line; `arguments` without the program's name. An unknown verb or flag is an
/// error that names the nearest known one, as is a flag of another verb. Where help or version is
/// asked for, only the verb matters.
///
/// A negative number is a word, not a flag. Behind `--` all are words.
Result<Options> parse_options(const std::vector<std::string>& arguments);

}  // namespace tally
