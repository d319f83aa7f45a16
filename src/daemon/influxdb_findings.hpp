#pragma once
// What the answers of a database mean for someone who sets tallyd up. Pure.

#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/findings.hpp"
#include "tally/api.hpp"
#include "tally/config.hpp"
#include "tally/response.hpp"
#include "tally/time.hpp"

namespace tally {

/// "influxdb NAME", the subject of all findings about a destination.
std::string subject_of(const Destination& to);

/// Nothing if there is an answer, of whatever status; else why there is none, and the cure.
std::optional<Finding> judge_reach(const Response& answer, const Destination& to);

/// Who answers, how fast, and by which API points will go: `to.api`. Always `well`; whether that
/// API is right is for `judge_trial`.
Finding describe_server(const std::optional<Server>& server, std::chrono::milliseconds took,
                        const Destination& to);

/// The server's Date against our clock, which is read when the answer is there. A note above 2 s,
/// to be mended above 30 s: windows would be stamped so far off. Nothing without a Date.
std::optional<Finding> judge_clock(const Response& answer, WallTime now, const Destination& to);

/// A request that tells whether points would be taken, and stores nothing.
struct Trial {
  bool is_get = false;
  ApiRequest request;
};

/// Of 0.8, 1.x and 2.x the write of no points: user, right, database and retention policy are
/// looked at before the body. That this stores nothing was tried with 1.6.7, and read in the source
/// of 0.8.8 (coordinator.go, WriteSeriesData) and of 2.x (http/points/points_parser.go), which
/// answers "writing requires points". 3.x would create the database: there it is the list of
/// databases.
/// `server` is who answered the probes.
Trial trial_of(const Destination& to, const Credentials& credentials,
               const std::optional<Server>& server);

/// Judges the answer to `trial_of`.
Finding judge_trial(const Response& answer, const std::optional<Server>& server,
                    const Destination& to);

/// What tallyd's measurements are called, and their fields.
struct OwnNames {
  struct Ending {
    std::string text;
    std::set<std::string> fields;
  };
  std::string beginning;  ///< of all of them
  bool is_whole = false;  ///< beginning and ending are all of it
  std::vector<Ending> endings;

  /// Whether a measurement of that name can be someone else's too: "" begins and ends all.
  bool are_certain() const;
  /// The fields of a measurement of that name; nothing if it is none of ours.
  const std::set<std::string>* fields_of(std::string_view measurement) const;
};

OwnNames own_names(const Config& config);

/// The statement of 1.x that names the fields of all measurements that may be ours.
std::string field_keys_query(const OwnNames& names);

/// Fields that tallyd writes as floats and the database knows as something else: its points would
/// be refused. At most five are named. `body` may be cut short: what is there is looked at. An
/// answer that is none gives no findings.
std::vector<Finding> judge_field_types(std::string_view body, const OwnNames& names,
                                       const Destination& to);

/// The statements of 1.x that tell how many series there are and may be; only an administrator is
/// answered.
inline constexpr std::string_view series_query =
    "SHOW DIAGNOSTICS FOR 'config-data'; SHOW STATS FOR 'database'";

/// Whether max-series-per-database is near: a note above 80 %, to be mended above 95 %. Nothing if
/// the answer does not tell, or if there is no limit.
std::optional<Finding> judge_series_limit(std::string_view body, const Destination& to);

}  // namespace tally
