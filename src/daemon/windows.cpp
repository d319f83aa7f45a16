#include "daemon/windows.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "daemon/seed.hpp"
#include "daemon/sources.hpp"
#include "daemon/wall_clock.hpp"
#include "http/limits.hpp"
#include "tally/text.hpp"
#include "watch/admin.hpp"

namespace tally {
namespace {

using std::chrono::milliseconds;

// A stop has 5 s: what the workers read last, and then the database.
constexpr milliseconds last_parts_within{1200};

constexpr std::size_t windows_waiting_max = 2;  // beside the one that is being flushed

}  // namespace

Windows::Windows(uv::Loop& loop, const Config& config, Ledger& ledger, spdlog::logger& log,
                 Owner owner)
    : config_(config),
      ledger_(ledger),
      log_(log),
      owner_(std::move(owner)),
      worker_settings_{.rules = {.parse = config.parse, .lateness = config.limits.lateness},
                       .streams = {.connections_max = config.limits.connections,
                                   .idle_timeout = config.listen.idle_timeout,
                                   .allow = config.listen.allow}},
      table_rules_{.series_max = config.limits.series,
                   .set_members_exact = config.limits.set_members,
                   .hash_seed = random_seed(),
                   .static_tags = effective_tags(config)},
      clock_(config.flush.interval, wall_now()),
      posts_(loop, [this](Post post) { on_post(std::move(post)); }),
      window_timer_(loop, [this] { on_window_end(); }),
      overdue_timer_(loop, [this] { on_parts_overdue(); }) {}

Windows::~Windows() = default;

// Each stream connection is a descriptor, and the customary limit is no more than we allow of them.
void Windows::raise_descriptor_limit() {
  const rlim_t others = 64 + (config_.http.listen ? http::Limits{}.connections_max : 0) +
                        (config_.admin.listen ? AdminPort::Settings{}.connections_max : 0);
  const bool has_streams = !config_.listen.tcp.empty() || !config_.listen.unix_stream.empty();
  rlimit limit{};
  if (!has_streams || getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = config_.limits.connections + others;
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = std::min(wanted, limit.rlim_max);
  if (setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == wanted) return;
  getrlimit(RLIMIT_NOFILE, &limit);
  // The database and those who look need descriptors too: connections must not take the last.
  const rlim_t left = std::max<rlim_t>(limit.rlim_cur - std::min(limit.rlim_cur, others), 32);
  worker_settings_.streams.connections_max = left;
  log_.warn(
      "only {} file descriptors are allowed: at most {} connections are taken, not "
      "limits.connections ({}); raise it with ulimit -n, or LimitNOFILE= in the unit",
      limit.rlim_cur, left, config_.limits.connections);
}

Status Windows::open() {
  raise_descriptor_limit();
  Result<OpenedListeners> opened = open_listeners(config_.listen);
  if (!opened) return opened.error();
  for (const std::string& warning : opened.value().warnings)
    log_.warn("{}; going on without it", warning);
  announce(opened.value().of_worker[0]);
  listeners_ = std::move(opened.value().names);
  spares_.resize(opened.value().of_worker.size());
  for (Listeners& listeners : opened.value().of_worker) {
    workers_.push_back(
        std::make_unique<Worker>(std::move(listeners), worker_settings_,
                                 Worker::Window{take_spare(workers_.size()), clock_.opened()},
                                 [this, worker = workers_.size()](Worker::Letter letter) {
                                   posts_.send({worker, std::move(letter)});
                                 }));
  }
  return std::nullopt;
}

void Windows::announce(const Listeners& listeners) {
  const std::uint64_t asked = config_.listen.receive_buffer;
  for (const DatagramSocket& socket : listeners.datagrams) {
    receive_buffers_.push_back(socket.is_unix() ? 0 : socket.receive_buffer());
    if (socket.is_unix()) {
      log_.info("{}: listening; {}", socket.name(),
                socket.is_abstract() ? "every user of this host may send"
                                     : fmt::format("mode {:04o}", config_.listen.unix_mode));
      continue;
    }
    if (socket.receive_buffer() >= grantable_buffer(asked)) {
      log_.info("{}: listening; receive buffer {}", socket.name(),
                as_size(socket.receive_buffer()));
    } else {
      log_.warn(
          "{}: listening; receive buffer {} granted of {} asked: bursts may be dropped (and "
          "counted); raise it with: sysctl -w net.core.rmem_max={}",
          socket.name(), as_size(socket.receive_buffer()), as_size(asked), asked);
    }
  }
  for (const StreamSocket& socket : listeners.streams)
    log_.info("{}: listening; at most {} connections", socket.name(),
              with_commas(worker_settings_.streams.connections_max));
}

void Windows::arm_window_timer() {
  window_timer_.start(clock_.until_boundary(wall_now()));
}

void Windows::on_window_end() {
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
        "the time between are overwritten where series and stamp are the same");
  } else if (cut.step == WindowClock::Step::forward && !was_joined) {
    log_.warn(
        "the wall clock stepped forward, or the process was stopped: one window is longer than {}",
        duration_to_string(config_.flush.interval));
  }
  clock_held_back_ = is_held_back;
  close_window(cut, false);
  arm_window_timer();
}

