#pragma once
// tallyd spool: what waits on disk, for people and for pipes.

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "spool/spool.hpp"
#include "tally/result.hpp"
#include "tally/time.hpp"

namespace tally {

enum class SpoolAction : std::uint8_t {
  list,       ///< each file, with what waits in it
  cat,        ///< all points that wait, as line protocol with stamps in nanoseconds
  dead,       ///< all dead letters
  retry_dead  ///< puts the dead letters back into the spool, to be sent again
};

/// "list", "cat", "dead", "retry-dead"; the error names the nearest.
Result<SpoolAction> parse_spool_action(std::string_view word);

struct SpoolCommand {
  SpoolAction action = SpoolAction::list;
  std::string root;                  ///< holds a directory for each destination, old ones too
  std::vector<SpoolSettings> sinks;  ///< the configured ones: others are only looked at
};

/// Runs it: results to `out`, what went wrong to `err`. The exit status: 0, or 1 if something
/// failed. `list`, `cat` and `dead` change nothing and can be used while tallyd runs; `retry_dead`
/// needs it stopped.
int run_spool(const SpoolCommand& command, WallTime now, std::ostream& out, std::ostream& err);

}  // namespace tally
