// F33, F34: system calls of the spool of a running tallyd fail or take seconds, by a shim.

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "faults_rig.hpp"

using namespace tally::testing;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

using Environment = std::vector<std::pair<std::string, std::string>>;

Environment shim(const std::string& call, Environment more) {
  Environment all{{"LD_PRELOAD", FAULTSHIM}, {"FAULT_CALL", call}, {"FAULT_PATH", "/spool"}};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

/// How long after its end the latest window of 200 ms came.
Clock::duration latest_window(const Badflux& server) {
  const auto offset =
      std::chrono::system_clock::now().time_since_epoch() - Clock::now().time_since_epoch();
  Clock::duration worst{0};
  for (const HttpMessage& request : writes(server)) {
    const std::chrono::milliseconds window(
        std::strtoll(request.body.c_str() + request.body.rfind(' '), nullptr, 10));
    worst =
        std::max<Clock::duration>(worst, request.at.time_since_epoch() + offset - window - 200ms);
  }
  return worst;
}

}  // namespace

// A sanitizer wants to be loaded before anything else.
TEST_SUITE_BEGIN("faults_disk" * doctest::skip(is_sanitized));

TEST_CASE("F34: syncs that take 5 s each delay neither a window nor the end") {
  Badflux server;
  server.listen();
  server.set_script(delayed(serve(), 150ms));  // or nothing would be left to sync
  Lives lives({.influxdb_url = server.url(),
               .sets = {"spool.when=always"},
               .environment = shim(
                   "fdatasync",
                   {{"FAULT_ERRNO", "0"}, {"FAULT_FOREVER", "1"}, {"FAULT_DELAY_MS", "20000"}})});
  Load load(lives.begin().port());
  load.run(3s);
  CHECK_MESSAGE(all_is_stored(server, load), lives.tallyd().log());
  const Clock::duration latest = latest_window(server);
  MESSAGE("the latest window came " << latest / 1ms << " ms after its end");
  CHECK(latest <= 5s);    // a window that waited for a sync would take 20 s
  lives.tallyd().stop();  // REQUIREs that it takes less than 5 s
  CHECK(occurrences(lives.tallyd().log(), "a disk does not answer") == 1);
  lives.kill();  // it has ended
  lives.check_points(server.stored());
}

TEST_CASE("F33: whichever call fails, once or for ever, it is said once and no point is lost") {
  struct Row {
    std::string call;
    std::string first;  ///< the number of the call that fails first
    const char* says;
  };
  const Row rows[] = {{"pwrite", "3", "cannot be written: Input/output error"},
                      {"openat", "6", "Input/output error"},
                      {"fallocate", "1", "cannot be begun: Input/output error"},
                      {"fdatasync", "1", "the disk does not confirm what was written"},
                      {"unlink", "1", ""}};  // then a file is sent again, which changes nothing
  for (const Row& row : rows) {
    for (const std::string forever : {"0", "1"}) {
      CAPTURE(row.call);
      CAPTURE(forever);
      Badflux server;
      Lives lives({.influxdb_url = server.url(),
                   .environment = shim(row.call, {{"FAULT_NTH", row.first},
                                                  {"FAULT_ERRNO", "5"},
                                                  {"FAULT_FOREVER", forever}})});
      Load load(lives.begin().port());
      load.run(1s);
      server.listen();
      CHECK_MESSAGE(all_is_stored(server, load), lives.tallyd().log());
      const bool can_unlink = row.call != "unlink";
      CHECK((can_unlink ? is_emptied(lives.spool()) : is_said_to_be_emptied(server)));
      const std::string log = lives.tallyd().log();
      lives.stop();
      // One that fails once may be one that does not matter, such as the cursor's.
      if (*row.says != '\0' && forever == "1") CHECK_MESSAGE(occurrences(log, row.says) > 0, log);
      if (*row.says != '\0') CHECK_MESSAGE(occurrences(log, row.says) <= 3, log);
      const StoredPoints stored = server.stored();
      CHECK(stored.sum(hits_measurement) == static_cast<double>(load.lines()));
      CHECK(stored.overwritten() == 0);
      CHECK_MESSAGE(log.find("spool " + lives.spool().sinks().at(0) + ": spool ") == log.npos, log);
      CHECK(stored.sum("tallyd.points.count", "count", {"state", "dropped"}) == 0);
      lives.check_points(stored);
    }
  }
}

TEST_SUITE_END();
