#include "streams.hpp"

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "framing.hpp"
#include "posix/descriptor.hpp"
#include "tally/time.hpp"

namespace tally {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t read_bytes_max = 64 << 10;
// What all connections together may have read in one turn of the loop, some milliseconds of work:
// so the datagram sockets beside them are not kept waiting, however many there are.
constexpr std::size_t turn_bytes_max = 256 << 10;
constexpr std::size_t read_bytes_least = 512;
constexpr milliseconds sweep_every_max = std::chrono::seconds(1);

Instant now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

/// One client. Tells its Streams when it is over, and is destroyed for it.
class Streams::Connection final : private FramingSink {
 public:
  Connection(Streams& streams, Descriptor fd, Origin origin, Framing::Lengths lengths)
      : streams_(streams),
        origin_(origin),
        framing_(lengths),
        fd_(std::move(fd)),
        poll_(streams.loop_, fd_.get(), [this](int events) { on_ready(events); }) {
    poll_.watch(UV_READABLE);
  }

  /// Reads what has arrived until now; what is unfinished then counts as it stands.
  void read_rest();

  /// Counts an unfinished line if it is time to. True if the connection was silent for too long.
  bool is_over(Instant now);

  /// It ends without the client's word: an unfinished line counts only if it is whole.
  void break_off();

  std::size_t bytes_held() const { return framing_.bytes_held(); }

 private:
  enum class Heard : std::uint8_t { something, nothing, end };

  void on_ready(int events);
  Heard read_once();
  Heard take(std::string_view piece);
  void on_text(std::string_view text) override { streams_.owner_.on_text(origin_, text); }
  void on_refused(Reason reason, std::string_view start) override {
    streams_.owner_.on_refused(origin_, reason, start);
  }
  ConnectionCounts& counts() { return streams_.counts_[origin_.listener]; }

