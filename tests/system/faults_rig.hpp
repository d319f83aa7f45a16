#pragma once
// What all fault tests need: a load that counts itself, and what became of it by two witnesses,
// the database (a real influxd or badflux) and tallyd's own series in it.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

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

/// The line of a log that holds `part`; "" if there is none.
std::string line_with(const std::string& log, std::string_view part);

}  // namespace tally::testing
