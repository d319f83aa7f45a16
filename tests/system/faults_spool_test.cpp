// F31, F32, F35, F39, F41, F42, F46 and the promises of the spool: what was flushed is in the
// database, once, whatever ends the process or the disk.

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "faults_rig.hpp"
#include "http_client.hpp"
#include "namespaces.hpp"
#include "spool_files.hpp"

using namespace tally::testing;
using namespace std::chrono_literals;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

namespace {

// After a life whose windows all wait on disk or are stored: what is on disk comes to be stored,
// and no point differs from what it was.
void check_is_sent(Lives& lives, const Badflux& server, const StoredPoints& waiting) {
  CHECK_MESSAGE(is_emptied(lives.spool()), lives.tallyd().log());
  const StoredPoints stored = server.stored();
  check_has_all(stored, waiting);
  CHECK(stored.overwritten() == 0);
  CHECK(stored.doubled() == 0);
  lives.check_points(stored);
}

/// When the window began whose points are in a body.
std::chrono::nanoseconds window_of(const std::string& body) {
  return std::chrono::milliseconds(std::strtoll(body.c_str() + body.rfind(' '), nullptr, 10));
}

mode_t mode_of(const std::string& path) {
  struct stat info {};
  REQUIRE(lstat(path.c_str(), &info) == 0);
  return info.st_mode & 07777;
}

// What a process may make of a file's size from now on.
void limit_file_size(const Tallyd& tallyd, rlim_t bytes) {
  const rlimit limit{bytes, RLIM_INFINITY};
  REQUIRE(prlimit(tallyd.pid(), RLIMIT_FSIZE, &limit, nullptr) == 0);
}

/// What a tallyd said when it had stopped.
struct End {
  std::uint64_t flushed = 0;
  std::uint64_t written = 0;
  std::uint64_t on_disk = 0;
  std::uint64_t dropped = 0;
};
End end_of(const std::string& log) {
  std::string line = line_with(log, "info stopped: ");
  std::erase(line, ',');
  End end;
  const std::size_t at = line.rfind(';');
  REQUIRE_MESSAGE(at != std::string::npos, log);
  REQUIRE(std::sscanf(line.c_str() + at, "; %lu points flushed %lu written %lu on disk %lu dropped",
                      &end.flushed, &end.written, &end.on_disk, &end.dropped) == 4);
  return end;
}

// A limit that holds the log of a test and a small window, and no window of a `WideLoad`.
constexpr rlim_t file_bytes_max = 60'000;

// Hits whose windows take some 140 bytes a series on disk, so 100 kB each.
class WideLoad {
 public:
  explicit WideLoad(std::uint16_t port, int series = 700) : sender_(port) {
    std::minstd_rand random(20240607);
    for (int i = 0; i < series; ++i)
      series_.push_back(std::string(hits) + ":1|c|#shard:" + noise(random, 240));
  }

  bool run_until(const std::function<bool()>& is_true) {
    return eventually(patience, [&] {
      for (const std::string& line : series_) sender_.send_packed(line);
      sender_.flush();
      std::this_thread::sleep_for(30ms);  // the pace of the load; nothing waits for it
      return is_true();
    });
  }
  void run(std::chrono::milliseconds duration) {
    run_until([end = Clock::now() + duration] { return Clock::now() >= end; });
  }
  std::uint64_t lines() const { return sender_.lines(); }

 private:
  StatsdSender sender_;
  std::vector<std::string> series_;
};

void check_all_is_sent_in_the_end(Lives& lives, const Badflux& server, std::uint64_t lines) {
  const auto is_stored = [&] { return server.sum(hits_measurement) == static_cast<double>(lines); };
  CHECK_MESSAGE(eventually(patience, is_stored), lives.tallyd().log());
  CHECK(is_emptied(lives.spool()));
  lives.stop();
  const StoredPoints stored = server.stored();
  CHECK(stored.sum(hits_measurement) == static_cast<double>(lines));
  CHECK(stored.overwritten() == 0);
  CHECK(stored.doubled() == 0);
  CHECK(stored.sum("tallyd.points.count", "count", {"state", "dropped"}) == 0);
  lives.check_points(stored);
}

}  // namespace

