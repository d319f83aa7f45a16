#include "worker.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iterator>
#include <span>
#include <utility>

#include "posix/held_signals.hpp"
#include "posix/time_slice.hpp"
#include "socket_address.hpp"

namespace tally {
namespace {

// Batches taken from one socket before the others, and main's orders, get their turn: 1,024 small
// datagrams are about 1 ms, and large ones fewer.
constexpr int batches_per_turn = 16;
constexpr std::chrono::milliseconds turn{2};

// Read by the clock, a loaded socket gathers so much; at the highest rate that a kernel delivers
// this is 1.5 MB of buffer, so only a socket with more takes naps.
constexpr std::chrono::milliseconds nap{1};
constexpr std::uint64_t nap_buffer_least = 4 << 20;

// About 0.1 ms of looking at the open window before the sockets have their turn.
constexpr std::size_t series_a_look = 2000;

constexpr std::chrono::milliseconds tap_every{50};
constexpr unsigned taps_under_way_max = 2;

constexpr std::chrono::milliseconds stream_drain_within{800};

Arrival arrival_now(std::uint32_t listener) {
  return {.listener = listener,
          .peer = {},
          .now = std::chrono::steady_clock::now(),
          .wall = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now())};
}

Tapped piece_of(std::string_view bytes, bool is_truncated, const Arrival& arrival) {
  return {.at = arrival.wall,
          .listener = arrival.listener,
          .peer = arrival.peer,
          .is_truncated = is_truncated,
          .bytes = bytes};
}

std::vector<Sender> busiest(std::span<const Sender> all) {
  std::vector<Sender> senders;
  std::ranges::copy_if(all, std::back_inserter(senders),
                       [](const Sender& each) { return each.bytes > 0; });
  const std::size_t count = std::min(senders.size(), WorkerReport::senders_max);
  std::ranges::partial_sort(senders, senders.begin() + static_cast<std::ptrdiff_t>(count),
                            std::ranges::greater(), &Sender::lines);
  senders.resize(count);
  return senders;
}

Looked looked_at(const Table::Entry& entry) {
  Looked looked{.kind = kind_of_series_key(entry.key), .key = std::string(entry.key)};
  if (const auto* counter = std::get_if<Counter>(&entry.aggregate)) {
    looked.number = counter->sum;
  } else if (const auto* gauge = std::get_if<Gauge>(&entry.aggregate)) {
    looked.number = gauge->value;
    looked.is_delta = !gauge->is_set;
  } else if (const auto* values = std::get_if<const Distribution*>(&entry.aggregate)) {
    looked.values = (*values)->kept_values();
  } else if (const auto* members = std::get_if<const MemberSet*>(&entry.aggregate)) {
    looked.number = (*members)->count();
  }
  return looked;
}

}  // namespace

