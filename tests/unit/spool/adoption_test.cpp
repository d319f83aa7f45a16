#include "spool/adoption.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "spool/dead_letters.hpp"
#include "spool_rig.hpp"

using namespace tally;
using namespace tally::testing;

namespace fs = std::filesystem;

namespace {

/// The spool of a destination that is not configured any more, with 36 records in three segments.
SpoolSettings stranger_beside(const Scratch& scratch) {
  SpoolSettings stranger = small_spool(scratch);
  stranger.directory = scratch.path() + "/spool/old-00000008";
  stranger.fingerprint = 8;
  put_all(*open_spool(stranger), 1, 36);
  return stranger;
}

SpoolSettings heir_in(const Scratch& scratch) {
  SpoolSettings heir = small_spool(scratch);
  heir.adopts = true;
  return heir;
}

}  // namespace

TEST_CASE("adoption: all segments change folders, behind those that are there, and are sent") {
  const Scratch scratch;
  const SpoolSettings stranger = stranger_beside(scratch);
  const SpoolSettings heir = heir_in(scratch);
  put_all(*open_spool(heir), 100, 105);
  const auto adopted = adopt_spool(stranger.directory, heir.directory);
  REQUIRE(adopted);
  CHECK(adopted.value().files == 3);
  CHECK(adopted.value().bytes > 0);
  CHECK_FALSE(fs::exists(stranger.directory));
  const auto spool = open_spool(heir);
  CHECK(spool->counts().waiting == 3 * (36 + 6));
  CHECK(drain(*spool).size() == 36 + 6);
  CHECK(spool->counts().balances());
}

TEST_CASE("adoption: dead letters stay where they are, with their folder") {
  const Scratch scratch;
  const SpoolSettings stranger = stranger_beside(scratch);
  {
    const auto letters = DeadLetters::open(stranger.directory);
    REQUIRE(letters);
    CHECK_FALSE(letters.value()->add({.line = "a v=1 1", .reason = "no"}));
  }
  REQUIRE(adopt_spool(stranger.directory, small_spool(scratch).directory));
  const auto letters = read_dead_letters(stranger.directory);
  REQUIRE(letters);
  CHECK(letters.value().size() == 1);
  CHECK(fs::exists(stranger.directory + "/LOCK"));
}

TEST_CASE("adoption: a folder that is in use, on either side, is left as it is") {
  const Scratch scratch;
  const SpoolSettings stranger = stranger_beside(scratch);
  const SpoolSettings heir = heir_in(scratch);
  for (const SpoolSettings& used : {stranger, heir}) {
    const auto spool = open_spool(used);
    const auto adopted = adopt_spool(stranger.directory, heir.directory);
    REQUIRE_FALSE(adopted);
    CHECK(adopted.error().code == EWOULDBLOCK);
  }
  CHECK(drain(*open_spool(stranger)) == ids(1, 36));
}

TEST_CASE("adoption: what is put aside there, or cannot be read, is never overwritten or lost") {
  const Scratch scratch;
  const SpoolSettings stranger = stranger_beside(scratch);
  std::ofstream(stranger.directory + "/seg-0000000000000009.lp") << "no segment at all";
  std::ofstream(stranger.directory + "/seg-0000000000000002.lp.damaged") << "damaged before";
  const SpoolSettings heir = heir_in(scratch);
  const auto adopted = adopt_spool(stranger.directory, heir.directory);
  REQUIRE(adopted);
  CHECK(adopted.value().files == 4);
  CHECK(fs::exists(stranger.directory + "/seg-0000000000000002.lp.damaged"));
  const auto spool = open_spool(heir);
  CHECK(findings(*spool).find("is no segment any more") != std::string::npos);
  CHECK(drain(*spool) == ids(1, 36));
}

TEST_CASE("adoption: the heir is the only destination, or the one of the same name") {
  const std::string root = "/var/lib/tallyd/spool/";
  const std::vector<std::string> one = {root + "main-0000000a"};
  const std::vector<std::string> two = {root + "main-0000000a", root + "second-one-0000000b"};
  CHECK(heir_of(root + "any-00000001", one) == one[0]);
  CHECK(heir_of(root + "main-00000001", two) == two[0]);
  CHECK(heir_of(root + "second-one-00000001", two) == two[1]);
  CHECK_FALSE(heir_of(root + "second-00000001", two));
  CHECK_FALSE(heir_of(root + "x", two));
  CHECK_FALSE(heir_of(root + "any-00000001", {}));
}
