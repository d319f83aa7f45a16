#include "daemon/daemon.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <utility>

#include "daemon/log.hpp"
#include "daemon/sources.hpp"
#include "posix/held_signals.hpp"
#include "posix/memory.hpp"
#include "posix/start_pages.hpp"
#include "tally/text.hpp"

namespace tally {
namespace {

using std::chrono::milliseconds;

// Of the 5 s that a stop has; the workers have 1.2 s before.
constexpr milliseconds drain_within{3500};

constexpr milliseconds disk_within{200};  // a sync that is under way at the end

// `timeout` and other wrappers tell the process, and its group too: that is no impatience.
constexpr milliseconds one_signal_within{50};

constexpr int niceness = 5;  // of main

// Some 15 MB: fewer leave what is not worth the time.
constexpr std::size_t burst_series = 100'000;
constexpr std::size_t burst_bytes_left = 1 << 20;

Naming naming_of(const Config& config, const std::vector<StaticTag>& static_tags) {
  return {.prefix = config.output.prefix,
          .static_tags = static_tags,
          .profile = config.output.naming,
          .measurement = config.output.measurement};
}

}  // namespace

Daemon::Daemon(uv::Loop& loop, const LoadedConfig& loaded, spdlog::logger& logger)
    : loaded_(loaded),
      config_(loaded.config),
      log_(logger),
      loop_(loop),
      watchdog_timer_(loop_, [this] { service_manager_.alive(); }),
      outputs_(loop_, logger),
      windows_(loop_, config_, ledger_, logger, windows_owner()),
      flush_(loop_, config_, naming_of(config_, windows_.static_tags()), outputs_, ledger_,
             flush_owner()),
      watching_(loop_, parts_to_see(), logger) {}

Daemon::~Daemon() = default;

Windows::Owner Daemon::windows_owner() {
  return {.on_ready = [this] { begin_flush(); },
          .on_letter =
              [this](std::size_t worker, std::optional<Worker::Letter> letter) {
                watching_.on_letter(worker, std::move(letter));
              }};
}

Flush::Owner Daemon::flush_owner() {
  return {.on_begin =
              [this](const ClosedWindow& window) {
                ledger_.add(window.gathered.counts);
                refused_.merge(window.gathered.refused);
                watching_.begin(window);
              },
          .complete =
              [this](Snapshot& snapshot) {
                ledger_.deliveries = outputs_.counts();
                watching_.add_own_points(snapshot);
              },
          .on_slice = [this](const Snapshot& slice) { watching_.note(slice); },
          .on_end = [this](ClosedWindow window,
                           std::chrono::nanoseconds took) { on_flushed(std::move(window), took); }};
}

LiveView::Parts Daemon::parts_to_see() {
  return {.loaded = loaded_,
          .windows = windows_,
          .flush = flush_,
          .outputs = outputs_,
          .ledger = ledger_,
          .refused = refused_,
          .stop = [this](std::string_view who) {
            if (is_stopping_) return;
            log_.info("{}: stopping; the open window is written first", who);
            stop();
          }};
}

Status Daemon::start() {
  watch_signals();
  if (Status error = windows_.open()) return error;
  std::uint64_t granted = config_.listen.receive_buffer;
  for (const std::uint64_t buffer : windows_.receive_buffers())
    granted = buffer == 0 ? granted : std::min(granted, buffer);
  loss_log_.emplace(granted);
  if (Status error = watching_.open()) return error;
  if (Status error = outputs_.open(config_)) return error;  // says "ready"
  windows_.start();
  // The receive threads have started: where they and this one share a core, they go first.
  setpriority(PRIO_PROCESS, 0, niceness);
  if (const auto interval = service_manager_.watchdog_interval())
    watchdog_timer_.start(*interval, *interval);
  service_manager_.ready();
  give_back_start_pages();
  return std::nullopt;
}

// Before the first socket is open: from then on there is a window that a signal must not cost.
void Daemon::watch_signals() {
  for (const auto& [number, name] : {std::pair{SIGTERM, "SIGTERM"}, std::pair{SIGINT, "SIGINT"}}) {
    signals_.push_back(
        std::make_unique<uv::Signal>(loop_, number, [this, name = name] { on_signal(name); }));
  }
  // A closed terminal must not cost the open window, as the signal's default would.
  signals_.push_back(std::make_unique<uv::Signal>(loop_, SIGHUP, [this] {
    log_.warn(
        "SIGHUP: the configuration is not read again while running; restart tallyd to apply "
        "changes");
  }));
  signals_.push_back(std::make_unique<uv::Signal>(loop_, SIGUSR1, [this] { log_refused(); }));
}

int Daemon::run() {
  loop_.run();
  ignore_signals();
  return exit_status_;
}

// One that came while all is given back would end the process with its own status instead of ours:
// libuv leaves a signal to its default.
void Daemon::ignore_signals() {
  const auto ours = {SIGHUP, SIGINT, SIGTERM, SIGUSR1};
  const HeldSignals meanwhile(ours);
  signals_.clear();
  for (const int number : ours) std::signal(number, SIG_IGN);
}

void Daemon::begin_flush() {
  if (flush_.is_busy()) return;
  if (std::optional<ClosedWindow> window = windows_.take()) flush_.begin(*std::move(window));
}

void Daemon::on_flushed(ClosedWindow window, std::chrono::nanoseconds took) {
  log_.debug("window {}: {} series", window.number, window.gathered.table.size());
  log_losses(window.is_last);
  watching_.end(window, took);
  const std::size_t series = window.gathered.table.places();
  const bool is_last = window.is_last;
  windows_.give_back(std::move(window));
  end_burst(series);
  if (is_last) return outputs_.drain(drain_within, [this] { finish(); });
  begin_flush();
}

// Not before its points are out too, which a slow database may take some windows for.
void Daemon::end_burst(std::size_t series) {
  burst_ = std::max(burst_, series);
  const bool is_over = burst_ > burst_series && 2 * series < burst_;
  if (!is_over || std::ranges::max(outputs_.memory_bytes()) > burst_bytes_left) return;
  give_back_freed_memory();
  burst_ = series;
}

void Daemon::log_losses(bool is_last) {
  ledger_.deliveries = outputs_.counts();
  for (const std::string& line :
       loss_log_->lines(ledger_, newest_refused(), std::chrono::steady_clock::now(), is_last)) {
    log_.warn("{}", line);
  }
}

std::optional<std::string> Daemon::newest_refused() const {
  if (refused_.empty()) return std::nullopt;
  const RefusedLine& line = *refused_.lines().back();
  return fmt::format("{} ({}) from {} on {}", quote(line), to_string(line.reason),
                     to_string(line.peer), windows_.listeners()[line.listener]);
}

// The whole picture on demand, where there is no page to look at.
void Daemon::log_refused() const {
  log_.info("SIGUSR1: {} lines refused since the start; the last {} of them:",
            with_commas(ledger_.ingest.refused()), refused_.size());
  for (const RefusedLine* line : refused_.lines()) {
    std::string shown = with_caret(*line, 2);
    shown.pop_back();  // the log ends the line
    log_.info("refused, {}, from {} on {}:\n{}", to_string(line->reason), to_string(line->peer),
              windows_.listeners()[line->listener], shown);
  }
}

void Daemon::on_signal(const char* name) {
  const Instant now = std::chrono::steady_clock::now();
  if (signalled_) {
    if (now - *signalled_ >= one_signal_within) stop_at_once(name);
    return;
  }
  signalled_ = now;
  // A job that said `quit` is followed by its supervisor's SIGTERM, which must not cost a window.
  if (is_stopping_) return log_.info("{}: is stopping already; once more stops at once", name);
  log_.info("{}: stopping; the open window is written first", name);
  stop();
}

void Daemon::stop_at_once(const char* name) {
  ledger_.deliveries = outputs_.counts();
  const bool has_open = windows_.has_waiting() || flush_.is_busy();
  log_.error("{} again: stopping at once; {} points that were not written are lost{}", name,
             with_commas(ledger_.delivered().queued),
             has_open ? ", and the open window is lost too, uncounted" : "");
  exit_status_ = 1;
  loop_.stop();
}

void Daemon::stop() {
  is_stopping_ = true;
  service_manager_.stopping();
  watching_.on_stopping();
  flush_.hurry();
  windows_.stop();
}

void Daemon::finish() {
  log_losses(true);
  const DeliveryCounts counts = ledger_.delivered();
  const std::string recovered =
      counts.recovered == 0 ? "" : ", " + with_commas(counts.recovered) + " found on disk";
  log_.info(
      "stopped: {} datagrams received, {} dropped by the kernel; {} lines accepted, {} refused; "
      "{} points flushed{}, {} written, {} on disk, {} dropped",
      with_commas(ledger_.ingest.datagrams), with_commas(ledger_.ingest.kernel_drops),
      with_commas(ledger_.ingest.lines_accepted), with_commas(ledger_.ingest.refused()),
      with_commas(ledger_.points_flushed), recovered, with_commas(counts.written),
      with_commas(counts.spooled + counts.dead), with_commas(counts.dropped()));
  loop_.stop();
}

namespace {

/// Whatever the daemon had is given back when this returns.
int start_and_run(uv::Loop& loop, const LoadedConfig& loaded, spdlog::logger& log) {
  Daemon daemon(loop, loaded, log);
  if (const Status error = daemon.start()) {
    log.error("{}", error->message);
    return 1;
  }
  return daemon.run();
}

}  // namespace

int run_daemon(const LoadedConfig& loaded, const std::string& log_level_override) {
  const auto logger =
      make_logger(log_level_override.empty() ? loaded.config.log.level : log_level_override);
  if (!logger) {
    fmt::print(stderr, "tallyd: {}\n", logger.error().message);
    return 2;
  }
  spdlog::logger& log = *logger.value();
  // A reader of standard output that went away is an error of that write, not the end of the
  // process.
  std::signal(SIGPIPE, SIG_IGN);
  // And a spool that meets a limit on file sizes is a disk that is full.
  std::signal(SIGXFSZ, SIG_IGN);
  log.info("tallyd {} starts", TALLYD_VERSION);
  if (const auto warning = exposed_password(loaded)) log.warn("{}", *warning);
  uv::Loop loop;
  const int status = start_and_run(loop, loaded, log);
  if (loop.finish_work(disk_within)) return status;
  log.warn("a disk does not answer, and is not waited for; what it was given is the kernel's now");
  log.flush();
  std::_Exit(status);  // for the thread that asked the disk would be waited for
}

}  // namespace tally
