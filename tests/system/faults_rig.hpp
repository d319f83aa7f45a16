#pragma once
// What all fault tests need: a load that counts itself, and what became of it by two witnesses,
// the database (a real influxd or badflux) and tallyd's own series in it.

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "badflux.hpp"
#include "rig.hpp"

namespace tally::testing {

inline constexpr const char* hits = "fault.hits";
inline constexpr const char* hits_measurement = "fault.hits.count";

/// Lines at a steady pace over several windows, of `shards` series.
class Load {
 public:
  explicit Load(std::uint16_t port, int shards = 5) : sender_(port), shards_(shards) {}

  void run(std::chrono::milliseconds duration);
  /// One line of each series, once.
  void one_each();
  /// Until a fact holds; false if it never did.
  bool run_until(const std::function<bool()>& is_true);

  std::uint64_t lines() const { return sender_.lines(); }
  std::uint64_t datagrams() const { return sender_.datagrams(); }

 private:
  void burst();

  StatsdSender sender_;
  int shards_;
};

/// How long an outage lasts: a few seconds, or what TALLYD_FAULT_OUTAGE says, such as 60.
std::chrono::seconds outage_wanted(std::chrono::seconds otherwise);

/// Whether all lines of a load come to be stored, each once.
bool all_is_stored(const Influxd& influxd, const Load& load);
bool all_is_stored(const Badflux& server, const Load& load);

/// The writes among the requests of a badflux: what asks for the version or creates a database does
/// not count.
std::vector<HttpMessage> writes(const Badflux& server);

/// Stops a tallyd whose points are all stored, and CHECKs that they still are, that no point was
/// ever changed by a resend and that the balances hold.
void finish(Tallyd& tallyd, const Badflux& server, const Load& load);
void finish(Tallyd& tallyd, const Influxd& influxd, const Load& load);

/// CHECKs that tallyd's own series say so, and that at every window the points flushed so far are
/// those written, given up and waiting.
void check_balances(const StoredPoints& stored, const Totals& expected);

/// What one process wrote to one destination: its own series begin with it, for they begin at 0.
struct Life {
  std::int64_t begin_ns = std::numeric_limits<std::int64_t>::min();
  std::int64_t end_ns = std::numeric_limits<std::int64_t>::max();
  std::string destination = {};  ///< the tag's value; "" where there is only one
  bool is_whole = true;          ///< else windows of it were dropped
};

/// CHECKs the balance of points at every window of a life: flushed + recovered = written + dead +
/// dropped + queued + spooled. Returns how many windows those were.
std::size_t check_points_at_every_window(const StoredPoints& stored, const Life& life = {});

/// All points with a field `count` or `value`, those of tallyd's own among them.
StoredPoints read_back(const Influxd& influxd);

/// CHECKs that a database has each of these points, unchanged.
void check_has_all(const StoredPoints& stored, const StoredPoints& points);

/// A place for spools, and what the verb `spool` says of it.
class SpoolPlace {
 public:
  std::string root() const { return directory_.path() + "/spool"; }  ///< tallyd makes it
  std::vector<std::string> sets() const;                             ///< of a tallyd that uses it
  /// The folders of its destinations.
  std::vector<std::string> sinks() const;
  /// The output of `tallyd spool VERB`. CHECKs that it ends well.
  std::string verb(const std::string& verb) const;
  /// What waits, by `spool cat`.
  StoredPoints waiting() const;

 private:
  TemporaryDirectory directory_;
};

/// One tallyd after the other on one spool.
class Lives {
 public:
  /// `options` without those of the spool; windows are of 200 ms.
  explicit Lives(TallydOptions options);

  /// Starts the next. REQUIREs that the one before has ended.
  Tallyd& begin();
  Tallyd& tallyd() { return *tallyd_; }
  std::int64_t began_ns() const {
    return begins_ns_.back();
  }             ///< the stamps of the last begin here
  void kill();  ///< SIGKILL
  void stop();  ///< as `Tallyd::stop`

  const SpoolPlace& spool() const { return spool_; }
  /// CHECKs the balance of points of each life at every window that came to be stored.
  void check_points(const StoredPoints& stored) const;

 private:
  static constexpr std::int64_t interval_ns = 200'000'000;

  void end();

  SpoolPlace spool_;
  TallydOptions options_;
  std::vector<std::int64_t> begins_ns_;
  std::int64_t ended_ns_ = 0;
  std::optional<Tallyd> tallyd_;
};

/// Whether all that was sent of `hits` so far waits on disk.
bool all_is_on_disk(const SpoolPlace& spool, std::uint64_t lines);

/// Whether at last nothing waits on disk, windows without hits neither.
bool is_emptied(const SpoolPlace& spool);

/// The same by what tallyd wrote last, for files that cannot be deleted.
bool is_said_to_be_emptied(const Badflux& server);

/// A name of so many bytes that do not compress.
std::string noise(std::minstd_rand& random, std::size_t bytes);

/// The line of a log that holds `part`; "" if there is none.
std::string line_with(const std::string& log, std::string_view part);

}  // namespace tally::testing