void Windows::close_window(const WindowClock::Cut& cut, bool is_last) {
  const std::uint64_t number = next_window_++;
  closing_.push_back({.number = number,
                      .span = cut.span,
                      .is_last = is_last,
                      .parts_missing = workers_.size(),
                      .whole = {}});
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if (is_last) {
      workers_[i]->stop(number);
    } else {
      workers_[i]->close_window(number, {take_spare(i), clock_.opened()});
    }
  }
  if (closing_.size() == 1 || is_last) arm_overdue_timer();
}

void Windows::stop() {
  window_timer_.stop();
  close_window(clock_.cut_short(wall_now()), true);
}

void Windows::on_post(Post post) {
  auto* const part = std::get_if<WindowPart>(&post.letter);
  if (part == nullptr) return owner_.on_letter(post.worker, std::move(post.letter));
  on_part(post.worker, std::move(*part));
  owner_.on_letter(post.worker, std::nullopt);
  tell_if_ready();
}

void Windows::on_part(std::size_t worker, WindowPart part) {
  const auto closing = std::ranges::find(closing_, part.window, &Closing::number);
  if (closing == closing_.end()) return add_late_part(worker, std::move(part));
  --closing->parts_missing;
  closing->buffer_fill = std::max(closing->buffer_fill, part.buffer_fill);
  closing->connections += part.connections;
  merge_part(closing->whole, {std::move(part.gathered), worker});
}

// Its window is gone, its samples are not: they are written with the next.
void Windows::add_late_part(std::size_t worker, WindowPart part) {
  const bool has_next = !closing_.empty() || window_timer_.active();
  log_.warn("a receive thread handed window {} over too late: {}", part.window,
            has_next ? "its samples count in the next window"
                     : "there is no next one, and its samples are lost");
  merge_part(late_, {std::move(part.gathered), worker});
}

void Windows::merge_part(std::optional<Whole>& whole, Whole part) {
  if (!whole) {
    whole = std::move(part);
    return;
  }
  whole->gathered.merge(part.gathered);
  keep_spare(std::move(part.gathered.table), part.table_of);
}

void Windows::arm_overdue_timer() {
  const bool stops = closing_.back().is_last;
  overdue_timer_.start(stops ? last_parts_within
                             : std::min<milliseconds>(config_.flush.interval, milliseconds(1000)));
}

void Windows::on_parts_overdue() {
  if (closing_.empty()) return;
  Closing& oldest = closing_.front();
  if (oldest.is_last && oldest.parts_missing > 0) {
    log_.error(
        "{} receive threads did not hand over their last window within {}: what they heard "
        "in it is lost and not counted",
        oldest.parts_missing, duration_to_string(last_parts_within));
  }
  ledger_.windows_late += oldest.parts_missing;
  oldest.parts_missing = 0;
  tell_if_ready();
}

void Windows::tell_if_ready() {
  if (!closing_.empty() && closing_.front().parts_missing == 0) owner_.on_ready();
}

std::optional<ClosedWindow> Windows::take() {
  std::optional<ClosedWindow> window;
  if (!closing_.empty() && closing_.front().parts_missing == 0) {
    Closing closing = std::move(closing_.front());
    closing_.pop_front();
    if (late_) merge_part(closing.whole, *std::exchange(late_, std::nullopt));
    if (!closing.whole)
      closing.whole = {Gathered(take_spare(0), listeners_.size(), closing.span.start), 0};
    window.emplace(ClosedWindow{.number = closing.number,
                                .span = closing.span,
                                .is_last = closing.is_last,
                                .gathered = std::move(closing.whole->gathered),
                                .table_of = closing.whole->table_of,
                                .buffer_fill = closing.buffer_fill,
                                .connections = closing.connections});
  }
  closing_.empty() ? overdue_timer_.stop() : arm_overdue_timer();
  return window;
}

void Windows::add_waiting(Ledger& ledger) const {
  for (const Closing& closing : closing_) {
    if (closing.whole) ledger.add(closing.whole->gathered.counts);
  }
  if (late_) ledger.add(late_->gathered.counts);
}

// One that knows the worker's series, or has room for what the last window had, so that a receive
// thread need not make it.
Table Windows::take_spare(std::size_t worker) {
  if (spares_[worker]) return *std::exchange(spares_[worker], std::nullopt);
  Table fresh(table_rules_);
  fresh.expect(series_);
  return fresh;
}

// For the worker whose series it knows.
void Windows::keep_spare(Table table, std::size_t worker) {
  series_ = table.size();
  if (spares_[worker]) return;
  table.clear();
  table.expect(series_);
  spares_[worker] = std::move(table);
}

}  // namespace tally
