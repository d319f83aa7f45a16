#pragma once
// What an answer of the database means for the batch that was sent. Pure.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tally/api.hpp"
#include "tally/payload.hpp"
#include "tally/response.hpp"

namespace tally {

/// What to do with the payload.
enum class Action : std::uint8_t {
  written,          ///< the database acknowledged it: forget it
  keep,             ///< send the same bytes again later
  split,            ///< too large for the server: send it in two halves
  drop,             ///< every line is refused for what it holds: sending it again cannot help
  create_database,  ///< keep it, and create the database first
  without_lines,  ///< nothing is stored: take `refused_lines` out (some, never all), send the rest
                  ///< at once
  known_alone,    ///< the database is full of series and may have dropped points of those it
                  ///< knows: send these again by themselves
};

/// Why points of a payload were not written although the request was answered. Counters.
enum class PointLoss : std::uint8_t {
  none,
  refused,
  type_conflict,
  beyond_retention,
  series_limit
};

struct Verdict {
  Action action = Action::keep;
  PointLoss loss = PointLoss::none;
  /// Of the payload; with `written` the rest is stored, with `known_alone` 0 is "it does not say".
  std::uint32_t points_lost = 0;
  /// Only an operator can mend it: the back-off goes from 5 s to 60 s instead of 0.5 s to 30 s.
  bool configuration = false;
  /// A write of no points is refused alike and costs next to nothing: it shows when it is mended.
  bool shows_without_points = false;
  bool api_in_doubt = false;  ///< the server may speak another API: ask it before the next attempt
  /// A failure that some line of the payload may cause: if it stays while others are written, the
  /// line is to be found by halving.
  bool may_be_a_line = false;
  /// Lines of the payload that the database named as refused, by number from 0, ascending, once
  /// each. With `written` the others are stored.
  std::vector<std::uint32_t> refused_lines;
  std::chrono::seconds retry_after{0};  ///< the server's wish, 0 if none, at most 300 s
  std::string message;  ///< one line: what the server said and the cure; "" if all is well. How
                        ///< many points wait is for the caller to add
};

/// Judges the answer to `write_request` over `to.api`. Only 204 means written; of 0.8, 200 with an
/// empty body from a server that calls itself 0.8. Other 2xx come from something that is not a
/// write API. A time-out says nothing about whether it was written, so the same bytes are sent
/// again.
///
/// What a 400 means is told by its form, not by `to.api`: 2.x and 3.x answer 1's API in their own
/// words. `refused_lines` may be fewer than `points_lost`: a server names not all, and its answer
/// is cut at 64 KiB. Where that would lose what was not named, the action is `without_lines` or
/// `keep` with `may_be_a_line`.
Verdict judge(const Response& response, const Payload& payload, const Destination& to);

/// Judges the answer to `create_database_request`: `written` if the database is there now, else
/// `keep` and why not.
Verdict judge_created(const Response& response, const Destination& to);

}  // namespace tally
