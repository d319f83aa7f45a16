#include "watch/admin.hpp"

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "receive/hello.hpp"
#include "receive/listeners.hpp"
#include "tally/text.hpp"

namespace tally {
namespace {

using std::chrono::milliseconds;
using Verb = AdminCommand::Verb;

constexpr milliseconds sweep_every_max = std::chrono::seconds(1);
constexpr std::chrono::seconds between_lines{10};  // of the log

Instant now() {
  return std::chrono::steady_clock::now();
}

// A browser can be made to send other methods than those we know.
bool is_foreign_line(std::string_view line) {
  return line.find(" HTTP/") != std::string_view::npos;
}

}  // namespace

Result<AdminListeners> open_admin(const LoadedConfig& loaded) {
  AdminListeners opened;
  if (!loaded.config.admin.listen) return opened;
  std::vector<std::string> left_out;
  auto sockets = open_tcp({*loaded.config.admin.listen}, "admin.listen", left_out);
  for (const std::string& what : left_out)
    opened.warnings.push_back(what + "; going on without it");
  if (sockets) {
    opened.sockets = std::move(sockets).value();
    return opened;
  }
  if (loaded.origins.contains("admin.listen")) return sockets.error();
  opened.warnings.push_back(sockets.error().message +
                            " (or to \"\", for none); going on without the management interface, "
                            "nothing else is affected");
  return opened;
}

/// One client.
class AdminPort::Connection {
 public:
  Connection(AdminPort& port, std::uint64_t id, Acceptor::Newcomer newcomer)
      : port_(port),
        id_(id),
        peer_(newcomer.peer),
        fd_(std::move(newcomer.fd)),
        poll_(port.loop_, fd_.get(), [this](int) { on_ready(); }) {
    poll_.watch(UV_READABLE);
  }

  std::uint64_t id() const { return id_; }
  std::string who() const { return to_string(peer_); }
  std::size_t bytes_waiting() const { return answer_.size(); }

  /// Takes the answer to the command that was given to the port.
  void answer(std::string text);

  /// Obeys a question whose line has not ended. False if the connection was silent for too long.
  bool sweep(Instant now);

  /// Since when it waits for a command; nothing while it is at work.
  std::optional<Instant> silent_since() const;

 private:
  enum class Line : std::uint8_t { whole, none, bad };

  void on_ready();
  bool read_some();
  bool go_on();
  bool send_answer();
  bool obey_next();
  Line take_line(std::string& line);
  bool is_foreign();
  void obey(AdminCommand command, std::string_view line);
  bool watch(int events);
  void tell_foreigner();