TEST_CASE("kill -9 in an outage costs the open window only, and doubles nothing") {
  Influxd influxd;
  Lives lives({.influxdb_url = influxd.url()});
  Load load(lives.begin().port());
  load.run(1s);
  REQUIRE_MESSAGE(all_is_on_disk(lives.spool(), load.lines()), lives.tallyd().log());
  StatsdSender(lives.tallyd().port()).send("fault.open:1|c");
  lives.kill();
  const StoredPoints waiting = lives.spool().waiting();  // whether it has the open window or not
  lives.begin();
  influxd.start();
  CHECK_MESSAGE(all_is_stored(influxd, load), lives.tallyd().log());
  CHECK_MESSAGE(is_emptied(lives.spool()), lives.tallyd().log());
  lives.stop();
  const StoredPoints stored = read_back(influxd);
  CHECK(stored.sum(hits_measurement) == static_cast<double>(load.lines()));
  CHECK(stored.sum("fault.open.count") == waiting.sum("fault.open.count"));
  check_has_all(stored, waiting);
  lives.check_points(stored);
}

TEST_CASE("F35: kills at random moments of an outage leave whole windows, and all are sent once") {
  Badflux server;
  Lives lives({.influxdb_url = server.url()});
  std::minstd_rand random(20240607);
  std::uint64_t lines = 0;
  double before = 0;
  for (int round = 0; round < 8; ++round) {
    CAPTURE(round);
    Load load(lives.begin().port());
    load.run(300ms + std::chrono::milliseconds(random() % 500));
    lives.kill();
    lines += load.lines();
    const double found = lives.spool().waiting().sum(hits_measurement);
    CHECK(found >= before);
    before = found;
  }
  const StoredPoints waiting = lives.spool().waiting();
  CHECK(before > 0);
  CHECK(before <= static_cast<double>(lines));
  lives.begin();
  server.listen();
  check_is_sent(lives, server, waiting);
  CHECK(server.sum(hits_measurement) == before);
  lives.stop();
}

TEST_CASE("F35: kills while the backlog is replayed lose and double nothing") {
  Badflux server;
  Lives lives({.influxdb_url = server.url()});
  Load load(lives.begin().port());
  load.run(3s);
  REQUIRE(all_is_on_disk(lives.spool(), load.lines()));
  lives.kill();
  const StoredPoints waiting = lives.spool().waiting();
  server.listen();
  server.set_script(delayed(serve(), 30ms));
  for (int round = 0; round < 5; ++round) {
    const std::size_t count = server.request_count();
    lives.begin();
    CHECK(eventually(patience, [&] { return server.request_count() >= count + 4; }));
    lives.kill();
  }
  server.set_script(serve());
  lives.begin();
  check_is_sent(lives, server, waiting);
  CHECK(server.sum(hits_measurement) == static_cast<double>(load.lines()));
  lives.stop();
}

TEST_CASE("F46: SIGTERM in an outage leaves all on disk, and the next start sends it") {
  Badflux server;
  Lives lives({.influxdb_url = server.url()});
  Load load(lives.begin().port());
  load.run(600ms);
  lives.tallyd().signal(SIGTERM);
  const auto begin = Clock::now();
  CHECK(lives.tallyd().wait(stop_limit) == 0);
  CHECK(Clock::now() - begin < 5s);
  const std::string log = lives.tallyd().log();
  CHECK(line_with(log, "info stopped: ").find(" 0 dropped") != std::string::npos);
  CHECK(occurrences(log, "stay on disk") == 1);
  lives.kill();  // it has ended: the next one may begin
  const StoredPoints waiting = lives.spool().waiting();
  CHECK(waiting.sum(hits_measurement) == static_cast<double>(load.lines()));
  server.listen();
  lives.begin();
  check_is_sent(lives, server, waiting);
  lives.stop();
}

TEST_CASE("F46: a stop with a mute server, the request in flight, leaves all on disk too") {
  Badflux server;
  server.listen();
  server.set_script(mute());
  Lives lives({.influxdb_url = server.url()});
  Load load(lives.begin().port());
  load.run(1s);
  lives.stop();
  CHECK(lives.spool().waiting().sum(hits_measurement) == static_cast<double>(load.lines()));
  server.set_script(serve());
  lives.begin();
  CHECK(all_is_stored(server, load));
  lives.stop();
}

