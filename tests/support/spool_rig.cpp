#include "spool_rig.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <numeric>

#include "spool/report.hpp"

namespace tally::testing {
namespace {

namespace fs = std::filesystem;

std::string make_directory() {
  const char* const temporary = std::getenv("TMPDIR");
  std::string name = access("/dev/shm", W_OK) == 0 ? "/dev/shm"
                     : temporary != nullptr        ? temporary
                                                   : "/tmp";
  name += "/tally-spool-XXXXXX";
  REQUIRE(mkdtemp(name.data()) != nullptr);
  return name;
}

}  // namespace

Scratch::Scratch() : path_(make_directory()) {}

Scratch::~Scratch() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::vector<std::string> Scratch::files(std::string_view suffix) const {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(spool())) {
    const std::string name = entry.path().filename();
    if (name.starts_with("seg-") && name.ends_with(suffix)) names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

std::uint64_t Scratch::spool_bytes() const {
  std::uint64_t sum = 0;
  for (const std::string& name : files("")) sum += fs::file_size(spool() + "/" + name);
  return sum;
}

std::string Scratch::read(const std::string& name) const {
  std::ifstream file(spool() + "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void Scratch::write(const std::string& name, const std::string& bytes) const {
  std::ofstream file(spool() + "/" + name, std::ios::binary | std::ios::trunc);
  file << bytes;
}

void Scratch::remove(const std::string& name) const {
  fs::remove(spool() + "/" + name);
}

SpoolSettings small_spool(const Scratch& scratch) {
  return {.directory = scratch.spool(),
          .fingerprint = 7,
          .bytes_max = 1 << 20,
          .free_share_min = 0,
          .free_bytes_min = 0,
          .segment_bytes = 1024};
}

Payload payload_of(std::uint64_t id, std::uint32_t lines) {
  Payload payload{.points = lines,
                  .precision = static_cast<Precision>(id % 3),
                  .window = test_now + std::chrono::seconds(id)};
  for (std::uint32_t line = 0; line < lines; ++line)
    payload.body += "m v=" + std::to_string(id) + " " + std::to_string(line) + "\n";
  return payload;
}

std::uint64_t id_of(const Payload& payload) {
  std::uint64_t id = 0;
  if (payload.body.starts_with("m v=")) id = std::strtoull(&payload.body[4], nullptr, 10);
  const Payload whole = payload_of(id, payload.points);
  if (payload.body != whole.body || payload.window != whole.window ||
      payload.precision != whole.precision)
    FAIL("a payload that nobody put: " << payload.body);
  return id;
}

std::unique_ptr<Spool> open_spool(const SpoolSettings& settings) {
  Result<std::unique_ptr<Spool>> opened = Spool::open(settings, test_now);
  if (!opened) FAIL(opened.error().message);
  return std::move(opened).value();
}

void put_all(Spool& spool, std::uint64_t first, std::uint64_t last) {
  for (std::uint64_t id = first; id <= last; ++id) {
    const Status failed = spool.put(payload_of(id), test_now);
    if (failed) FAIL(failed->message);
  }
}

std::vector<std::uint64_t> drain(Spool& spool) {
  std::vector<std::uint64_t> found;
  while (const auto payload = spool.front(test_now)) {
    found.push_back(id_of(*payload));
    spool.ack();
  }
  return found;
}

std::vector<std::uint64_t> ids_on_disk(const Scratch& scratch) {
  std::vector<std::uint64_t> found;
  const auto looked = look_at_spool(
      scratch.spool(), [&](const Payload& payload) { found.push_back(id_of(payload)); });
  if (!looked) FAIL(looked.error().message);
  return found;
}

std::vector<std::uint64_t> ids(std::uint64_t first, std::uint64_t last) {
  std::vector<std::uint64_t> all(last - first + 1);
  std::iota(all.begin(), all.end(), first);
  return all;
}

std::string findings(Spool& spool) {
  std::string all;
  for (const std::string& finding : spool.take_findings()) all += finding + "\n";
  return all;
}

}  // namespace tally::testing