  AdminPort& port_;
  std::uint64_t id_;
  Peer peer_;
  Instant heard_ = now();    // when something was read last
  Instant active_ = heard_;  // when the last answer was given
  std::string held_;         // read and not obeyed
  std::string answer_;
  std::size_t sent_ = 0;     // of the answer
  bool is_greeted_ = false;  // it is known that this is no HTTP and no TLS
  bool has_ended_ = false;   // it will send no more
  bool is_in_work_ = false;  // a command of it
  Descriptor fd_;
  uv::Poll poll_;  // behind fd_: it goes first
};

void AdminPort::Connection::on_ready() {
  AdminPort& port = port_;
  const bool is_reading = answer_.empty() && !is_in_work_;
  if ((is_reading && !read_some()) || !go_on()) port.drop(*this);
  // `this` may be gone.
  port.pump();
}

bool AdminPort::Connection::read_some() {
  std::array<char, 4096> buffer;
  const ssize_t got = recv(fd_.get(), buffer.data(), buffer.size(), 0);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  has_ended_ = got == 0;
  held_.append(buffer.data(), static_cast<std::size_t>(got));
  heard_ = now();
  return true;
}

/// Does the next thing that can be done without waiting. False if the connection is over.
bool AdminPort::Connection::go_on() {
  if (is_in_work_) return watch(0);
  if (!send_answer()) return false;
  return answer_.empty() ? obey_next() : watch(UV_WRITABLE);
}

bool AdminPort::Connection::send_answer() {
  while (sent_ < answer_.size()) {
    const ssize_t sent = send(fd_.get(), answer_.data() + sent_, answer_.size() - sent_,
                              MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return errno == EAGAIN;
    sent_ += static_cast<std::size_t>(sent);
  }
  answer_ = std::string();  // gives the memory back
  sent_ = 0;
  return true;
}

/// Gives the next command to the port, if there is one. False if the connection is over.
bool AdminPort::Connection::obey_next() {
  std::string text;
  for (;;) {
    const Line line = take_line(text);
    if (line == Line::bad) return false;
    if (line == Line::none) return !has_ended_ && watch(UV_READABLE);
    AdminCommand command = read_admin_command(text);
    if (command.verb == Verb::quit) return false;
    if (command.verb == Verb::nothing) continue;
    obey(std::move(command), text);
    return watch(0);
  }
}

AdminPort::Connection::Line AdminPort::Connection::take_line(std::string& line) {
  const std::size_t end = held_.find('\n');
  if (is_foreign()) {
    tell_foreigner();
    return Line::bad;
  }
  if (std::min(end, held_.size()) > line_bytes_max) {
    ++port_.counts_.overlong;
    return Line::bad;
  }
  const bool is_whole = end != std::string::npos || (has_ended_ && !held_.empty());
  if (!is_whole || !is_greeted_) return Line::none;
  line = held_.substr(0, end);
  held_.erase(0, std::max(end, end + 1));  // all, if there is no line end
  return Line::whole;
}

/// Whether a line or the beginning is HTTP or TLS, as far as it can be told.
bool AdminPort::Connection::is_foreign() {
  if (is_foreign_line(std::string_view(held_).substr(0, held_.find('\n')))) return true;
  if (is_greeted_) return false;
  is_greeted_ = has_ended_ || !may_become_foreign_hello(held_);
  return is_foreign_hello(held_);
}

void AdminPort::Connection::obey(AdminCommand command, std::string_view line) {
  is_in_work_ = true;
  port_.obey(*this, std::move(command), line);
}

void AdminPort::Connection::answer(std::string text) {
  is_in_work_ = false;
  answer_ = std::move(text);
  active_ = now();
  watch(UV_WRITABLE);
}

bool AdminPort::Connection::sweep(Instant now) {
  if (is_in_work_) return true;
  const auto silence = now - active_;
  if (!answer_.empty()) {
    if (silence < port_.settings_.read_within) return true;
    ++port_.counts_.unread;
    return false;
  }
  AdminCommand command = read_admin_command(held_);
  const bool is_meant =
      is_greeted_ && only_reads(command) && now - heard_ >= port_.settings_.unfinished_after;
  if (is_meant && command.verb == Verb::quit) return false;
  if (is_meant) {
    obey(std::move(command), std::exchange(held_, {}));
    return watch(0);
  }
  if (silence < port_.settings_.idle_timeout) return true;
  ++port_.counts_.idle;
  return false;
}

std::optional<Instant> AdminPort::Connection::silent_since() const {
  return is_in_work_ || !answer_.empty() ? std::nullopt : std::optional(active_);
}

/// Always true, for those who end with it.
bool AdminPort::Connection::watch(int events) {
  poll_.watch(events);
  return true;
}

void AdminPort::Connection::tell_foreigner() {
  ++port_.counts_.foreign;
  port_.say(port_.foreign_, "hung up on " + who() +
                                ", who spoke HTTP or TLS: nothing was changed; a browser, a health "
                                "check or a wrong port number does this");
}

AdminPort::AdminPort(uv::Loop& loop, std::vector<StreamSocket> sockets, Settings settings,
                     Around around)
    : loop_(loop),
      settings_(std::move(settings)),
      log_(around.log),
      answers_(around.insight, std::move(around.known)),
      sweep_(loop, [this] { on_sweep(); }),
      acceptor_(loop, std::move(sockets),
                {.on_newcomer = [this](Acceptor::Newcomer newcomer) { admit(std::move(newcomer)); },
                 .on_exhausted =
                     [this](std::size_t) {
                       ++counts_.refused;
                       say(refused_,
                           "cannot take a connection: no file descriptor is left; raise it with "
                           "ulimit -n, or LimitNOFILE= in the unit");
                     }}) {
  for (const ListenAddress& address : addresses())
    log_.info("admin {}: listening", to_string(address));
}

AdminPort::~AdminPort() = default;

std::vector<ListenAddress> AdminPort::addresses() const {
  std::vector<ListenAddress> addresses;
  for (const StreamSocket& socket : acceptor_.sockets()) addresses.push_back(socket.address());
  return addresses;
}

void AdminPort::close() {
  acceptor_.close();
  sweep_.stop();
  waiting_.clear();
  connections_.clear();
}

void AdminPort::admit(Acceptor::Newcomer newcomer) {
  const std::string who = to_string(newcomer.peer);
  if (!is_allowed(settings_.allow, newcomer.peer)) {
    ++counts_.denied;
    return say(denied_, "hung up on " + who +
                            ": admin.allow does not name it; add its network there if it may");
  }
  if (!make_room()) {
    ++counts_.refused;
    return say(refused_, fmt::format("hung up on {}: {} connections are open, and none is idle",
                                     who, connections_.size()));
  }
  ++counts_.accepted;
  connections_.push_back(std::make_unique<Connection>(*this, next_id_++, std::move(newcomer)));
  const milliseconds least = std::min(settings_.unfinished_after, settings_.idle_timeout);
  const milliseconds every = std::clamp(least, milliseconds(1), sweep_every_max);
  if (!sweep_.active()) sweep_.start(every, every);
}

/// Whether one more connection may be open. Idle ones must not keep an operator out.
bool AdminPort::make_room() {
  if (connections_.size() < settings_.connections_max) return true;
  const auto silent = std::ranges::min_element(connections_, {}, [](const auto& connection) {
    return connection->silent_since().value_or(Instant::max());
  });
  const Instant since = (*silent)->silent_since().value_or(Instant::max());
  if (now() < since || now() - since < settings_.silent_least) return false;
  ++counts_.idle;
  connections_.erase(silent);
  return true;
}

void AdminPort::drop(const Connection& connection) {
  std::erase_if(connections_, [&](const auto& held) { return held.get() == &connection; });
  if (connections_.empty()) sweep_.stop();
}

AdminPort::Connection* AdminPort::find(std::uint64_t id) const {
  const auto found =
      std::ranges::find(connections_, id, [](const auto& connection) { return connection->id(); });
  return found == connections_.end() ? nullptr : found->get();
}

void AdminPort::obey(const Connection& connection, AdminCommand command, std::string_view line) {
  ++counts_.commands;
  const bool changes = command.verb != Verb::unknown && !only_reads(command);
  // Each of them: of a hundred the last may be the one that matters.
  if (changes) log_.info("admin port: {} says {}", connection.who(), quote(line));
  waiting_.push_back({.connection = connection.id(), .command = std::move(command)});
}

void AdminPort::pump() {
  while (!is_asking_ && !waiting_.empty() && bytes_waiting() <= settings_.bytes_waiting_max) {
    Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    is_asking_ = true;
    answers_.answer(std::move(next.command), [this, id = next.connection](std::string answer) {
      on_answer(id, std::move(answer));
    });
  }
}

void AdminPort::on_answer(std::uint64_t id, std::string answer) {
  is_asking_ = false;
  if (Connection* const connection = find(id)) connection->answer(std::move(answer));
  pump();
}

std::size_t AdminPort::bytes_waiting() const {
  std::size_t bytes = 0;
  for (const auto& connection : connections_) bytes += connection->bytes_waiting();
  return bytes;
}

void AdminPort::on_sweep() {
  const Instant at = now();
  std::erase_if(connections_, [at](const auto& connection) { return !connection->sweep(at); });
  if (connections_.empty()) sweep_.stop();
  pump();
}

void AdminPort::say(Said& said, const std::string& text) {
  const Instant at = now();
  if (said.last && at - *said.last < between_lines) {
    ++said.unsaid;
    return;
  }
  said.last = at;
  const std::uint64_t unsaid = std::exchange(said.unsaid, 0);
  const std::string more =
      unsaid == 0 ? "" : fmt::format(" (and {} times more before)", with_commas(unsaid));
  log_.warn("admin port: {}{}", text, more);
}

}  // namespace tally
