// A program that does nothing but use a spool and check it: to be killed, and to have its system
// calls fail (faultshim.c). Exit status 0: all checks held; 1: the first that did not is on
// standard error.
//
//     spool_driver faults DIRECTORY CALL FIRST LAST once|forever whole|half
//         with LD_PRELOAD=faultshim.so: the Nth CALL fails, for N from FIRST to LAST, each in a
//         spool of its own. Prints in how many of them it came to that.
//     spool_driver run DIRECTORY
//         checks what the run before left, says "ready" and goes on until it is killed.
//     spool_driver always DIRECTORY
//         with LD_PRELOAD=faultshim.so: what cannot be synced at once is not taken.
//     spool_driver slow DIRECTORY
//         with LD_PRELOAD=faultshim.so: a sync that takes seconds holds up nothing else.
//     spool_driver hold DIRECTORY
//         opens the spool, says "ready" and waits.

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "spool/dead_letters.hpp"
#include "spool/report.hpp"
#include "spool/spool.hpp"

namespace {

using namespace tally;
using namespace std::chrono_literals;

constexpr WallTime now{1'700'000'000'000ms};

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "spool_driver: %s\n", what.c_str());
  std::_Exit(1);
}

void check(bool is_true, const std::string& what) {
  if (!is_true) fail(what);
}

SpoolSettings settings_of(const std::string& directory) {
  return {.directory = directory,
          .fingerprint = 7,
          .bytes_max = 16 << 20,
          .free_share_min = 0,
          .free_bytes_min = 0,
          .segment_bytes = 2048};
}