Worker::Worker(Listeners listeners, const Settings& settings, Window first, OnLetter on_letter)
    : settings_(settings),
      on_letter_(std::move(on_letter)),
      sockets_(std::move(listeners.datagrams)),
      listeners_(sockets_.size() + listeners.streams.size()),
      ingestor_(settings.rules),
      gathered_(std::move(first.table), listeners_, first.opened),
      last_ready_(sockets_.size()),
      nap_timer_(loop_, [this] { read_unwatched(); }),
      turn_(loop_, [this] { read_unwatched(); }),
      tap_timer_(loop_, [this] { hand_tap_over(); }),
      orders_(std::make_unique<uv::Mailbox<Order>>(
          loop_,
          [this](Order order) {
            std::visit([this](auto& one) { on_order(std::move(one)); }, order);
          })),
      end_(std::make_unique<uv::Async>(loop_, [this] { loop_.stop(); })) {
  for (std::uint32_t i = 0; i < sockets_.size(); ++i) {
    polls_.push_back(
        std::make_unique<uv::Poll>(loop_, sockets_[i].fd(), [this, i](int) { on_readable(i); }));
    polls_.back()->watch(UV_READABLE);
    may_nap_.push_back(!sockets_[i].is_unix() && sockets_[i].receive_buffer() >= nap_buffer_least);
  }
  if (!listeners.streams.empty()) {
    streams_ = std::make_unique<Streams>(loop_, std::move(listeners.streams), settings_.streams,
                                         stream_owner());
  }
  // Main's, whatever it is doing just then: a process that was stopped gives one to any thread.
  const HeldSignals held_here{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
  thread_ = std::thread([this] {
    // Where main and its helpers share this core, a flush would else keep us from it for some
    // ticks.
    ask_for_short_turns();
    loop_.run();
  });
  pthread_setname_np(thread_.native_handle(), "ingest");
}

Worker::~Worker() {
  end_->poke();
  thread_.join();
  // From here on the loop is this thread's: the handles close in the turn that ~Loop runs.
}

void Worker::close_window(std::uint64_t window, Window next) {
  orders_->send(Close{.window = window, .next = std::move(next)});
}

void Worker::stop(std::uint64_t window) {
  orders_->send(Close{.window = window, .next = std::nullopt});
}

void Worker::report(std::uint64_t number) {
  orders_->send(Report{number});
}

void Worker::look(std::uint64_t number, IsMeant is_meant, bool forgets) {
  orders_->send(Look{.number = number, .is_meant = std::move(is_meant), .forgets = forgets});
}

void Worker::tap(bool is_wanted) {
  orders_->send(TapSwitch{is_wanted});
}

void Worker::tap_seen() {
  orders_->send(TapSeen{});
}

// What a stream brings is taken as the lines of a datagram are.
Streams::Owner Worker::stream_owner() {
  const auto arrival_of = [this](const Streams::Origin& origin) {
    Arrival arrival = arrival_now(static_cast<std::uint32_t>(sockets_.size() + origin.listener));
    arrival.peer = origin.peer;
    arrival.sender = gathered_.senders.number_of(origin.peer);
    return arrival;
  };
  return {
      .on_text =
          [this, arrival_of](const Streams::Origin& origin, std::string_view text) {
            const Arrival arrival = arrival_of(origin);
            last_heard_ = arrival.wall;
            if (tap_) tap_->add(piece_of(text, false, arrival));
            ingestor_.add(text, arrival, gathered_);
          },
      .on_refused =
          [this, arrival_of](const Streams::Origin& origin, Reason reason, std::string_view start) {
            Ingestor::refuse(reason, start, arrival_of(origin), gathered_);
          },
      .is_whole = [this](std::string_view line) { return is_whole(line); }};
}

void Worker::on_order(Close order) {
  ++windows_;
  if (order.next) {
    read_before_close();
  } else {
    drain();
  }
  take_counts();
  Gathered gathered = std::move(gathered_);
  if (order.next) {
    gathered_ = Gathered(std::move(order.next->table), listeners_, order.next->opened);
    // Main knows of the window before, of which most series come again; of more than it had, the
    // table knows nothing yet.
    gathered_.table.reserve(gathered.table.size());
    hand_over(order.window, std::move(gathered));
    return;
  }
  has_stopped_ = true;
  hand_over(order.window, std::move(gathered));
  // At once, so that senders are told: nothing will touch what was moved away.
  nap_timer_.stop();
  tap_timer_.stop();
  unwatched_.clear();
  polls_.clear();
  streams_.reset();
  sockets_.clear();
}

void Worker::hand_over(std::uint64_t window, Gathered gathered) {
  double fill = 0;
  for (const DatagramSocket& socket : sockets_) fill = std::max(fill, socket.fill());
  on_letter_(WindowPart{.window = window,
                        .gathered = std::move(gathered),
                        .buffer_fill = fill,
                        .connections = streams_ ? streams_->open() : 0});
}

void Worker::on_order(Report order) {
  if (has_stopped_) return on_letter_(WorkerReport{.number = order.number});
  take_counts();
  WorkerReport report{.number = order.number,
                      .counts = gathered_.counts,
                      .refused = gathered_.refused,
                      .senders = busiest(gathered_.senders.all()),
                      .series = gathered_.table.size(),
                      .buffer_fill = {},
                      .connections = {},
                      .last_heard = last_heard_};
  for (const DatagramSocket& socket : sockets_) report.buffer_fill.push_back(socket.fill());
  if (streams_) report.connections = streams_->open_by_listener();
  on_letter_(std::move(report));
}

// A slice, and then the sockets have their turn.
void Worker::on_order(Look order) {
  if (has_stopped_) return on_letter_(WorkerFound{.number = order.number});
  if (order.window != windows_) {
    order.window = windows_;
    order.begin = 0;
    if (!order.forgets) order.found.clear();
  }
  Table& table = gathered_.table;
  const std::size_t end = std::min(order.begin + series_a_look, table.places());
  for (; order.begin < end && order.found.size() < found_max; ++order.begin) {
    const Table::Entry entry = table.entry(order.begin);
    const bool is_gone = std::holds_alternative<std::monostate>(entry.aggregate);
    if (is_gone || !order.is_meant(entry.key)) continue;
    order.found.push_back(looked_at(entry));
    if (order.forgets) table.forget(order.begin);
  }
  if (order.begin < table.places() && order.found.size() < found_max)
    return orders_->send(std::move(order));
  on_letter_(WorkerFound{.number = order.number, .series = std::move(order.found)});
}

void Worker::on_order(TapSwitch order) {
  if (order.is_wanted == tap_.has_value()) return;
  if (order.is_wanted) {
    tap_.emplace();
    taps_under_way_ = 0;
    tap_timer_.start(tap_every, tap_every);
  } else {
    tap_.reset();
    tap_timer_.stop();
  }
}

void Worker::on_order(TapSeen) {
  if (taps_under_way_ > 0) --taps_under_way_;
}

void Worker::hand_tap_over() {
  if (!tap_ || tap_->empty() || taps_under_way_ == taps_under_way_max) return;
  ++taps_under_way_;
  on_letter_(*std::exchange(tap_, TapBatch()));
}

void Worker::take_counts() {
  for (std::size_t i = 0; i < sockets_.size(); ++i)
    gathered_.counts[i].kernel_drops += sockets_[i].take_kernel_drops();
  if (!streams_) return;
  const std::vector<ConnectionCounts> counts = streams_->take_counts();
  for (std::size_t i = 0; i < counts.size(); ++i)
    gathered_.counts[sockets_.size() + i].connections += counts[i];
}

void Worker::on_readable(std::uint32_t listener) {
  const Instant now = std::chrono::steady_clock::now();
  const bool is_soon = now - last_ready_[listener] < nap;
  last_ready_[listener] = now;
  const bool is_drained = read(listener);
  if (is_drained && !(is_soon && may_nap_[listener])) return;
  polls_[listener]->watch(0);
  unwatched_.push_back(listener);
  read_later(is_drained);
}

// True if the queue was read to its end.
bool Worker::read(std::uint32_t listener) {
  const Instant end = std::chrono::steady_clock::now() + turn;
  for (int i = 0; i < batches_per_turn; ++i) {
    if (!receive_batch(listener)) return true;
    if (std::chrono::steady_clock::now() > end) break;
  }
  return false;
}

// Under load each datagram would wake us, which costs more than to read it. So a socket that
// becomes ready again and again is read by the clock instead, until it is found empty. One datagram
// alone is read at once. A socket in which more waits than one turn takes is read without a sleep,
// and yet not watched: else its sender tells our loop of each datagram, a tenth of its time.
void Worker::read_later(bool is_drained) {
  if (is_turn_due_) return;
  if (!is_drained) {
    is_turn_due_ = true;
    nap_timer_.stop();
    turn_.poke();
  } else if (!nap_timer_.active()) {
    nap_timer_.start(nap);
  }
}

void Worker::read_unwatched() {
  is_turn_due_ = false;
  bool are_drained = true;
  std::erase_if(unwatched_, [&](std::uint32_t listener) {
    const std::uint64_t before = gathered_.counts[listener].datagrams;
    const bool is_drained = read(listener);
    are_drained = are_drained && is_drained;
    const bool was_empty = gathered_.counts[listener].datagrams == before;
    if (!is_drained || (!was_empty && may_nap_[listener])) return false;
    polls_[listener]->watch(UV_READABLE);
    return true;
  });
  if (!unwatched_.empty()) read_later(are_drained);
}

// What came before the window's end belongs to it: of each socket as much as one turn takes.
void Worker::read_before_close() {
  for (const std::uint32_t listener : unwatched_) read(listener);
}

// True if there may be more.
bool Worker::receive_batch(std::uint32_t listener) {
  const Receiver::Received received = receiver_.receive(sockets_[listener].fd());
  if (received.error != 0) ++gathered_.counts[listener].receive_errors;
  if (received.datagrams.empty()) return false;
  Arrival arrival = arrival_now(listener);
  arrival.has_padding = true;
  last_heard_ = arrival.wall;
  const auto& datagrams = received.datagrams;
  arrival.peer = peer_of(received.from[0]);
  std::size_t begin = 0;
  for (std::size_t i = 1; i < datagrams.size(); ++i) {
    const Peer peer = peer_of(received.from[i]);
    if (peer == arrival.peer) continue;
    take(datagrams.subspan(begin, i - begin), arrival);
    arrival.peer = peer;
    begin = i;
  }
  take(datagrams.subspan(begin), arrival);
  // A sender on a Unix socket may be waiting for room: ask until there is nothing.
  return sockets_[listener].is_unix() || datagrams.size() == Receiver::batch_max;
}

// What came from one sender, together: of small datagrams that takes half of the time of one by
// one.
void Worker::take(std::span<const Datagram> datagrams, Arrival& arrival) {
  if (is_allowed(settings_.streams.allow, arrival.peer)) {
    arrival.sender = gathered_.senders.number_of(arrival.peer);
    if (tap_) [[unlikely]] {
      for (const Datagram& datagram : datagrams)
        tap_->add(piece_of(datagram.bytes, datagram.is_truncated, arrival));
    }
    ingestor_.add_datagrams(datagrams, arrival, gathered_);
    return;
  }
  IngestCounts& counts = gathered_.counts[arrival.listener];
  counts.datagrams += datagrams.size();
  counts.datagrams_denied += datagrams.size();
}

// A line that needs nothing behind its type. Of fields one cannot know whether they are whole: a
// rate of 0.2 may have been meant to be 0.25.
bool Worker::is_whole(std::string_view line) {
  return line.find('|') == line.rfind('|') && ingestor_.is_line(line);
}

// Ends, because the queues of datagrams can only become shorter, and streams are read to what is
// there now, or for as long as a stop leaves time. On a starved machine the queues may hold more
// than that.
void Worker::drain() {
  const Instant start = std::chrono::steady_clock::now();
  for (DatagramSocket& socket : sockets_) socket.refuse_new();
  for (std::uint32_t i = 0; i < sockets_.size(); ++i) {
    bool has_more = true;
    while (has_more && std::chrono::steady_clock::now() < start + settings_.read_at_end)
      has_more = receive_batch(i);
    if (has_more) discard(i);
  }
  if (streams_) streams_->finish(start + stream_drain_within);
}

// Lost, but counted: the largest queue, of 80,000 small datagrams, takes some 50 ms.
void Worker::discard(std::uint32_t listener) {
  IngestCounts& counts = gathered_.counts[listener];
  for (;;) {
    const Receiver::Received received = receiver_.receive(sockets_[listener].fd());
    if (received.datagrams.empty()) return;
    counts.datagrams += received.datagrams.size();
    counts.datagrams_unread += received.datagrams.size();
  }
}

}  // namespace tally