TEST_CASE("spool.when = always: a healthy server and a kill right after a flush lose nothing") {
  Badflux server;
  server.listen();
  Lives lives({.influxdb_url = server.url(), .sets = {"spool.when=always"}});
  std::uint64_t lines = 0;
  for (int round = 0; round < 4; ++round) {
    Load load(lives.begin().port());
    const double before = server.sum(hits_measurement);
    load.run(300ms);
    CHECK(eventually(patience, [&] { return server.sum(hits_measurement) > before; }));
    lives.kill();
    lines += load.lines();
  }
  const StoredPoints waiting = lives.spool().waiting();
  lives.begin();
  check_is_sent(lives, server, waiting);
  CHECK(server.sum(hits_measurement) <= static_cast<double>(lines));
  lives.stop();
}

TEST_CASE("spool.when = always: what no answer came for is on disk already") {
  Badflux server;
  server.listen();
  server.set_script(mute());
  Lives lives({.influxdb_url = server.url(), .sets = {"spool.when=always"}});
  Load load(lives.begin().port());
  load.run(600ms);
  REQUIRE(all_is_on_disk(lives.spool(), load.lines()));
  CHECK(server.request_count() <= 2);  // the probe of the version, or a write: none was answered
  lives.kill();
  server.set_script(serve());
  const StoredPoints waiting = lives.spool().waiting();
  lives.begin();
  check_is_sent(lives, server, waiting);
  CHECK(server.sum(hits_measurement) == static_cast<double>(load.lines()));
  lives.stop();
}

TEST_CASE("spool.when = always: new windows are not late for a backlog") {
  Badflux server;
  Lives lives({.influxdb_url = server.url(), .sets = {"spool.when=always"}});
  WideLoad load(lives.begin().port(), 3000);
  load.run(4s);
  REQUIRE(all_is_on_disk(lives.spool(), load.lines()));
  // A backlog of so many requests takes many seconds, in which a window could wait behind it.
  server.set_script([](const HttpMessage& head) {
    return content_bytes(head) > 10'000 ? delayed(serve(), 400ms) : serve();
  });
  server.listen();
  StatsdSender sender(lives.tallyd().port());
  // A window that ends before the first answer is of the outage, and part of the backlog.
  REQUIRE(lives.tallyd().wait_for_log("takes points again"));
  for (int i = 1; i <= 3; ++i) {
    sender.send("fault.now:1|c");
    CHECK(eventually(patience, [&] { return server.sum("fault.now.count") == i; }));
  }
  CHECK(server.sum(hits_measurement) < static_cast<double>(load.lines()));
  CHECK(lives.spool().waiting().points() > 0);
  lives.kill();
  server.set_script(serve());
  lives.begin();
  // On a machine that is busy the backlog gives way to live windows, so it may take its time.
  const auto is_stored = [&] {
    return server.sum(hits_measurement) == static_cast<double>(load.lines());
  };
  CHECK_MESSAGE(eventually(2 * patience, is_stored), lives.tallyd().log());
  CHECK(is_emptied(lives.spool()));
  lives.stop();
  CHECK(server.sum(hits_measurement) == static_cast<double>(load.lines()));
  CHECK(server.sum("fault.now.count") == 3);
  CHECK(server.stored().overwritten() == 0);
}

