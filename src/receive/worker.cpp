#include "worker.hpp"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "posix/time_slice.hpp"
#include "socket_address.hpp"

namespace tally {
namespace {

// Batches taken from one socket before the others, and main's orders, get their turn: 1,024
// datagrams, about 1 ms.
constexpr int batches_per_turn = 16;

// Read by the clock, a loaded socket gathers so much; at the highest rate that a kernel delivers
// this is 1.5 MB of buffer, so only a socket with more takes naps.
constexpr std::chrono::milliseconds nap{1};
constexpr std::uint64_t nap_buffer_least = 4 << 20;

// Main gives us 1.2 s for the last window.
constexpr std::chrono::milliseconds stream_drain_within{800};

Arrival arrival_now(std::uint32_t listener) {
  return {.listener = listener,
          .peer = {},
          .now = std::chrono::steady_clock::now(),
          .wall = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now())};
}

}  // namespace

Worker::Worker(Listeners listeners, const Settings& settings, Window first, OnPart on_part)
    : settings_(settings),
      on_part_(std::move(on_part)),
      sockets_(std::move(listeners.datagrams)),
      listeners_(sockets_.size() + listeners.streams.size()),
      ingestor_(settings.rules),
      gathered_(std::move(first.table), listeners_, first.opened),
      last_ready_(sockets_.size()),
      nap_timer_(loop_, [this] { on_nap_over(); }),
      orders_(std::make_unique<uv::Mailbox<Order>>(
          loop_, [this](Order order) { on_order(std::move(order)); })),
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
  orders_->send({.window = window, .next = std::move(next)});
}

void Worker::stop(std::uint64_t window) {
  orders_->send({.window = window, .next = std::nullopt});
}

// What a stream brings is taken as the lines of a datagram are.
Streams::Owner Worker::stream_owner() {
  const auto arrival_of = [this](const Streams::Origin& origin) {
    Arrival arrival = arrival_now(static_cast<std::uint32_t>(sockets_.size() + origin.listener));
    arrival.peer = origin.peer;
    return arrival;
  };
  return {
      .on_text = [this, arrival_of](
                     const Streams::Origin& origin,
                     std::string_view text) { ingestor_.add(text, arrival_of(origin), gathered_); },
      .on_refused =
          [this, arrival_of](const Streams::Origin& origin, Reason reason, std::string_view start) {
            Ingestor::refuse(reason, start, arrival_of(origin), gathered_);
          },
      .is_whole = [this](std::string_view line) { return is_whole(line); }};
}

void Worker::on_order(Order order) {
  if (order.next) {
    end_nap();
  } else {
    drain();
  }
  take_counts();
  Gathered gathered = std::move(gathered_);
  if (order.next) {
    gathered_ = Gathered(std::move(order.next->table), listeners_, order.next->opened);
    hand_over(order.window, std::move(gathered));
    return;
  }
  hand_over(order.window, std::move(gathered));
  // At once, so that senders are told: nothing will touch what was moved away.
  nap_timer_.stop();
  polls_.clear();
  streams_.reset();
  sockets_.clear();
}

void Worker::hand_over(std::uint64_t window, Gathered gathered) {
  double fill = 0;
  for (const DatagramSocket& socket : sockets_) fill = std::max(fill, socket.fill());
  on_part_({.window = window,
            .gathered = std::move(gathered),
            .buffer_fill = fill,
            .connections = streams_ ? streams_->open() : 0});
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
  if (read(listener) && is_soon && may_nap_[listener]) begin_nap(listener);
}

// True if the queue was read to its end.
bool Worker::read(std::uint32_t listener) {
  for (int i = 0; i < batches_per_turn; ++i) {
    if (!receive_batch(listener)) return true;
  }
  return false;
}

// Under load each datagram would wake us, which costs more than to read it. So a socket that
// becomes ready again and again is read by the clock instead, until it is found empty or cannot be
// read fast enough. One datagram alone is read at once.
void Worker::begin_nap(std::uint32_t listener) {
  polls_[listener]->watch(0);
  napping_.push_back(listener);
  if (!nap_timer_.active()) nap_timer_.start(nap, nap);
}

void Worker::on_nap_over() {
  std::erase_if(napping_, [this](std::uint32_t listener) {
    const std::uint64_t before = gathered_.counts[listener].datagrams;
    const bool is_drained = read(listener);
    const bool was_empty = gathered_.counts[listener].datagrams == before;
    // Where more waits than one turn takes, there is no time to sleep.
    if (is_drained && !was_empty) return false;
    polls_[listener]->watch(UV_READABLE);
    return true;
  });
  if (napping_.empty()) nap_timer_.stop();
}

// What came before the window's end belongs to it.
void Worker::end_nap() {
  for (const std::uint32_t listener : napping_) read(listener);
}

// True if there may be more.
bool Worker::receive_batch(std::uint32_t listener) {
  const Receiver::Received received = receiver_.receive(sockets_[listener].fd());
  if (received.error != 0) ++gathered_.counts[listener].receive_errors;
  if (received.datagrams.empty()) return false;
  Arrival arrival = arrival_now(listener);
  arrival.has_padding = true;
  for (const Datagram& datagram : received.datagrams) take(datagram, arrival);
  // A sender on a Unix socket may be waiting for room: ask until there is nothing.
  return sockets_[listener].is_unix() || received.datagrams.size() == Receiver::batch_max;
}

void Worker::take(const Datagram& datagram, Arrival& arrival) {
  arrival.peer = peer_of(*datagram.from);
  if (is_allowed(settings_.streams.allow, arrival.peer)) {
    ingestor_.add_datagram(datagram.bytes, datagram.is_truncated, arrival, gathered_);
    return;
  }
  IngestCounts& counts = gathered_.counts[arrival.listener];
  ++counts.datagrams;
  ++counts.datagrams_denied;
}

// A line that needs nothing behind its type. Of fields one cannot know whether they are whole: a
// rate of 0.2 may have been meant to be 0.25.
bool Worker::is_whole(std::string_view line) {
  return line.find('|') == line.rfind('|') && ingestor_.is_line(line);
}

// Ends, because the queues of datagrams can only become shorter, and streams are read to what is
// there now, or for as long as a stop leaves time.
void Worker::drain() {
  const Instant until = std::chrono::steady_clock::now() + stream_drain_within;
  for (DatagramSocket& socket : sockets_) socket.refuse_new();
  for (std::uint32_t i = 0; i < sockets_.size(); ++i) {
    while (receive_batch(i)) {
    }
  }
  if (streams_) streams_->finish(until);
}

}  // namespace tally
