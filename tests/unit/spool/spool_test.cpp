#include "spool/spool.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "spool_rig.hpp"

using namespace tally;
using namespace tally::testing;
using namespace std::chrono_literals;

namespace fs = std::filesystem;

namespace {

std::string refusal(const SpoolSettings& settings) {
  const auto opened = Spool::open(settings, test_now);
  return opened ? "" : opened.error().message;
}

/// A spool of `count` records in small segments, closed again.
void fill(const Scratch& scratch, std::uint64_t count) {
  put_all(*open_spool(small_spool(scratch)), 1, count);
}

/// What a spool that was damaged may still give: all but at most `lost` of [1, count], in order.
void check_survivors(const Scratch& scratch, std::uint64_t count, std::uint64_t lost) {
  const auto spool = open_spool(small_spool(scratch));
  const SpoolCounts opened = spool->counts();
  const std::vector<std::uint64_t> found = drain(*spool);
  CHECK(std::ranges::is_sorted(found));
  CHECK(std::ranges::adjacent_find(found) == found.end());
  CHECK(found.size() + lost >= count);
  CHECK(found.size() <= count);
  CHECK(opened.records_damaged == count - found.size());
  CHECK(opened.dropped_damaged == 3 * (count - found.size()));
  CHECK(spool->counts().balances());
}

}  // namespace

TEST_CASE("spool: first in, first out, byte for byte") {
  const Scratch scratch;
  const auto spool = open_spool(small_spool(scratch));
  CHECK_FALSE(spool->front(test_now));
  spool->ack();  // of nothing
  put_all(*spool, 1, 100);
  CHECK(scratch.files().size() > 3);
  CHECK(drain(*spool) == ids(1, 100));
  CHECK(spool->counts().acked == 300);
  CHECK(spool->counts().balances());
  CHECK(spool->empty());
}

TEST_CASE("spool: when all is acknowledged no file is left, and it goes on") {
  const Scratch scratch;
  const auto spool = open_spool(small_spool(scratch));
  for (std::uint64_t id = 1; id <= 5; ++id) {
    put_all(*spool, id, id);
    CHECK(drain(*spool) == ids(id, id));
    CHECK(scratch.files("").empty());
  }
}

TEST_CASE("spool: what is not acknowledged is given again, also after a restart") {
  const Scratch scratch;
  {
    const auto spool = open_spool(small_spool(scratch));
    put_all(*spool, 1, 50);
    for (int i = 0; i < 7; ++i) {
      CHECK(spool->front(test_now));
      spool->ack();
    }
    CHECK(id_of(*spool->front(test_now)) == 8);
    CHECK(id_of(*spool->front(test_now)) == 8);
  }
  const auto spool = open_spool(small_spool(scratch));
  CHECK(spool->counts().recovered == 3 * 43);
  put_all(*spool, 51, 60);
  CHECK(drain(*spool) == ids(8, 60));
  CHECK(spool->counts().balances());
}