TEST_CASE("an outage at 20,000 lines a second loses nothing, and live windows stay in time") {
  Badflux server;
  Lives lives({.influxdb_url = server.url()});
  StatsdSender sender(lives.begin().port(), IpVersion::v4);
  const auto send_for = [&](std::chrono::seconds duration) {
    const auto begin = Clock::now();
    for (auto next = begin; next < begin + duration; next += 10ms) {
      for (int i = 0; i < 200; ++i)
        sender.send_packed("fault.hits:1|c|#shard:" + std::to_string(sender.lines() % 1000));
      sender.flush();
      std::this_thread::sleep_until(next + 10ms);  // the pace of the load
    }
  };
  send_for(outage_wanted(6s));
  server.listen();
  while (server.sum(hits_measurement) == 0) send_for(1s);
  send_for(2s);
  const auto is_stored = [&] {
    return server.sum(hits_measurement) == static_cast<double>(sender.lines());
  };
  CHECK_MESSAGE(eventually(patience, is_stored), lives.tallyd().log());
  CHECK(is_emptied(lives.spool()));
  lives.stop();
  const StoredPoints stored = server.stored();
  CHECK(stored.sum(hits_measurement) == static_cast<double>(sender.lines()));
  CHECK(stored.overwritten() == 0);
  CHECK(stored.doubled() == 0);
  CHECK(stored.sum("tallyd.points.count", "count", {"state", "dropped"}) == 0);
  lives.check_points(stored);
  // A live window is one that was opened after the first answer. Requests are noted by the
  // monotonic clock, windows are stamped by the other.
  const auto offset =
      std::chrono::system_clock::now().time_since_epoch() - Clock::now().time_since_epoch();
  const auto requests = writes(server);
  std::size_t live = 0;
  std::chrono::nanoseconds worst{0};
  for (const HttpMessage& request : requests) {
    const auto window = window_of(request.body);
    if (window < requests.front().at.time_since_epoch() + offset) continue;
    ++live;
    worst = std::max(worst, request.at.time_since_epoch() + offset - window - 200ms);
  }
  CHECK(live > 5);
  CHECK(requests.size() > live + 20);  // the backlog was replayed beside them
  MESSAGE("the latest live window came " << worst / 1ms << " ms after its end");
  if (!is_sanitized) CHECK(worst <= 200ms);
}

TEST_CASE("F31: a spool that is missing is made, 0700, and below it one folder a destination") {
  Badflux server;
  Lives lives({.influxdb_url = server.url()});
  lives.begin();
  CHECK(mode_of(lives.spool().root()) == 0700);
  REQUIRE(lives.spool().sinks().size() == 1);
  CHECK(mode_of(lives.spool().sinks()[0]) == 0700);
  lives.kill();
}