  Streams& streams_;
  Origin origin_;
  Framing framing_;
  Instant last_heard_ = now();
  bool is_judged_ = false;  // whether the unfinished line was asked about
  Descriptor fd_;
  uv::Poll poll_;  // behind fd_: it goes first
};

void Streams::Connection::on_ready(int events) {
  // We wait for readable alone, so writable means an error, and no further call: the peer is gone
  // and adds nothing to what may still be unread.
  const bool is_broken = (events & UV_WRITABLE) != 0;
  if (is_broken) read_rest();
  if (is_broken || read_once() == Heard::end) streams_.drop(*this);
  // `this` may be gone.
}

Streams::Connection::Heard Streams::Connection::read_once() {
  const ssize_t got = recv(fd_.get(), streams_.buffer_.get(), streams_.bytes_a_read(), 0);
  if (got > 0) return take({streams_.buffer_.get(), static_cast<std::size_t>(got)});
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return Heard::nothing;
  got == 0 ? framing_.finish(*this) : break_off();
  return Heard::end;
}

Streams::Connection::Heard Streams::Connection::take(std::string_view piece) {
  last_heard_ = now();
  is_judged_ = false;
  counts().bytes += piece.size();
  switch (framing_.feed(piece, *this)) {
    case Framing::Verdict::go_on:
      return Heard::something;
    case Framing::Verdict::not_statsd:
      ++counts().not_statsd;
      break;
    case Framing::Verdict::broken:
      ++counts().broken;
      break;
  }
  return Heard::end;
}

void Streams::Connection::read_rest() {
  int present = 0;  // a client that goes on sending must not keep us here
  ioctl(fd_.get(), FIONREAD, &present);
  const std::uint64_t end = counts().bytes + static_cast<std::uint64_t>(present);
  Heard heard = Heard::something;
  // And one read more: behind the last byte may stand the client's own end.
  while (heard == Heard::something && counts().bytes <= end) heard = read_once();
  if (heard == Heard::end) return;
  break_off();
}

void Streams::Connection::break_off() {
  const std::string_view rest = framing_.pending();
  if (!rest.empty() && streams_.owner_.is_whole(rest)) framing_.flush_pending(*this);
  framing_.break_off(*this);
}

bool Streams::Connection::is_over(Instant now) {
  const auto silence = now - last_heard_;
  const bool is_to_judge = silence >= streams_.settings_.unfinished_after && !is_judged_;
  if (is_to_judge && !framing_.pending().empty()) {
    is_judged_ = true;
    if (streams_.owner_.is_whole(framing_.pending())) framing_.flush_pending(*this);
  }
  if (silence < streams_.settings_.idle_timeout) return false;
  break_off();
  ++counts().idle;
  return true;
}

Streams::Streams(uv::Loop& loop, std::vector<StreamSocket> sockets, Settings settings, Owner owner)
    : loop_(loop),
      settings_(std::move(settings)),
      owner_(std::move(owner)),
      counts_(sockets.size()),
      buffer_(std::make_unique_for_overwrite<char[]>(read_bytes_max)),
      sweep_(loop, [this] { on_sweep(); }),
      acceptor_(loop, std::move(sockets),
                {.on_newcomer = [this](Acceptor::Newcomer newcomer) { admit(std::move(newcomer)); },
                 .on_exhausted = [this](std::size_t listener) { ++counts_[listener].refused; }}) {}

Streams::~Streams() = default;

void Streams::admit(Acceptor::Newcomer newcomer) {
  ConnectionCounts& counts = counts_[newcomer.listener];
  if (!is_allowed(settings_.allow, newcomer.peer)) {
    ++counts.denied;
  } else if (connections_.size() >= settings_.connections_max) {
    ++counts.refused;
  } else {
    ++counts.accepted;
    const bool is_unix = newcomer.peer.family == Peer::Family::local;
    connections_.push_back(std::make_unique<Connection>(
        *this, std::move(newcomer.fd), Origin{.listener = newcomer.listener, .peer = newcomer.peer},
        is_unix ? Framing::Lengths::detected : Framing::Lengths::none));
    if (!sweep_.active()) start_sweeping();
  }
}

void Streams::drop(const Connection& connection) {
  std::erase_if(connections_, [&](const auto& held) { return held.get() == &connection; });
  if (connections_.empty()) sweep_.stop();
}

void Streams::start_sweeping() {
  const milliseconds least = std::min(settings_.unfinished_after, settings_.idle_timeout);
  const milliseconds every = std::clamp(least, milliseconds(1), sweep_every_max);
  sweep_.start(every, every);
}

void Streams::on_sweep() {
  const Instant at = now();
  std::erase_if(connections_, [at](const auto& connection) { return connection->is_over(at); });
  if (connections_.empty()) sweep_.stop();
}

std::size_t Streams::bytes_a_read() const {
  const std::size_t share = turn_bytes_max / std::max<std::size_t>(connections_.size(), 1);
  return std::clamp(share, read_bytes_least, read_bytes_max);
}

void Streams::finish(Instant until) {
  for (const auto& connection : connections_)
    now() < until ? connection->read_rest() : connection->break_off();
  connections_.clear();
  for (std::size_t listener = 0; listener < acceptor_.sockets().size(); ++listener) {
    // As many as can have waited when we began.
    for (int i = 0; i < SOMAXCONN && now() < until && acceptor_.accept_one(listener); ++i) {
      for (const auto& connection : connections_) connection->read_rest();
      connections_.clear();
    }
  }
  sweep_.stop();
  acceptor_.close();
}

std::vector<ConnectionCounts> Streams::take_counts() {
  return std::exchange(counts_, std::vector<ConnectionCounts>(counts_.size()));
}

std::size_t Streams::bytes_held() const {
  std::size_t bytes = 0;
  for (const auto& connection : connections_) bytes += connection->bytes_held();
  return bytes;
}

}  // namespace tally
