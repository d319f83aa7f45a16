#include "worker.hpp"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace tally {
namespace {

// Batches taken from one socket before the others, and main's orders, get their turn: 1,024
// datagrams, about 1 ms.
constexpr int batches_per_turn = 16;

}  // namespace

Worker::Worker(std::vector<UdpSocket> sockets, const LineLimits& limits, Table first,
               OnPart on_part)
    : limits_(limits),
      on_part_(std::move(on_part)),
      sockets_(std::move(sockets)),
      gathered_(std::move(first)),
      orders_(std::make_unique<uv::Mailbox<Order>>(
          loop_, [this](Order order) { on_order(std::move(order)); })),
      end_(std::make_unique<uv::Async>(loop_, [this] { loop_.stop(); })) {
  for (UdpSocket& socket : sockets_) {
    polls_.push_back(std::make_unique<uv::Poll>(loop_, socket.fd(),
                                                [this, &socket](int) { on_readable(socket); }));
    polls_.back()->watch(UV_READABLE);
  }
  thread_ = std::thread([this] { loop_.run(); });
  pthread_setname_np(thread_.native_handle(), "ingest");
}

Worker::~Worker() {
  end_->poke();
  thread_.join();
  // From here on the loop is this thread's: the handles close in the turn that ~Loop runs.
}

void Worker::close_window(std::uint64_t window, Table spare) {
  orders_->send({.window = window, .spare = std::move(spare)});
}

void Worker::stop(std::uint64_t window) {
  orders_->send({.window = window, .spare = std::nullopt});
}

void Worker::on_order(Order order) {
  if (!order.spare) drain();
  double fill = 0;
  for (UdpSocket& socket : sockets_) {
    gathered_.counts.kernel_drops += socket.take_kernel_drops();
    fill = std::max(fill, socket.fill());
  }
  WindowPart part{.window = order.window, .gathered = std::move(gathered_), .buffer_fill = fill};
  if (order.spare) {
    gathered_ = Gathered(std::move(*order.spare));
  } else {
    // At once, so that senders are told: nothing will touch what was moved away.
    polls_.clear();
    sockets_.clear();
  }
  on_part_(std::move(part));
}

void Worker::on_readable(UdpSocket& socket) {
  for (int i = 0; i < batches_per_turn; ++i) {
    if (!receive_batch(socket)) return;
  }
}

// True if there may be more.
bool Worker::receive_batch(UdpSocket& socket) {
  const Receiver::Received received = receiver_.receive(socket.fd());
  if (received.error != 0) ++gathered_.counts.receive_errors;
  if (received.datagrams.empty()) return false;
  const Instant now = std::chrono::steady_clock::now();
  for (const Datagram& datagram : received.datagrams) {
    ingest(datagram.bytes, datagram.is_truncated, limits_, now, batch_, gathered_);
  }
  return received.datagrams.size() == Receiver::batch_max;
}

// Ends, because the queues can only become shorter.
void Worker::drain() {
  for (UdpSocket& socket : sockets_) socket.refuse_new();
  for (UdpSocket& socket : sockets_) {
    while (receive_batch(socket)) {
    }
  }
}

}  // namespace tally