TEST_CASE("F31: a spool that cannot be used is said once, and points wait in memory") {
  struct Row {
    const char* name;
    std::function<void(const std::string& path)> make;
    const char* says;
  };
  TemporaryDirectory elsewhere;
  const Row rows[] = {
      {"a symbolic link",
       [&](const std::string& path) { fs::create_directory_symlink(elsewhere.path(), path); },
       "it is a symbolic link, which is not followed"},
      {"a dangling link",
       [&](const std::string& path) {
         fs::create_directory_symlink(elsewhere.path() + "/none", path);
       },
       "it is a symbolic link, which is not followed"},
      {"world-writable",
       [](const std::string& path) {
         fs::create_directory(path);
         fs::permissions(path, fs::perms::all);
       },
       "others may write to it: chmod go-w it"},
      {"a file", [](const std::string& path) { std::ofstream(path) << "not a folder"; },
       "Not a directory"},
      {"where nothing can be made",
       [](const std::string& path) { fs::create_directory_symlink("/proc/self/fdinfo", path); },
       "it is a symbolic link, which is not followed"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    TemporaryDirectory directory;
    const std::string path = directory.path() + "/spool";
    row.make(path);
    Badflux server;
    Tallyd tallyd({.influxdb_url = server.url(),
                   .interval = "200ms",
                   .sets = {"spool.min_free=0", "spool.directory=\"" + path + "\""}});
    Load load(tallyd.port());
    load.run(300ms);
    CHECK(tallyd.wait_for_log(row.says));
    CHECK_MESSAGE(occurrences(tallyd.log(), row.says) == 1, tallyd.log());
    CHECK(line_with(tallyd.log(), row.says).find("wait in memory only") != std::string::npos);
    server.listen();
    finish(tallyd, server, load);
    CHECK(fs::is_empty(elsewhere.path()));
  }
}

TEST_CASE("F31: a destination's folder that others can write to, or a link in its place, is left") {
  for (const bool is_link : {false, true}) {
    CAPTURE(is_link);
    TemporaryDirectory elsewhere;
    Badflux server;
    Lives lives({.influxdb_url = server.url()});
    lives.begin();
    lives.kill();
    const std::string sink = lives.spool().sinks().at(0);
    if (is_link) {
      fs::remove_all(sink);
      fs::create_directory_symlink(elsewhere.path(), sink);
    } else {
      fs::permissions(sink, fs::perms::all);
    }
    Load load(lives.begin().port());
    load.run(300ms);
    CHECK(lives.tallyd().wait_for_log("wait in memory only"));
    CHECK(occurrences(lives.tallyd().log(), "wait in memory only") == 1);
    server.listen();
    CHECK(all_is_stored(server, load));
    lives.stop();
    CHECK(fs::is_empty(elsewhere.path()));
    if (!is_link) CHECK(segments_in(sink).empty());
  }
}

TEST_CASE("F32: with a full disk points wait in memory, then go to disk, then to the server") {
  Badflux server;
  Lives lives({.influxdb_url = server.url()});
  WideLoad load(lives.begin().port());
  limit_file_size(lives.tallyd(), file_bytes_max);
  const auto is_said = [&] {
    return occurrences(lives.tallyd().log(), "points wait in memory until the disk") == 1;
  };
  REQUIRE_MESSAGE(load.run_until(is_said), lives.tallyd().log());
  load.run(600ms);
  CHECK_MESSAGE(is_said(), lives.tallyd().log());
  CHECK(lives.spool().waiting().sum(hits_measurement) < static_cast<double>(load.lines()));
  limit_file_size(lives.tallyd(), RLIM_INFINITY);
  CHECK(load.run_until(
      [&] { return lives.tallyd().log().find("takes points again") != std::string::npos; }));
  REQUIRE_MESSAGE(all_is_on_disk(lives.spool(), load.lines()), lives.tallyd().log());
  server.listen();
  check_all_is_sent_in_the_end(lives, server, load.lines());
}

TEST_CASE("F32: with a disk that stays full what memory holds goes out when the server is up") {
  Badflux server;
  Lives lives({.influxdb_url = server.url()});
  WideLoad load(lives.begin().port());
  limit_file_size(lives.tallyd(), file_bytes_max);
  load.run(1500ms);
  server.listen();
  load.run(400ms);
  check_all_is_sent_in_the_end(lives, server, load.lines());
}

TEST_CASE("F32: a stop with a full disk and no server counts and says what is lost") {
  Badflux server;
  Lives lives({.influxdb_url = server.url()});
  WideLoad load(lives.begin().port());
  limit_file_size(lives.tallyd(), file_bytes_max);
  load.run(600ms);
  lives.tallyd().stop();
  const std::string log = lives.tallyd().log();
  CHECK_MESSAGE(log.find("nor did the disk") != std::string::npos, log);
  const End end = end_of(log);
  CHECK(end.dropped > 0);
  CHECK(end.flushed == end.written + end.on_disk + end.dropped);
  lives.kill();  // it has ended: the spool is free
  CHECK(lives.spool().waiting().points() == end.on_disk);
}

TEST_CASE("F32: a file system without space is survived, and used again when it has some" *
          doctest::skip(!may_make_namespaces())) {
  Badflux server;
  Lives lives({.influxdb_url = server.url()});
  fs::create_directory(lives.spool().root());
  const SmallDisk disk(lives.spool().root(), 12 << 20);
  WideLoad load(lives.begin().port(), 3000);
  // The first segment has reserved its 8 MiB: it is the next that finds no place.
  const auto is_said = [&] {
    return occurrences(lives.tallyd().log(), "points wait in memory until the disk") == 1;
  };
  REQUIRE_MESSAGE(load.run_until(is_said), lives.tallyd().log());
  const std::string said = line_with(lives.tallyd().log(), "points wait in memory until the disk");
  CHECK_MESSAGE(said.find("No space left on device") != std::string::npos, said);
  load.run(1s);
  CHECK(lives.spool().waiting().sum(hits_measurement) < static_cast<double>(load.lines()));
  disk.grow(64 << 20);
  const auto begin = Clock::now();
  CHECK(load.run_until(
      [&] { return lives.tallyd().log().find("takes points again") != std::string::npos; }));
  CHECK(Clock::now() - begin < 30s);
  REQUIRE_MESSAGE(all_is_on_disk(lives.spool(), load.lines()), lives.tallyd().log());
  server.listen();
  check_all_is_sent_in_the_end(lives, server, load.lines());
}

TEST_CASE("F39: a full spool drops the oldest, counts it exactly and keeps to its bound") {
  Badflux server;
  Lives lives({.influxdb_url = server.url(), .sets = {"spool.max_bytes=16MiB"}});
  StatsdSender sender(lives.begin().port());
  std::minstd_rand random(20240607);
  std::uintmax_t most = 0;
  const auto on_disk = [&] {
    std::uintmax_t sum = 0;
    for (const fs::path& path : segments_in(lives.spool().sinks().at(0))) {
      std::error_code gone;
      const auto size = fs::file_size(path, gone);
      if (!gone) sum += size;
    }
    return sum;
  };
  const auto has_dropped = [&] {
    return lives.tallyd().log().find("full (16MiB): dropped the oldest") != std::string::npos;
  };
  const auto give_up = Clock::now() + patience;
  while (!has_dropped() && Clock::now() < give_up) {
    for (int i = 0; i < 500; ++i) sender.send_packed("fault.wide:1|c|#k:" + noise(random, 240));
    most = std::max(most, on_disk());
  }
  CHECK_MESSAGE(has_dropped(), lives.tallyd().log());
  sender.send_packed("fault.newest:1|c");
  sender.flush();
  CHECK(most <= (16 << 20) + (8 << 20));
  server.listen();
  CHECK(eventually(patience, [&] { return server.sum("fault.newest.count") == 1; }));
  CHECK(is_emptied(lives.spool()));
  lives.tallyd().stop();
  const End end = end_of(lives.tallyd().log());
  const StoredPoints stored = server.stored();
  CHECK(end.on_disk == 0);
  CHECK(end.dropped > 0);
  CHECK(end.flushed == end.written + end.dropped);
  CHECK(stored.points() == end.written);
  CHECK(stored.overwritten() == 0);
  // Windows that told of drops were dropped too, but not all of them.
  const double told = stored.sum("tallyd.points_dropped.count", "count", {"reason", "spool_full"});
  CHECK(told > 0);
  CHECK(told <= static_cast<double>(end.dropped));
  CHECK(check_points_at_every_window(stored, {.is_whole = false}) > 0);
  lives.kill();  // it has ended
}

TEST_CASE("F41: a second tallyd on the same spool ends with 1 within 2 s and names the first") {
  Badflux server;
  Lives lives({.influxdb_url = server.url()});
  lives.begin();
  TemporaryDirectory directory;
  const auto begin = Clock::now();
  Process second(
      tallyd_command({.influxdb_url = server.url(), .sets = lives.spool().sets()}, directory));
  CHECK(second.wait(patience) == 1);
  if (!is_sanitized) CHECK(Clock::now() - begin < 2s);
  const std::string says = "spool in use by pid " + std::to_string(lives.tallyd().pid());
  CHECK_MESSAGE(second.log().find(says) != std::string::npos, second.log());
  lives.stop();
  lives.begin();  // the lock ends with its process
  lives.stop();
}

TEST_CASE("F42: a segment of a newer format is left and named, and the start goes on") {
  Badflux server;
  Lives lives({.influxdb_url = server.url()});
  Load before(lives.begin().port());
  before.run(300ms);
  lives.stop();
  const auto segments = segments_in(lives.spool().sinks().at(0));
  REQUIRE(segments.size() == 1);
  const auto size = fs::file_size(segments[0]);
  make_newer(segments[0]);
  Load load(lives.begin().port());
  const std::string name = segments[0].filename();
  CHECK(lives.tallyd().wait_for_log(name + " has version 2"));  // read behind open sockets
  load.run(300ms);
  server.listen();
  CHECK(all_is_stored(server, load));
  CHECK(occurrences(lives.tallyd().log(), name + " has version 2") == 1);
  lives.stop();
  CHECK(fs::file_size(segments[0].string() + ".unknown") == size);
}

TEST_CASE("dead letters: a refused line is kept, printed, put back and sent when it is taken") {
  Badflux server(ServerKind::influx_1, {.refuse = [](std::string_view line) {
                   return std::string(line.starts_with("fault.bad") ? "missing field value" : "");
                 }});
  server.listen();
  Lives lives({.influxdb_url = server.url()});
  Load load(lives.begin().port());
  load.one_each();
  StatsdSender(lives.tallyd().port()).send("fault.bad:7|c");
  const auto is_dead = [&] {
    return server.stored().sum("tallyd.points.count", "count", {"state", "dead_lettered"}) == 1;
  };
  CHECK_MESSAGE(eventually(patience, is_dead), lives.tallyd().log());
  const std::string dead = lives.spool().verb("dead");
  CHECK_MESSAGE(dead.find("fault.bad.count,host=testhost ") != std::string::npos, dead);
  CHECK_MESSAGE(dead.find("missing field value") != std::string::npos, dead);
  CHECK(occurrences(dead, "\n") == 1);
  lives.stop();
  lives.check_points(server.stored());

  std::vector<std::string> arguments = {"spool", "retry-dead", "--set",
                                        "influxdb.url=" + server.url()};
  for (const std::string& set : lives.spool().sets())
    arguments.insert(arguments.end(), {"--set", set});
  Process retry({.path = TALLYD, .arguments = arguments});
  CHECK(retry.wait(patience) == 0);
  CHECK_MESSAGE(retry.output().find("1 dead letters wait again") != std::string::npos,
                retry.output() << retry.log());
  CHECK(lives.spool().verb("dead") == "");
  server.change_rules([](FakeInfluxRules& rules) { rules.refuse = nullptr; });
  lives.begin();
  CHECK(eventually(patience, [&] { return server.sum("fault.bad.count") == 7; }));
  lives.stop();
  CHECK(server.sum("fault.bad.count") == 7);
  CHECK(server.sum(hits_measurement) == static_cast<double>(load.lines()));
}

TEST_CASE(
    "spool list and cat work beside a running tallyd, and a real influxd takes cat's output") {
  Influxd influxd;
  influxd.start();
  influxd.query("", "CREATE DATABASE metric");
  Badflux server;
  Lives lives({.influxdb_url = server.url()});
  Load load(lives.begin().port());
  load.run(600ms);
  REQUIRE(all_is_on_disk(lives.spool(), load.lines()));
  const std::string list = lives.spool().verb("list");
  CHECK_MESSAGE(list.find(" points wait, 0 dead letters") != std::string::npos, list);
  lives.stop();
  const std::string text = lives.spool().verb("cat");
  const HttpAnswer answer = http_request({.url = influxd.url() + "/write?db=metric", .form = text});
  CHECK_MESSAGE(answer.status == 204, answer.body);
  const StoredPoints waiting = lives.spool().waiting();
  const StoredPoints stored = read_back(influxd);
  CHECK(stored.points() == waiting.points());
  CHECK(stored.sum(hits_measurement) == static_cast<double>(load.lines()));
  check_has_all(stored, waiting);
}

TEST_CASE("F26: a line that makes the server fail is found among those on disk, and buried") {
  Badflux server(ServerKind::influx_1,
                 {.breaks = [](std::string_view line) { return line.starts_with("fault.bad"); }});
  Lives lives({.influxdb_url = server.url()});
  Load load(lives.begin().port(), 50);
  load.one_each();
  StatsdSender(lives.tallyd().port()).send("fault.bad:1|c");
  load.run(600ms);
  REQUIRE(all_is_on_disk(lives.spool(), load.lines()));
  server.listen();
  CHECK_MESSAGE(all_is_stored(server, load), lives.tallyd().log());
  const auto is_dead = [&] {
    return server.stored().sum("tallyd.points.count", "count", {"state", "dead_lettered"}) == 1;
  };
  CHECK_MESSAGE(eventually(patience, is_dead), lives.tallyd().log());
  CHECK(is_emptied(lives.spool()));
  lives.stop();
  lives.check_points(server.stored());
  CHECK(occurrences(lives.spool().verb("dead"), "\n") == 1);
}
