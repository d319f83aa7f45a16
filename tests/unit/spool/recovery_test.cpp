#include "spool/recovery.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "spool/spool.hpp"
#include "spool_rig.hpp"

using namespace tally;
using namespace tally::testing;

namespace {

std::unique_ptr<Spool> begin_spool(const SpoolSettings& settings) {
  auto spool = Spool::begin(settings);
  REQUIRE(spool);
  return std::move(spool).value();
}

/// Runs the next step; false if there is none.
bool step(Spool& spool) {
  const auto step = spool.next_step();
  if (step) spool.end_step(step->run(), test_now);
  CHECK(spool.counts().balances());
  return step.has_value();
}

/// 36 records in three segments, left by a process that is gone.
Scratch& filled(Scratch& scratch) {
  put_all(*open_spool(small_spool(scratch)), 1, 36);
  REQUIRE(scratch.files().size() == 3);
  return scratch;
}

}  // namespace

TEST_CASE("recovery: file by file, and what is recovered can be sent at once") {
  Scratch scratch;
  const auto spool = begin_spool(small_spool(filled(scratch)));
  CHECK(spool->is_recovering());
  CHECK(spool->counts().recovered == 0);
  CHECK_FALSE(spool->front(test_now));
  CHECK(step(*spool));  // what there is
  CHECK(spool->bytes() == scratch.spool_bytes());
  CHECK_FALSE(spool->front(test_now));
  CHECK(step(*spool));
  const std::uint64_t first = spool->counts().recovered / 3;
  CHECK(first > 5);
  CHECK(first < 36);
  CHECK(drain(*spool) == ids(1, first));
  CHECK(spool->is_recovering());
  while (step(*spool)) {
  }
  CHECK_FALSE(spool->is_recovering());
  CHECK(spool->counts().recovered == 3 * 36);
  CHECK(drain(*spool) == ids(first + 1, 36));
}

TEST_CASE("recovery: an empty spool is through with the first step") {
  const Scratch scratch;
  const auto spool = begin_spool(small_spool(scratch));
  CHECK(step(*spool));
  CHECK_FALSE(spool->is_recovering());
  CHECK_FALSE(step(*spool));
}

TEST_CASE("recovery: there is one step at a time, and its spool may be gone when it ends") {
  Scratch scratch;
  auto spool = begin_spool(small_spool(filled(scratch)));
  const auto out = spool->next_step();
  REQUIRE(out);
  CHECK_FALSE(spool->next_step());
  spool.reset();
  CHECK(out->run().files.size() == 3);
  CHECK(drain(*open_spool(small_spool(scratch))) == ids(1, 36));
}

TEST_CASE(
    "recovery: what is put meanwhile is on disk, waits behind the rest and is not found again") {
  Scratch scratch;
  SUBCASE("before the first look at the directory") {
    const auto spool = begin_spool(small_spool(filled(scratch)));
    put_all(*spool, 100, 130);  // several segments
    while (step(*spool)) put_all(*spool, 131, 131);
    CHECK(spool->counts().recovered == 3 * 36);
    const std::vector<std::uint64_t> found = drain(*spool);
    CHECK(std::vector(found.begin(), found.begin() + 36) == ids(1, 36));
    CHECK(std::vector(found.begin() + 36, found.begin() + 67) == ids(100, 130));
    CHECK(spool->counts().balances());
  }
  SUBCASE("and a kill at that moment loses nothing") {
    auto spool = begin_spool(small_spool(filled(scratch)));
    CHECK(step(*spool));
    put_all(*spool, 100, 103);
    spool.reset();
    std::vector<std::uint64_t> all = ids(1, 36);
    for (const std::uint64_t id : ids(100, 103)) all.push_back(id);
    CHECK(drain(*open_spool(small_spool(scratch))) == all);
  }
}

TEST_CASE("recovery: what is fresh stays beside the rest, and what was set back goes behind it") {
  Scratch scratch;
  const auto spool = begin_spool(small_spool(filled(scratch)));
  CHECK_FALSE(spool->put_fresh(payload_of(100), test_now));
  CHECK(step(*spool));
  CHECK(id_of(*spool->fresh(test_now)) == 100);
  spool->set_back();
  CHECK_FALSE(spool->put_fresh(payload_of(101), test_now));
  CHECK_FALSE(spool->put(payload_of(102), test_now));
  while (step(*spool)) {
  }
  CHECK(id_of(*spool->fresh(test_now)) == 101);
  spool->ack_fresh();
  std::vector<std::uint64_t> all = ids(1, 36);
  all.insert(all.end(), {100, 102});
  CHECK(drain(*spool) == all);
  CHECK(spool->empty());
}

TEST_CASE("recovery: a full spool drops nothing that was not read yet, and takes no more") {
  Scratch scratch;
  SpoolSettings settings = small_spool(filled(scratch));
  settings.bytes_max = scratch.spool_bytes() + 100;
  const auto spool = begin_spool(settings);
  CHECK(step(*spool));
  const Status failed = spool->put(payload_of(100), test_now);
  REQUIRE(failed);
  CHECK(failed->message.find("what is in it is not read yet") != std::string::npos);
  while (step(*spool)) {
  }
  CHECK(spool->counts().waiting == 3 * 36);
  CHECK_FALSE(spool->put(payload_of(100), test_now));  // now it knows what it drops
  CHECK(spool->counts().dropped_full > 0);
  CHECK(spool->counts().balances());
}

TEST_CASE("recovery: a file that vanishes meanwhile is named, and the rest is recovered") {
  Scratch scratch;
  const auto spool = begin_spool(small_spool(filled(scratch)));
  CHECK(step(*spool));
  scratch.remove(scratch.files().front());
  while (step(*spool)) {
  }
  CHECK(findings(*spool).find("what it holds waits until the next start") != std::string::npos);
  CHECK(drain(*spool).back() == 36);
  CHECK(spool->counts().balances());
}
