#pragma once
// The real tallyd in a test, and what it wrote, read back from a real influxd.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "influxd.hpp"
#include "process.hpp"
#include "sanitized.hpp"
#include "statsd_sender.hpp"

namespace tally::testing {

/// How long a fact may take to come true on a slow machine under a sanitizer. Tests wait for the
/// fact, so on a fast one none of it is used up.
inline constexpr std::chrono::seconds patience{120};

/// How long a stop may take: what the README says, where nothing slows us down.
inline constexpr std::chrono::seconds stop_limit{is_sanitized ? 40 : 5};

struct TallydOptions {
  std::string influxdb_url;  ///< "" prints windows
  std::string interval = "500ms";
  std::vector<std::string> sets = {};  ///< more keys: "influxdb.gzip=false"
  std::vector<std::pair<std::string, std::string>> environment = {};
  std::vector<std::string> more_urls = {};          ///< of further destinations
  std::vector<std::string> more_destinations = {};  ///< whole ones, as keys below [[influxdb]]
};

/// What starts such a tallyd, its config in `directory`: for one that is not meant to become ready.
Command tallyd_command(const TallydOptions& options, const TemporaryDirectory& directory);

/// A tallyd on ports of its own, with `host=testhost` on every point.
class Tallyd {
 public:
  /// Starts it and waits until it is ready. REQUIREs that.
  explicit Tallyd(const TallydOptions& options);

  std::uint16_t port() const { return port_; }        ///< 127.0.0.1
  std::uint16_t port_v6() const { return port_v6_; }  ///< ::1, 0 if the machine has none

  /// What it listens on, in its own order and words: "udp 127.0.0.1:40001", "unix /run/t.sock".
  std::vector<std::string> listeners() const;
  /// The first of them that begins so. REQUIREs one.
  std::string listener(std::string_view beginning) const;

  /// Memory of its own that it touched (RssAnon), in bytes.
  std::size_t memory_bytes() const;
  pid_t pid() const { return process_.pid(); }

  void signal(int number);
  void pause() { process_.pause(); }
  void resume() { process_.resume(); }
  /// SIGTERM (or another), and REQUIREs exit status 0 within 5 s.
  void stop(int number = 15);
  /// SIGKILL, and waits.
  void kill();
  std::optional<int> wait(std::chrono::milliseconds limit);

  std::string log() const { return process_.log(); }
  std::string output() const { return process_.output(); }
  bool wait_for_log(std::string_view text);

 private:
  template <class Try>
  auto poking(std::chrono::milliseconds limit, Try attempt);
  std::uint16_t udp_port(std::string_view host) const;

  TemporaryDirectory directory_;
  Process process_;
  std::optional<int> signalled_;  // the last one
  std::uint16_t port_ = 0;
  std::uint16_t port_v6_ = 0;
};

/// An interval whose window has minutes left: all that a test sends falls into one window.
std::string endless_interval();

/// A series as the database knows it.
struct StoredSeries {
  std::string measurement;
  std::map<std::string, std::string> tags;
  friend auto operator<=>(const StoredSeries&, const StoredSeries&) = default;
};

/// All points of all series whose measurement matches the regular expression: rows with `time` and
/// the fields asked for, oldest first.
std::map<StoredSeries, std::vector<Row>> stored_points(const Influxd& influxd,
                                                       std::string_view fields,
                                                       std::string_view measurement_regex);

/// The number in a column; 0 if it is empty or missing.
double number_in(const Row& row, std::string_view column);

/// The sum of `field` over all points of a measurement, and of a tag `state` if that is not empty.
double stored_sum(const Influxd& influxd, std::string_view measurement, std::string_view state = {},
                  std::string_view field = "count");

/// The sum of `field` over all points of a measurement that have all these tags.
double stored_sum_of(const Influxd& influxd, std::string_view measurement,
                     const std::map<std::string, std::string>& tags,
                     std::string_view field = "count");

/// All series but those of tallyd's own that begin with "tallyd.".
std::set<StoredSeries> stored_series(const Influxd& influxd);

/// What a tallyd heard and lost from its start to its end, by its own series.
struct Totals {
  std::uint64_t datagrams = 0;
  std::uint64_t accepted = 0;  ///< lines
  std::uint64_t refused = 0;   ///< lines
  std::uint64_t points_dropped = 0;
};

/// CHECKs that tallyd's own series say so, that the kernel dropped nothing, and that at every
/// window the points flushed so far are those written, dropped and queued.
void check_balances(const Influxd& influxd, const Totals& expected);

/// How often `part` occurs in a log or an output.
std::size_t occurrences(const std::string& text, std::string_view part);

inline constexpr const char* database = "metric";

}  // namespace tally::testing