TEST_CASE("spool: large payloads are small on disk and come back whole") {
  const Scratch scratch;
  SpoolSettings settings = small_spool(scratch);
  settings.bytes_max = 8 << 20;
  const auto spool = open_spool(settings);
  const Payload large = payload_of(1, 50'000);
  CHECK_FALSE(spool->put(large, test_now));
  CHECK(spool->bytes() < large.body.size() / 3);
  CHECK(id_of(*spool->front(test_now)) == 1);
}

TEST_CASE("spool: a payload that does not fit at all stays with the caller, and drops nothing") {
  const Scratch scratch;
  SpoolSettings settings = small_spool(scratch);
  settings.bytes_max = 4096;
  const auto spool = open_spool(settings);
  put_all(*spool, 1, 3);
  Payload huge = payload_of(4);
  std::mt19937 random(1);
  for (int i = 0; i < 10'000; ++i) huge.body += static_cast<char>(random());  // nothing to gzip
  const Status failed = spool->put(huge, test_now);
  REQUIRE(failed);
  CHECK(failed->message.find("larger than the spool takes") != std::string::npos);
  CHECK(spool->counts().put_failures == 1);
  CHECK(drain(*spool) == ids(1, 3));
}

TEST_CASE("spool: a body that would be too large to unpack is not taken, small as it packs") {
  const Scratch scratch;
  SpoolSettings settings = small_spool(scratch);
  settings.bytes_max = 16 << 20;
  const auto spool = open_spool(settings);
  Payload largest{.body = std::string(spool_body_bytes_max, 'x'), .points = 1, .window = test_now};
  CHECK_FALSE(spool->put(largest, test_now));
  largest.body += 'x';
  CHECK(spool->put(largest, test_now));
  CHECK(spool->front(test_now)->body.size() == spool_body_bytes_max);
}

TEST_CASE("spool: windows say from when to when points wait") {
  const Scratch scratch;
  const auto spool = open_spool(small_spool(scratch));
  CHECK_FALSE(spool->oldest());
  put_all(*spool, 1, 100);
  CHECK(*spool->oldest() == test_now + 1s);
  CHECK(*spool->newest() == test_now + 100s);
}

TEST_CASE("spool: points beyond age_max are dropped and counted, younger ones are not") {
  const Scratch scratch;
  SpoolSettings settings = small_spool(scratch);
  settings.age_max = 1h;
  const auto spool = open_spool(settings);
  put_all(*spool, 1, 100);
  const WallTime later = test_now + 1h + 51s;
  CHECK(id_of(*spool->front(later)) == 51);
  CHECK(spool->counts().dropped_expired == 150);
  CHECK(spool->counts().balances());
  CHECK_FALSE(spool->front(later + 24h));
  // All of it is said, in few lines: whole segments together, and the one that was read in part.
  const std::string said = findings(*spool);
  std::uint64_t points = 0, lines = 0;
  constexpr std::string_view mark = "dropped ";
  for (std::size_t at = said.find(mark); at != said.npos; at = said.find(mark, at + 1), ++lines)
    points += std::strtoull(said.c_str() + at + mark.size(), nullptr, 10);
  CHECK_MESSAGE(points == 300, said);
  CHECK_MESSAGE(lines <= 3, said);
  CHECK_MESSAGE(said.find(" points older than 1 h (spool.max_age)") != said.npos, said);
}

TEST_CASE("spool: segments that are too old go although nobody reads") {
  const Scratch scratch;
  SpoolSettings settings = small_spool(scratch);
  settings.age_max = 1h;
  const auto spool = open_spool(settings);
  put_all(*spool, 1, 100);
  const std::size_t files = scratch.files().size();
  Payload payload = payload_of(20'000);
  for (int i = 0; i < 20; ++i) CHECK_FALSE(spool->put(payload, test_now + 20'000s));
  CHECK(scratch.files().size() < files);
  CHECK(spool->counts().dropped_expired > 250);
  CHECK(findings(*spool).find("older than 1 h (spool.max_age)") != std::string::npos);
  CHECK(id_of(*spool->front(test_now + 20'000s)) == 20'000);
  CHECK(spool->counts().dropped_expired == 300);
  CHECK(spool->counts().balances());
}

// --- What is fresh ---

TEST_CASE("spool: what is fresh does not wait behind the rest, and is done without it") {
  const Scratch scratch;
  const auto spool = open_spool(small_spool(scratch));
  CHECK_FALSE(spool->fresh(test_now));
  spool->ack_fresh();  // of nothing
  put_all(*spool, 1, 36);
  const std::size_t files = scratch.files().size();
  for (std::uint64_t id = 100; id < 110; ++id) {
    CHECK_FALSE(spool->put_fresh(payload_of(id), test_now));
    CHECK(id_of(*spool->front(test_now)) == 1);
    CHECK(id_of(*spool->fresh(test_now)) == id);
    CHECK(scratch.files().size() == files + 1);
    spool->ack_fresh();
    CHECK(scratch.files().size() == files);  // it takes no place from what waits
    CHECK(spool->counts().balances());
  }
  CHECK(spool->fresh_bytes() == 0);
  CHECK(drain(*spool) == ids(1, 36));
}

TEST_CASE("spool: what was fresh is set back behind the rest, what was given among it") {
  const Scratch scratch;
  const auto spool = open_spool(small_spool(scratch));
  put_all(*spool, 1, 3);
  for (std::uint64_t id = 10; id < 40; ++id)  // several segments
    CHECK_FALSE(spool->put_fresh(payload_of(id), test_now));
  CHECK(id_of(*spool->fresh(test_now)) == 10);
  spool->ack_fresh();
  CHECK(id_of(*spool->fresh(test_now)) == 11);
  spool->set_back();
  CHECK_FALSE(spool->fresh(test_now));
  put_all(*spool, 50, 51);
  CHECK_FALSE(spool->put_fresh(payload_of(60), test_now));
  std::vector<std::uint64_t> all = ids(1, 3);
  for (const auto& more : {ids(11, 39), ids(50, 51)})
    all.insert(all.end(), more.begin(), more.end());
  CHECK(drain(*spool) == all);
  CHECK(id_of(*spool->fresh(test_now)) == 60);
  CHECK(spool->counts().balances());
}

TEST_CASE("spool: a full one drops what waits before what is fresh") {
  const Scratch scratch;
  const auto spool = open_spool(small_spool(scratch));
  put_all(*spool, 1, 36);
  std::uint64_t id = 100;
  while (spool->front(test_now)) {
    CHECK_FALSE(spool->put_fresh(payload_of(id++), test_now));
  }
  CHECK(spool->counts().dropped_full >= 3 * 36);
  for (const std::uint64_t before = spool->counts().dropped_full;
       spool->counts().dropped_full == before;)
    CHECK_FALSE(spool->put_fresh(payload_of(id++), test_now));
  CHECK(id_of(*spool->fresh(test_now)) > 100);
  CHECK(spool->counts().balances());
}

TEST_CASE("spool: both queues are found again after a restart, oldest segment first") {
  const Scratch scratch;
  {
    const auto spool = open_spool(small_spool(scratch));
    put_all(*spool, 1, 3);
    CHECK_FALSE(spool->put_fresh(payload_of(10), test_now));
    put_all(*spool, 4, 4);
  }
  std::vector<std::uint64_t> all = ids(1, 4);
  all.push_back(10);
  CHECK(drain(*open_spool(small_spool(scratch))) == all);
}

// --- Syncing ---

TEST_CASE("spool: a sync is due once there is something to sync, and one at a time") {
  const Scratch scratch;
  const auto spool = open_spool(small_spool(scratch));
  CHECK_FALSE(spool->start_sync());
  put_all(*spool, 1, 40);  // several segments
  const auto sync = spool->start_sync();
  REQUIRE(sync);
  CHECK_FALSE(spool->start_sync());
  CHECK_FALSE(sync->run());
  spool->end_sync({});
  CHECK_FALSE(spool->start_sync());
  put_all(*spool, 41, 41);
  CHECK(spool->start_sync());
}

TEST_CASE("spool: a sync may outlive the spool") {
  const Scratch scratch;
  auto spool = open_spool(small_spool(scratch));
  put_all(*spool, 1, 1);
  const auto sync = spool->start_sync();
  spool.reset();
  CHECK_FALSE(sync->run());
}

TEST_CASE("spool: what the disk does not confirm is said once, never synced again, never lost") {
  const Scratch scratch;
  const auto spool = open_spool(small_spool(scratch));
  put_all(*spool, 1, 2);
  for (int failure = 1; failure <= 2; ++failure) {
    REQUIRE(spool->start_sync());
    spool->end_sync(Error{"Input/output error", EIO});
    CHECK_FALSE(spool->start_sync());
    CHECK(spool->counts().sync_failures == static_cast<std::uint64_t>(failure));
    const std::string said = findings(*spool);
    CHECK((said.find("does not confirm") != std::string::npos) == (failure == 1));
    put_all(*spool, 2 + static_cast<std::uint64_t>(failure),
            2 + static_cast<std::uint64_t>(failure));
    CHECK(scratch.files().size() == static_cast<std::size_t>(failure) + 1);
  }
  CHECK(spool->counts().points_not_durable == 9);
  CHECK(drain(*spool) == ids(1, 4));
}

TEST_CASE("spool: policies other than interval leave nothing for the caller to sync") {
  for (const SpoolSyncPolicy policy : {SpoolSyncPolicy::always, SpoolSyncPolicy::never}) {
    const Scratch scratch;
    SpoolSettings settings = small_spool(scratch);
    settings.sync = policy;
    const auto spool = open_spool(settings);
    put_all(*spool, 1, 40);
    CHECK_FALSE(spool->start_sync());
    CHECK(drain(*spool) == ids(1, 40));
  }
}

// --- F31: who may open it ---

TEST_CASE("spool F31: a missing directory is made, for us alone") {
  const Scratch scratch;
  const auto spool = open_spool(small_spool(scratch));
  put_all(*spool, 1, 1);
  struct stat info {};
  for (const std::string& path : {scratch.path() + "/spool", scratch.spool()}) {
    REQUIRE(stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0700);
  }
  REQUIRE(stat((scratch.spool() + "/" + scratch.files().front()).c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
}

TEST_CASE("spool F31: a directory that is not safe is refused, with what to do") {
  struct Row {
    std::string_view name;
    void (*prepare)(const Scratch&);
    std::string_view said;
  };
  const Row rows[] = {
      {"writable by all", [](const Scratch& s) { chmod(s.spool().c_str(), 0777); },
       "others may write to it: chmod go-w it"},
      {"writable by the group", [](const Scratch& s) { chmod(s.spool().c_str(), 0770); },
       "others may write to it"},
      {"the one above writable by all",
       [](const Scratch& s) { chmod((s.path() + "/spool").c_str(), 0777); },
       "others may write to it"},
      {"a symbolic link",
       [](const Scratch& s) {
         fs::rename(s.spool(), s.path() + "/elsewhere");
         fs::create_symlink(s.path() + "/elsewhere", s.spool());
       },
       "it is a symbolic link"},
      {"the one above a symbolic link",
       [](const Scratch& s) {
         fs::rename(s.path() + "/spool", s.path() + "/elsewhere");
         fs::create_symlink(s.path() + "/elsewhere", s.path() + "/spool");
       },
       "it is a symbolic link"},
      {"a file",
       [](const Scratch& s) {
         fs::remove_all(s.spool());
         std::ofstream(s.spool()) << "x";
       },
       "Not a directory; give tallyd a directory"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Scratch scratch;
    fs::create_directories(scratch.spool());
    row.prepare(scratch);
    CHECK(refusal(small_spool(scratch)).find(row.said) != std::string::npos);
    CHECK_FALSE(fs::exists(scratch.path() + "/elsewhere/LOCK"));
  }
}

TEST_CASE("spool F31: a directory of another user is refused") {
  const Scratch scratch;
  SpoolSettings settings = small_spool(scratch);
  fs::create_directories(scratch.spool());
  // Without the right to give files away, one of root's has to do.
  if (chown(scratch.spool().c_str(), 12345, static_cast<gid_t>(-1)) != 0)
    settings.directory = "/usr";
  CHECK(refusal(settings).find("it belongs to user ") != std::string::npos);
}

TEST_CASE("spool F31: a directory that cannot be made is refused") {
  const Scratch scratch;
  SpoolSettings settings = small_spool(scratch);
  settings.directory = "/proc/tallyd/db-00000007";
  CHECK(refusal(settings).find("give tallyd a directory that it can write to") !=
        std::string::npos);
}

TEST_CASE("spool F31: links and pipes called like segments are not followed") {
  const Scratch scratch;
  fill(scratch, 3);
  std::ofstream(scratch.path() + "/target") << "precious";
  fs::create_symlink(scratch.path() + "/target", scratch.spool() + "/seg-0000000000000009.lp");
  REQUIRE(mkfifo((scratch.spool() + "/seg-0000000000000008.lp").c_str(), 0600) == 0);
  fs::create_directory(scratch.spool() + "/seg-0000000000000007.lp");
  const auto spool = open_spool(small_spool(scratch));
  CHECK(drain(*spool) == ids(1, 3));
  put_all(*spool, 4, 4);
  CHECK(fs::file_size(scratch.path() + "/target") == 8);
}

// --- F32: the disk is full ---

TEST_CASE("spool F32: short of free space nothing is written or dropped, and it says how much") {
  const Scratch scratch;
  fill(scratch, 3);
  SpoolSettings settings = small_spool(scratch);
  settings.free_bytes_min = std::uint64_t{1} << 60;
  const auto spool = open_spool(settings);
  const Status failed = spool->put(payload_of(4), test_now);
  REQUIRE(failed);
  CHECK(failed->message.find(
            ": make room, or put spool.directory on another disk; 3 points stay in memory") !=
        std::string::npos);
  CHECK(drain(*spool) == ids(1, 3));
}

TEST_CASE("spool F32: a short write is taken back, and the next put goes well again") {
  std::signal(SIGXFSZ, SIG_IGN);
  const Scratch scratch;
  SpoolSettings settings = small_spool(scratch);
  settings.segment_bytes = 64 << 10;
  const auto spool = open_spool(settings);
  put_all(*spool, 1, 10);
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const rlimit tight{.rlim_cur = spool->bytes() + 60, .rlim_max = before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &tight) == 0);
  const Status failed = spool->put(payload_of(11), test_now);
  const std::uint64_t bytes = scratch.spool_bytes();
  REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);

  REQUIRE(failed);
  CHECK(failed->code == EFBIG);
  CHECK(failed->message.find("3 points stay in memory") != std::string::npos);
  CHECK(bytes == spool->bytes());
  put_all(*spool, 11, 12);
  CHECK(spool->counts().put == 36);
  CHECK(ids_on_disk(scratch) == ids(1, 12));
  CHECK(drain(*spool) == ids(1, 12));
  CHECK(spool->counts().balances());
}

// --- F36, F37, F38: damage ---

TEST_CASE("spool F36: cut anywhere in the last two records, only what is cut is lost") {
  const Scratch scratch;
  fill(scratch, 8);
  REQUIRE(scratch.files().size() == 1);
  const std::string name = scratch.files().front();
  const std::string whole = scratch.read(name);
  const std::size_t record = (whole.size() - segment_header_bytes) / 8;
  for (std::size_t size = whole.size() - 2 * record; size < whole.size(); ++size) {
    CAPTURE(size);
    scratch.remove("cursor");
    scratch.write(name, whole.substr(0, size));
    const auto spool = open_spool(small_spool(scratch));
    const std::uint64_t left = (size - segment_header_bytes) / record;
    const bool is_between = (size - segment_header_bytes) % record == 0;
    CHECK(spool->counts().waiting == 3 * left);
    CHECK(spool->counts().records_damaged == (is_between ? 0 : 1));
    CHECK(spool->counts().dropped_damaged == (is_between ? 0 : 3));
    CHECK(fs::file_size(scratch.spool() + "/" + name) == segment_header_bytes + left * record);
    put_all(*spool, left + 1, 9);
    CHECK(drain(*spool) == ids(1, 9));
    CHECK(spool->counts().balances());
  }
}

TEST_CASE("spool F37: of 10,000 flipped bits none changes a line or costs more than a record") {
  constexpr std::uint64_t count = 36;
  const Scratch scratch;
  fill(scratch, count);
  const std::vector<std::string> names = scratch.files();
  REQUIRE(names.size() == 3);
  std::vector<std::string> whole;
  for (const std::string& name : names) whole.push_back(scratch.read(name));
  std::mt19937 random(37);
  std::uint64_t lost = 0;
  for (int flip = 0; flip < 10'000; ++flip) {
    scratch.remove("cursor");
    for (std::size_t i = 0; i < names.size(); ++i) scratch.write(names[i], whole[i]);
    const std::size_t file = random() % names.size();
    const std::size_t bit = random() % (whole[file].size() * 8);
    std::string flipped = whole[file];
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    scratch.write(names[file], flipped);
    const auto spool = open_spool(small_spool(scratch));
    const SpoolCounts opened = spool->counts();
    const std::uint64_t found = drain(*spool).size();  // checks each line
    lost += count - found;
    if (found + 1 < count || found + opened.records_damaged != count || !spool->counts().balances())
      FAIL("bit " << bit << " of file " << file << ": " << found << " records left, "
                  << opened.records_damaged << " counted as lost");
  }
  CHECK(lost > 8'000);  // most bits belong to records
}

TEST_CASE("spool F37: a bit that flips while the spool is open is met and counted to the point") {
  const Scratch scratch;
  const auto spool = open_spool(small_spool(scratch));
  put_all(*spool, 1, 8);
  const std::string name = scratch.files().front();
  std::string bytes = scratch.read(name);
  bytes[bytes.size() / 2] ^= 1;
  scratch.write(name, bytes);
  CHECK(drain(*spool).size() == 7);
  CHECK(spool->counts().dropped_damaged == 3);
  CHECK(spool->counts().records_damaged == 1);
  CHECK(spool->counts().balances());
  CHECK(findings(*spool).find("3 points of it are lost") != std::string::npos);
}

TEST_CASE("spool F38: 64 KiB of zeros or garbage in the middle cost what was there, not the rest") {
  std::mt19937 random(38);
  for (const bool is_garbage : {false, true}) {
    CAPTURE(is_garbage);
    const Scratch scratch;
    SpoolSettings settings = small_spool(scratch);
    settings.segment_bytes = 512 << 10;
    put_all(*open_spool(settings), 1, 3000);
    REQUIRE(scratch.files().size() == 1);
    const std::string name = scratch.files().front();
    std::string bytes = scratch.read(name);
    const std::size_t size = 64 << 10;
    for (std::size_t i = bytes.size() / 2; i < bytes.size() / 2 + size; ++i)
      bytes[i] = is_garbage ? static_cast<char>(random()) : '\0';
    scratch.write(name, bytes);
    const std::size_t record = record_bytes(payload_of(2000).body.size());
    check_survivors(scratch, 3000, size / record + 2);
  }
}

TEST_CASE("spool F38: segments that changed names are read in the order of their numbers") {
  const Scratch scratch;
  fill(scratch, 36);
  const std::vector<std::string> names = scratch.files();
  REQUIRE(names.size() == 3);
  const std::string first = scratch.read(names[0]);
  scratch.write(names[0], scratch.read(names[2]));
  scratch.write(names[2], first);
  check_survivors(scratch, 36, 0);
}

TEST_CASE("spool F38: a segment that is there twice is sent once") {
  const Scratch scratch;
  fill(scratch, 36);
  const std::vector<std::string> names = scratch.files();
  scratch.write("seg-0000000000000077.lp", scratch.read(names[0]));
  scratch.write("seg-0000000000000000.lp", scratch.read(names[1]));
  check_survivors(scratch, 36, 0);
  CHECK(scratch.files("").empty());
}

TEST_CASE("spool F38: the records of a deleted segment are gone, all others are there") {
  const Scratch scratch;
  fill(scratch, 36);
  const std::size_t before = ids_on_disk(scratch).size();
  scratch.remove(scratch.files()[1]);
  const auto spool = open_spool(small_spool(scratch));
  const std::vector<std::uint64_t> left = drain(*spool);
  CHECK(left.size() < before);
  CHECK(left.front() == 1);
  CHECK(left.back() == 36);
}

TEST_CASE("spool F38: a segment deleted under our hands is counted as lost") {
  const Scratch scratch;
  const auto spool = open_spool(small_spool(scratch));
  put_all(*spool, 1, 36);
  scratch.remove(scratch.files()[1]);
  const std::size_t left = drain(*spool).size();
  CHECK(spool->counts().dropped_damaged == 3 * (36 - left));
  CHECK(left < 36);
  CHECK(spool->counts().balances());
}

TEST_CASE("spool F38: empty files and garbage are put aside, named, and in nobody's way") {
  const Scratch scratch;
  fill(scratch, 3);
  scratch.write("seg-0000000000000005.lp", "");
  scratch.write("seg-0000000000000006.lp", std::string(10, '\0'));
  scratch.write("seg-0000000000000007.lp", "no segment at all");
  const auto spool = open_spool(small_spool(scratch));
  const std::string said = findings(*spool);
  CHECK(said.find("seg-0000000000000005.lp is empty") != std::string::npos);
  CHECK(said.find("seg-0000000000000006.lp is empty") != std::string::npos);
  CHECK(said.find("seg-0000000000000007.lp (17B) is no segment any more") != std::string::npos);
  CHECK(scratch.read("seg-0000000000000007.lp.damaged") == "no segment at all");
  CHECK(spool->counts().bytes_damaged == 17);
  put_all(*spool, 4, 5);
  CHECK(drain(*spool) == ids(1, 5));
}

TEST_CASE("spool F38: segments of another destination are named and never sent") {
  const Scratch scratch;
  fill(scratch, 36);
  SpoolSettings other = small_spool(scratch);
  other.fingerprint = 8;
  {
    const auto spool = open_spool(other);
    CHECK_FALSE(spool->front(test_now));
    put_all(*spool, 100, 101);
    CHECK(findings(*spool).find("3 files of another destination") != std::string::npos);
    CHECK(drain(*spool) == ids(100, 101));
  }
  CHECK(drain(*open_spool(small_spool(scratch))) == ids(1, 36));
}

TEST_CASE(
    "spool: segments of another destination are adopted where that is wanted, and are ours then") {
  const Scratch scratch;
  fill(scratch, 36);
  SpoolSettings other = small_spool(scratch);
  other.fingerprint = 8;
  other.adopts = true;
  const auto spool = open_spool(other);
  CHECK(findings(*spool).find("3 files of another destination") != std::string::npos);
  CHECK(findings(*spool).find("left alone") == std::string::npos);
  CHECK(spool->counts().recovered == spool->counts().waiting);
  put_all(*spool, 100, 101);
  std::vector<std::uint64_t> all = ids(1, 36);
  all.insert(all.end(), {100, 101});
  CHECK(drain(*spool) == all);
  CHECK(spool->counts().balances());
}

TEST_CASE("spool F38: 10,000 files are opened and drained") {
  const Scratch scratch;
  SpoolSettings settings = small_spool(scratch);
  settings.segment_bytes = 1;  // a record each
  settings.bytes_max = 1 << 30;
  put_all(*open_spool(settings), 1, 10'000);
  CHECK(scratch.files().size() == 10'000);
  CHECK(drain(*open_spool(settings)) == ids(1, 10'000));
}

TEST_CASE("spool F42: segments of a later version are left for it, and the spool works") {
  const Scratch scratch;
  fill(scratch, 3);
  const std::string name = scratch.files().front();
  std::string later = scratch.read(name);
  later[8] = 2;
  later[20] = 99;  // no single bit makes this a header of ours
  scratch.write(name, later);
  for (int start = 0; start < 2; ++start) {
    const auto spool = open_spool(small_spool(scratch));
    const std::string said = findings(*spool);
    CHECK((said.find("has version 2, this tallyd knows version 1") != std::string::npos) ==
          (start == 0));
    CHECK_FALSE(spool->front(test_now));
    put_all(*spool, 4, 4);
    CHECK(drain(*spool) == ids(4, 4));
    CHECK(scratch.read(name + ".unknown") == later);
  }
}

// --- F39: the limit ---

TEST_CASE("spool F39: at the limit the oldest go, counted to the point, and the newest stay") {
  const Scratch scratch;
  SpoolSettings settings = small_spool(scratch);
  settings.bytes_max = 8 << 10;
  std::uint64_t dropped = 0;
  {
    const auto spool = open_spool(settings);
    for (std::uint64_t id = 1; id <= 500; ++id) {
      put_all(*spool, id, id);
      if (scratch.spool_bytes() > settings.bytes_max) FAIL_CHECK("too much on disk at " << id);
      if (!spool->counts().balances()) FAIL_CHECK("no balance at " << id);
    }
    dropped = spool->counts().dropped_full;
    CHECK(spool->bytes() > settings.bytes_max / 2);
    CHECK(findings(*spool).find("full (8KiB): dropped the oldest ") != std::string::npos);
  }
  const auto spool = open_spool(settings);
  CHECK(findings(*spool).find(": an earlier tallyd dropped ") != std::string::npos);
  const std::vector<std::uint64_t> left = drain(*spool);
  CHECK(left == ids(dropped / 3 + 1, 500));
}

TEST_CASE("spool F39: the record that is being sent is not counted as dropped") {
  const Scratch scratch;
  SpoolSettings settings = small_spool(scratch);
  settings.bytes_max = 4 << 10;
  const auto spool = open_spool(settings);
  put_all(*spool, 1, 3);
  CHECK(id_of(*spool->front(test_now)) == 1);
  put_all(*spool, 4, 200);
  CHECK(spool->counts().dropped_full > 0);
  CHECK(spool->counts().balances());
  const std::uint64_t waiting = spool->counts().waiting;
  spool->ack();
  CHECK(spool->counts().acked == 3);
  CHECK(spool->counts().waiting == waiting - 3);
  CHECK(spool->counts().balances());
  const std::uint64_t next = id_of(*spool->front(test_now));
  CHECK(spool->counts().dropped_full == 3 * (next - 2));

  // Given back and not acknowledged, it is dropped after all.
  put_all(*spool, 201, 400);
  CHECK(spool->counts().balances());
  CHECK(id_of(*spool->front(test_now)) > next + 1);
  CHECK(spool->counts().balances());
  CHECK(drain(*spool).back() == 400);
  CHECK(spool->counts().waiting == 0);
  CHECK(spool->counts().records_waiting == 0);
}
