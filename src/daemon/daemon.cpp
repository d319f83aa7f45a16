#include "daemon.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <iterator>
#include <random>
#include <utility>

#include "daemon/log.hpp"
#include "daemon/sources.hpp"
#include "daemon/wall_clock.hpp"
#include "posix/start_pages.hpp"
#include "tally/text.hpp"

namespace tally {
namespace {

using std::chrono::milliseconds;

// A stop has 5 s: what the workers read last, and then the database.
constexpr milliseconds last_parts_within{1200};
constexpr milliseconds drain_within{3500};

constexpr std::size_t windows_waiting_max = 2;  // beside the one that is being flushed
constexpr int niceness = 5;                     // of main

// One payload of counters, some milliseconds.
constexpr std::size_t series_a_slice = 5000;
constexpr std::size_t bytes_ahead_max = 8 << 20;  // of text, made ahead of what is sent

std::uint64_t random_seed() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

// The workers know the monotonic clock only; both clocks are read here, at one moment.
std::vector<StampedNotice> stamped(std::vector<HeardNotice> notices) {
  const WallTime wall = wall_now();
  const Instant now = std::chrono::steady_clock::now();
  std::vector<StampedNotice> result;
  for (HeardNotice& notice : notices) {
    const auto age = std::chrono::duration_cast<milliseconds>(now - notice.heard);
    result.push_back({std::move(notice.line), wall - age});
  }
  return result;
}

}  // namespace

Daemon::Daemon(const Config& config, spdlog::logger& logger)
    : config_(config),
      log_(logger),
      worker_settings_{.rules = {.parse = config.parse, .lateness = config.limits.lateness},
                       .streams = {.connections_max = config.limits.connections,
                                   .idle_timeout = config.listen.idle_timeout,
                                   .allow = config.listen.allow}},
      table_rules_{.series_max = config.limits.series,
                   .set_members_exact = config.limits.set_members,
                   .hash_seed = random_seed(),
                   .static_tags = effective_tags(config)},
      naming_{.prefix = config.output.prefix,
              .static_tags = table_rules_.static_tags,
              .profile = config.output.naming,
              .measurement = config.output.measurement},
      parts_(loop_, [this](WindowPart part) { on_part(std::move(part)); }),
      window_timer_(loop_, [this] { on_window_end(); }),
      overdue_timer_(loop_, [this] { on_parts_overdue(); }),
      flush_timer_(loop_, [this] { flush_slice(); }),
      watchdog_timer_(loop_, [this] { service_manager_.alive(); }),
      clock_(config.flush.interval, wall_now()),
      outputs_(loop_, logger),
      carry_({.percents = config.flush.percentiles,
              .gauge_ttl = config.gauges.ttl,
              .gauges_max = config.limits.series,
              .details = needs_details(config.output.naming)}) {}

Daemon::~Daemon() = default;

Status Daemon::start() {
  watch_signals();
  if (Status error = start_workers()) return error;
  if (Status error = outputs_.open(config_)) return error;
  arm_window_timer();
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

// Each stream connection is a descriptor, and the customary limit is no more than we allow of them.
void Daemon::raise_descriptor_limit() {
  constexpr rlim_t others = 64;
  const bool has_streams = !config_.listen.tcp.empty() || !config_.listen.unix_stream.empty();
  rlimit limit{};
  if (!has_streams || getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = config_.limits.connections + others;
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = std::min(wanted, limit.rlim_max);
  if (setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == wanted) return;
  getrlimit(RLIMIT_NOFILE, &limit);
  // The database needs a descriptor too: connections must not take the last.
  const rlim_t left = limit.rlim_cur > 2 * others ? limit.rlim_cur - others : others;
  worker_settings_.streams.connections_max = left;
  log_.warn(
      "only {} file descriptors are allowed: at most {} connections are taken, not "
      "limits.connections ({}); raise it with ulimit -n, or LimitNOFILE= in the unit",
      limit.rlim_cur, left, config_.limits.connections);
}

Status Daemon::start_workers() {
  raise_descriptor_limit();
  Result<OpenedListeners> opened = open_listeners(config_.listen);
  if (!opened) return opened.error();
  for (const std::string& warning : opened.value().warnings)
    log_.warn("{}; going on without it", warning);
  announce(opened.value().of_worker[0]);
  listeners_ = std::move(opened.value().names);
  for (Listeners& listeners : opened.value().of_worker) {
    workers_.push_back(std::make_unique<Worker>(
        std::move(listeners), worker_settings_, Worker::Window{take_spare(), clock_.opened()},
        [this](WindowPart part) { parts_.send(std::move(part)); }));
  }
  return std::nullopt;
}

void Daemon::announce(const Listeners& listeners) {
  const std::uint64_t asked = config_.listen.receive_buffer;
  std::uint64_t granted = asked;
  for (const DatagramSocket& socket : listeners.datagrams) {
    if (socket.is_unix()) {
      log_.info("{}: listening; mode {:04o}", socket.name(), config_.listen.unix_mode);
      continue;
    }
    granted = std::min(granted, socket.receive_buffer());
    if (socket.receive_buffer() >= asked) {
      log_.info("{}: listening; receive buffer {}", socket.name(),
                as_size(socket.receive_buffer()));
    } else {
      log_.warn(
          "{}: listening; receive buffer {} granted of {} asked: bursts may be dropped (and "
          "counted); "
          "raise it with: sysctl -w net.core.rmem_max={}",
          socket.name(), as_size(socket.receive_buffer()), as_size(asked), asked);
    }
  }
  for (const StreamSocket& socket : listeners.streams)
    log_.info("{}: listening; at most {} connections", socket.name(),
              with_commas(worker_settings_.streams.connections_max));
  loss_log_.emplace(granted);
}

int Daemon::run() {
  loop_.run();
  return exit_status_;
}

void Daemon::arm_window_timer() {
  window_timer_.start(clock_.until_boundary(wall_now()));
}

void Daemon::on_window_end() {
  // Windows that wait are whole tables. Where the flush cannot keep up, one long window is the
  // lesser evil: nothing is lost, and memory stays at that of three.
  if (closing_.size() >= windows_waiting_max) {
    if (ledger_.windows_joined++ == said_joined_)
      log_.warn(
          "{} windows still wait to be written: the open one goes on until one of them is out; a "
          "longer flush.interval, fewer series or more CPU would help",
          closing_.size());
    arm_window_timer();
    return;
  }
  const bool was_joined = std::exchange(said_joined_, ledger_.windows_joined) != said_joined_;
  const WindowClock::Cut cut = clock_.cut(wall_now());
  const bool is_held_back = cut.step == WindowClock::Step::held_back;
  if (is_held_back && !clock_held_back_) {
    log_.warn(
        "the wall clock stepped back: windows are stamped behind the last one until it has caught "
        "up");
  } else if (cut.step == WindowClock::Step::accepted_back) {
    log_.warn(
        "the wall clock stepped back by more than an hour: its new time is taken, and points of "
        "the time "
        "between are overwritten where series and stamp are the same");
  } else if (cut.step == WindowClock::Step::forward && !was_joined) {
    log_.warn(
        "the wall clock stepped forward, or the process was stopped: one window is longer than {}",
        duration_to_string(config_.flush.interval));
  }
  clock_held_back_ = is_held_back;
  close_window(cut, false);
  arm_window_timer();
}

void Daemon::close_window(const WindowClock::Cut& cut, bool is_last) {
  const std::uint64_t number = next_window_++;
  closing_.push_back({.number = number,
                      .span = cut.span,
                      .is_last = is_last,
                      .parts_missing = workers_.size(),
                      .gathered = {}});
  for (const auto& worker : workers_) {
    if (is_last) {
      worker->stop(number);
    } else {
      worker->close_window(number, {take_spare(), clock_.opened()});
    }
  }
  if (closing_.size() == 1 || is_last) arm_overdue_timer();
}

void Daemon::on_part(WindowPart part) {
  const auto closing = std::ranges::find(closing_, part.window, &Closing::number);
  if (closing == closing_.end()) {
    add_late_part(std::move(part));
    return;
  }
  --closing->parts_missing;
  closing->buffer_fill = std::max(closing->buffer_fill, part.buffer_fill);
  closing->connections += part.connections;
  merge_part(closing->gathered, std::move(part.gathered));
  flush_complete();
}

// Its window is gone, its samples are not: they are written with the next.
void Daemon::add_late_part(WindowPart part) {
  log_.warn("a receive thread handed window {} over too late: {}", part.window,
            is_stopping_ ? "there is no next one, and its samples are lost"
                         : "its samples count in the next window");
  merge_part(late_, std::move(part.gathered));
}

void Daemon::merge_part(std::optional<Gathered>& whole, Gathered part) {
  if (!whole) {
    whole = std::move(part);
    return;
  }
  whole->merge(part);
  give_back(std::move(part.table));
}

void Daemon::arm_overdue_timer() {
  const bool stops = closing_.back().is_last;
  overdue_timer_.start(stops ? last_parts_within
                             : std::min<milliseconds>(config_.flush.interval, milliseconds(1000)));
}

void Daemon::on_parts_overdue() {
  if (closing_.empty()) return;
  Closing& oldest = closing_.front();
  if (oldest.is_last) {
    log_.error(
        "{} receive threads did not hand over their last window within {}: what they heard "
        "in it is lost and not counted",
        oldest.parts_missing, duration_to_string(last_parts_within));
  }
  ledger_.windows_late += oldest.parts_missing;
  oldest.parts_missing = 0;
  flush_complete();
}

void Daemon::flush_complete() {
  while (!flushing_ && !closing_.empty() && closing_.front().parts_missing == 0) {
    Closing closing = std::move(closing_.front());
    closing_.pop_front();
    begin_flush(std::move(closing));
  }
  closing_.empty() ? overdue_timer_.stop() : arm_overdue_timer();
}

void Daemon::begin_flush(Closing closing) {
  if (late_) merge_part(closing.gathered, *std::exchange(late_, std::nullopt));
  if (!closing.gathered)
    closing.gathered.emplace(take_spare(), listeners_.size(), closing.span.start);
  ledger_.add(closing.gathered->counts);
  refused_.merge(closing.gathered->refused);
  flushing_ = Flushing{.closing = std::move(closing), .begun = std::chrono::steady_clock::now()};
  flush_slice();
}

// Some milliseconds of work, then the loop has its turn: requests go out and answers come in while
// a large window is still being written.
void Daemon::flush_slice() {
  const Closing& closing = flushing_->closing;
  Table& table = flushing_->closing.gathered->table;
  const std::size_t begin = flushing_->done;
  const std::size_t end = std::min(begin + series_a_slice, table.size());
  Snapshot snapshot = carry_.close_slice(table, closing.span, begin, end);
  const bool is_last = end == table.size();
  if (is_last) complete(snapshot);
  // Where a receive thread waits for this core it is not left to wait for the kernel's next tick.
  sched_yield();
  std::vector<Payload> payloads = encode_influx(snapshot, naming_);
  sched_yield();
  push(std::move(payloads), closing.span.start);
  if (is_last) return end_flush();
  table.release_first(end);
  flushing_->done = end;
  flush_timer_.start(pause_of_flush());
}

// What is said once a window, behind its last series.
void Daemon::complete(Snapshot& snapshot) {
  const Closing& closing = flushing_->closing;
  carry_.close_idle(snapshot);
  ++ledger_.windows;
  ledger_.sets_estimated = carry_.sets_estimated();
  ledger_.timers_estimated = carry_.timers_estimated();
  ledger_.gauges_expired = carry_.gauges_expired();
  ledger_.gauges_not_carried = carry_.gauges_not_carried();
  ledger_.deliveries = outputs_.counts();
  if (outputs_.is_terminal()) return;
  SelfState state{.ledger = ledger_,
                  .watched = {},
                  .gauges = {.series = closing.gathered->table.size(),
                             .receive_buffer_fill = closing.buffer_fill,
                             .outbox_bytes = outputs_.memory_bytes(),
                             .spool_bytes = outputs_.disk_bytes(),
                             .gauges_held = carry_.gauges(),
                             .connections = closing.connections}};
  add_self_metrics(reported_, state, {listeners_, outputs_.names(), naming_.static_tags}, snapshot);
  reported_ = std::move(state);
}

void Daemon::end_flush() {
  Closing closing = std::move(flushing_->closing);
  flushing_.reset();
  push(encode_notices(stamped(std::move(closing.gathered->notices)), naming_), closing.span.start);
  log_.debug("window {}: {} series", closing.number, closing.gathered->table.size());
  give_back(std::move(closing.gathered->table));
  log_losses(closing.is_last);
  if (closing.is_last) return outputs_.drain(drain_within, [this] { finish(); });
  flush_complete();
}

// A series is smaller in the table than as text: what no database takes yet is better left there,
// for as long as the next window leaves time. One that takes nothing does not make the others wait.
milliseconds Daemon::pause_of_flush() const {
  const bool has_time = !is_stopping_ && std::chrono::steady_clock::now() - flushing_->begun <
                                             config_.flush.interval / 2;
  const std::vector<std::size_t> bytes = outputs_.memory_bytes();
  const bool is_ahead = std::ranges::min(bytes) > bytes_ahead_max;
  return has_time && is_ahead ? milliseconds(10) : milliseconds(0);
}

void Daemon::push(std::vector<Payload> payloads, WallTime window) {
  for (Payload& payload : payloads) {
    payload.window = window;
    ledger_.points_flushed += payload.points;
    outputs_.push(std::move(payload));
  }
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
  return fmt::format("{} ({}) from {} on {}", quote(line.text), to_string(line.reason),
                     to_string(line.peer), listeners_[line.listener]);
}

// The whole picture on demand, for there is no page to look at yet.
void Daemon::log_refused() const {
  log_.info("SIGUSR1: {} lines refused since the start; the last {} of them:",
            with_commas(ledger_.ingest.refused()), refused_.size());
  for (const RefusedLine* line : refused_.lines()) {
    std::string shown = with_caret(line->text, line->caret, 2);
    shown.pop_back();  // the log ends the line
    log_.info("refused, {}, from {} on {}:\n{}", to_string(line->reason), to_string(line->peer),
              listeners_[line->listener], shown);
  }
}

void Daemon::on_signal(const char* name) {
  if (is_stopping_) {
    ledger_.deliveries = outputs_.counts();
    log_.error(
        "{} again: stopping at once; {} points that were not written are lost{}", name,
        with_commas(ledger_.delivered().queued),
        closing_.empty() && !flushing_ ? "" : ", and the open window is lost too, uncounted");
    exit_status_ = 1;
    loop_.stop();
    return;
  }
  log_.info("{}: stopping; the open window is written first", name);
  stop();
}

void Daemon::stop() {
  is_stopping_ = true;
  service_manager_.stopping();
  window_timer_.stop();
  close_window(clock_.cut_short(wall_now()), true);
}

void Daemon::finish() {
  log_losses(true);
  const DeliveryCounts counts = ledger_.delivered();
  log_.info(
      "stopped: {} datagrams received, {} dropped by the kernel; {} lines accepted, {} refused; "
      "{} points flushed, {} written, {} on disk, {} dropped",
      with_commas(ledger_.ingest.datagrams), with_commas(ledger_.ingest.kernel_drops),
      with_commas(ledger_.ingest.lines_accepted), with_commas(ledger_.ingest.refused()),
      with_commas(ledger_.points_flushed), with_commas(counts.written),
      with_commas(counts.spooled + counts.dead), with_commas(counts.dropped()));
  loop_.stop();
}

// With room for what the last window had, so that a receive thread need not make it.
Table Daemon::take_spare() {
  if (spares_.empty()) {
    Table fresh(table_rules_);
    fresh.expect(series_);
    return fresh;
  }
  Table spare = std::move(spares_.back());
  spares_.pop_back();
  return spare;
}

void Daemon::give_back(Table table) {
  series_ = table.size();
  table.clear();
  if (spares_.size() >= workers_.size()) return;
  table.expect(series_);
  spares_.push_back(std::move(table));
}

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
  Daemon daemon(loaded.config, log);
  if (const Status error = daemon.start()) {
    log.error("{}", error->message);
    return 1;
  }
  return daemon.run();
}

}  // namespace tally