Payload payload_of(std::uint64_t id) {
  const std::uint32_t lines = 1 + static_cast<std::uint32_t>(id % 5);
  Payload payload{.points = lines, .window = now + std::chrono::seconds(id % 100'000)};
  for (std::uint32_t line = 0; line < lines; ++line)
    payload.body += "m value=" + std::to_string(id) + " " + std::to_string(line) + "\n";
  return payload;
}

/// The id of a payload, which must be what `payload_of` made of it.
std::uint64_t id_of(const Payload& payload) {
  const std::string prefix = "m value=";
  check(payload.body.starts_with(prefix), "a line that nobody wrote: " + payload.body);
  const std::uint64_t id = std::stoull(payload.body.substr(prefix.size()));
  const Payload whole = payload_of(id);
  check(payload.body == whole.body && payload.points == whole.points &&
            payload.window == whole.window,
        "record " + std::to_string(id) + " has changed");
  return id;
}

// --- Faults ---

struct Shim {
  void (*arm)(const char*, long, int, int, int) = nullptr;
  void (*disarm)() = nullptr;
  long (*fired)() = nullptr;
};

template <class Function>
void find(const char* name, Function*& function) {
  function = reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
  check(function != nullptr, "LD_PRELOAD has no faultshim.so");
}

Shim find_shim() {
  Shim shim;
  find("faultshim_arm", shim.arm);
  find("faultshim_disarm", shim.disarm);
  find("faultshim_fired", shim.fired);
  return shim;
}

/// One spool that is used while a call fails.
class Scenario {
 public:
  Scenario(const std::string& directory, std::uint32_t seed)
      : settings_(settings_of(directory)), random_(seed) {
    if (seed % 2 == 0) settings_.sync = SpoolSyncPolicy::always;
    std::filesystem::create_directories(directory);
    std::filesystem::permissions(directory, std::filesystem::perms::owner_all);
    plant("seg-0000000000000001.lp", std::string("TLY\x89LP\r\n\x02", 9) + std::string(99, '\0'));
    plant("seg-0000000000000002.lp", std::string(100, 'x'));
    plant("seg-0000000000000003.lp", "");
  }

  void use() {
    open();
    for (int step = 0; step < 400; ++step) {
      const auto what = random_() % 100;
      if (!spool_) {
        if (step % 20 == 0) open();
        continue;
      }
      if (what < 50)
        put();
      else if (what < 85)
        take();
      else if (what < 95)
        sync();
      else
        reopen();
      check(!spool_ || spool_->counts().balances(), "points do not balance");
    }
  }

  /// All that was put and not acknowledged has to be there. REQUIRES: nothing fails any more.
  void verify() {
    spool_.reset();
    open();
    check(spool_ != nullptr, "cannot be opened although nothing fails");
    while (const auto payload = spool_->front(now)) {
      waiting_.erase(id_of(*payload));
      spool_->ack();
    }
    check(spool_->counts().balances(), "points do not balance at the end");
    check(spool_->counts().dropped() == 0, "something was dropped at the end");
    const auto kept = read_dead_letters(settings_.directory);
    check(kept && (!letters_ || kept.value().size() == letters_->counts().kept),
          "other letters are kept than were counted");
    check(waiting_.empty(), std::to_string(waiting_.size()) + " records are lost, the first is " +
                                std::to_string(waiting_.empty() ? 0 : *waiting_.begin()));
  }

 private:
  void plant(const std::string& name, const std::string& text) const {
    std::ofstream(settings_.directory + "/" + name, std::ios::binary) << text;
  }

  void open() {
    Result<std::unique_ptr<Spool>> opened = Spool::open(settings_, now);
    if (opened)
      spool_ = std::move(opened).value();
    else
      check(!opened.error().message.empty(), "an error without words");
  }

  void reopen() {
    spool_.reset();
    open();
  }

  void put() {
    const std::uint64_t before = spool_->counts().waiting;
    const Payload payload = payload_of(++last_);
    if (const Status failed = spool_->put(payload, now)) {
      check(spool_->counts().waiting == before, "a put that failed has changed what waits");
      check(failed->message.find("stay in memory") != std::string::npos, failed->message);
    } else {
      waiting_.insert(last_);
    }
  }

  void take() {
    const auto payload = spool_->front(now);
    if (!payload) return;
    const std::uint64_t id = id_of(*payload);
    check(id <= last_, "a record of the future");
    spool_->ack();
    waiting_.erase(id);
  }

  void write_letter() {
    if (!letters_) {
      auto opened = DeadLetters::open(settings_.directory);
      if (opened) letters_ = std::move(opened).value();
    }
    if (!letters_) return;
    const std::uint64_t failures = letters_->counts().failed;
    const bool has_failed = letters_->add({.line = "m v=1", .reason = "why"}).has_value();
    check(letters_->counts().failed == failures + (has_failed ? 1 : 0), "letters miscounted");
    check(letters_->counts().balances(), "letters do not balance");
  }

  void sync() {
    if (const auto task = spool_->start_sync()) spool_->end_sync(task->run());
  }

  SpoolSettings settings_;
  std::mt19937 random_;
  std::unique_ptr<Spool> spool_;
  std::unique_ptr<DeadLetters> letters_;
  std::set<std::uint64_t> waiting_;
  std::uint64_t last_ = 0;
};

int run_faults(const std::vector<std::string>& words) {
  const Shim shim = find_shim();
  const long first = std::stol(words[2]);
  const long last = std::stol(words[3]);
  const int error = words[1] == "pwrite" || words[1] == "fallocate" ? ENOSPC : EIO;
  long reached = 0;
  for (long nth = first; nth <= last; ++nth) {
    const std::string directory = words[0] + "/" + std::to_string(nth);
    Scenario scenario(directory, static_cast<std::uint32_t>(nth));
    shim.arm(words[1].c_str(), nth, error, words[4] == "forever", words[5] == "half");
    scenario.use();
    shim.disarm();
    if (shim.fired() > 0) ++reached;
    scenario.verify();
    std::filesystem::remove_all(directory);
  }
  std::printf("%ld\n", reached);
  return 0;
}

// --- Being killed ---

/// In memory shared with a file, which survives the process as page cache does.
struct Journal {
  std::uint64_t put = 0;     ///< the last that `put` has taken
  std::uint64_t acking = 0;  ///< the last that `ack` was called for
  std::uint64_t acked = 0;   ///< and that it was done for
};

Journal& map_journal(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  check(file >= 0 && ftruncate(file, sizeof(Journal)) == 0, "no journal");
  void* const memory = mmap(nullptr, sizeof(Journal), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  check(memory != MAP_FAILED, "no journal");
  return *static_cast<Journal*>(memory);
}

void check_what_was_left(const std::string& directory, Journal& journal) {
  std::vector<std::uint64_t> ids;
  const auto looked =
      look_at_spool(directory, [&](Payload payload) { ids.push_back(id_of(payload)); });
  check(static_cast<bool>(looked), "cannot be looked at");
  for (std::size_t i = 1; i < ids.size(); ++i)
    check(ids[i] == ids[i - 1] + 1, "a gap behind " + std::to_string(ids[i - 1]));
  // Killed between an action and its entry: one more may be there, or one fewer.
  const std::uint64_t last = ids.empty() ? journal.acking : ids.back();
  const std::uint64_t first = ids.empty() ? last + 1 : ids.front();
  const std::string where = "; waiting " + std::to_string(first) + " to " + std::to_string(last) +
                            ", put " + std::to_string(journal.put) + ", acking " +
                            std::to_string(journal.acking) + ", acked " +
                            std::to_string(journal.acked);
  check(last == journal.put || last == journal.put + 1, "what was put is not there" + where);
  check(first == journal.acked + 1 || first == journal.acking + 1,
        "does not begin where it should" + where);
  journal = {.put = last, .acking = first - 1, .acked = first - 1};
}

int run_until_killed(const std::string& directory) {
  Journal& journal = map_journal(directory + ".journal");
  volatile Journal& shared = journal;  // each entry in its turn
  if (std::filesystem::exists(directory + "/LOCK")) check_what_was_left(directory, journal);
  Result<std::unique_ptr<Spool>> opened = Spool::open(settings_of(directory), now);
  check(static_cast<bool>(opened), opened ? "" : opened.error().message);
  Spool& spool = *opened.value();
  check(spool.counts().dropped() == 0, "something was lost");
  check(write(STDOUT_FILENO, "ready\n", 6) == 6, "nobody listens");
  std::mt19937 random(static_cast<std::uint32_t>(journal.put + 1));
  while (true) {
    if (random() % 2 == 0) {
      check(!spool.put(payload_of(journal.put + 1), now), "cannot put");
      shared.put = journal.put + 1;
    } else if (const auto payload = spool.front(now)) {
      check(id_of(*payload) == journal.acked + 1, "out of order");
      shared.acking = journal.acked + 1;
      spool.ack();
      shared.acked = journal.acking;
    }
    check(spool.counts().balances(), "points do not balance");
  }
}

int sync_each_put(const std::string& directory) {
  const Shim shim = find_shim();
  SpoolSettings settings = settings_of(directory);
  settings.sync = SpoolSyncPolicy::always;
  auto opened = Spool::open(settings, now);
  if (!opened) fail(opened.error().message);
  Spool& spool = *opened.value();
  // The file, its entry in the directory, and the file once more.
  const std::string calls[] = {"fdatasync", "fsync", "fdatasync"};
  std::uint64_t failures = 0;
  for (const std::string& call : calls) {
    shim.arm(call.c_str(), 1, EIO, 0, 0);
    check(spool.put(payload_of(failures + 1), now).has_value(), call + " failed and nobody minded");
    check(shim.fired() == 1, call + " was not called");
    shim.disarm();
    ++failures;
    check(spool.counts().sync_failures == failures, "sync failures miscounted");
    check(spool.empty() && spool.bytes() == 0, "what was not synced waits");
  }
  check(!std::filesystem::exists(directory + "/seg-0000000000000003.lp"), "an empty file is left");
  check(!spool.put(payload_of(9), now), "cannot put");
  opened = Error{"closed"};
  std::vector<std::uint64_t> ids;
  const auto looked = look_at_spool(directory, [&](const Payload& p) { ids.push_back(id_of(p)); });
  check(looked && ids == std::vector<std::uint64_t>{9}, "other records than those taken");
  return 0;
}

int work_beside_a_sync(const std::string& directory) {
  const Shim shim = find_shim();
  const auto opened = Spool::open(settings_of(directory), now);
  if (!opened) fail(opened.error().message);
  Spool& spool = *opened.value();
  check(!spool.put(payload_of(1), now), "cannot put");
  const std::optional<SpoolSync> sync = spool.start_sync();
  check(sync.has_value(), "nothing to sync");
  shim.arm("fdatasync", 1, 0, 0, 0);  // takes FAULT_DELAY_MS
  std::atomic<bool> is_done = false;
  Status outcome;
  std::thread pool([&] {
    outcome = sync->run();
    is_done = true;
  });
  while (shim.fired() == 0) std::this_thread::yield();
  for (std::uint64_t id = 2; id <= 500; ++id) check(!spool.put(payload_of(id), now), "cannot put");
  for (std::uint64_t id = 1; id <= 500; ++id) {
    const std::optional<Payload> payload = spool.front(now);
    check(payload && id_of(*payload) == id, "cannot read");
    spool.ack();
  }
  check(!is_done, "the sync was waited for");
  pool.join();
  spool.end_sync(outcome);
  check(!outcome, "the sync failed");
  return 0;
}

int hold(const std::string& directory) {
  const auto opened = Spool::open(settings_of(directory), now);
  if (!opened) fail(opened.error().message);
  check(write(STDOUT_FILENO, "ready\n", 6) == 6, "nobody listens");
  pause();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  std::signal(SIGXFSZ, SIG_IGN);
  if (words.size() == 7 && words[0] == "faults")
    return run_faults({words.begin() + 1, words.end()});
  if (words.size() == 2 && words[0] == "run") return run_until_killed(words[1]);
  if (words.size() == 2 && words[0] == "always") return sync_each_put(words[1]);
  if (words.size() == 2 && words[0] == "slow") return work_beside_a_sync(words[1]);
  if (words.size() == 2 && words[0] == "hold") return hold(words[1]);
  std::fprintf(stderr, "see the head of spool_driver.cpp\n");
  return 2;
}
