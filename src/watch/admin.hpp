#pragma once
// The TCP management interface of the original statsd.
//
//     accept -> a line -> AdminCommand -> AdminAnswers -> Insight .. -> the answer, when it can be
//     written
//
// There are no passwords in it: `admin.listen` is loopback, or `admin.allow` says who may. Who
// begins as HTTP or TLS does, or has " HTTP/" in a line, is hung up on: so no web page can make a
// browser speak to it.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "receive/acceptor.hpp"
#include "receive/stream_socket.hpp"
#include "tally/config.hpp"
#include "tally/peer.hpp"
#include "tally/result.hpp"
#include "tally/time.hpp"
#include "uv/handles.hpp"
#include "watch/admin_answers.hpp"
#include "watch/insight.hpp"

namespace spdlog {
class logger;
}

namespace tally {

struct AdminListeners {
  std::vector<StreamSocket> sockets;  ///< none: the port is off, or could not be had
  std::vector<std::string> warnings;  ///< to be logged
};

/// Opens what `admin.listen` names. A default address that cannot be had is a warning: the port is
/// a convenience, and Datadog's trace agent has the same. One that somebody has set is an error,
/// like every other address that was set.
Result<AdminListeners> open_admin(const LoadedConfig& loaded);

/// What became of the connections, since the start.
struct AdminCounts {
  std::uint64_t accepted = 0;
  std::uint64_t denied = 0;    ///< admin.allow does not name the peer
  std::uint64_t refused = 0;   ///< `connections_max` were at work, or no descriptor was left
  std::uint64_t idle = 0;      ///< hung up on: said nothing for long, or made room for another
  std::uint64_t unread = 0;    ///< hung up on: did not read its answer
  std::uint64_t foreign = 0;   ///< hung up on: HTTP or TLS
  std::uint64_t overlong = 0;  ///< hung up on: a line over `line_bytes_max`
  std::uint64_t commands = 0;  ///< obeyed, unknown ones included

  friend bool operator==(const AdminCounts&, const AdminCounts&) = default;
};

/// Serves it. A client's commands are obeyed one after the other, and of all clients one is in work
/// at a time; it is not read from while its answer is on its way. Nothing here waits. While no one
/// is connected, nothing wakes the loop.
///
/// A line that its client has not ended is obeyed when the client ends its side, or, if it only
/// reads, after `unfinished_after` of silence: the original obeyed what a packet held.
class AdminPort {
 public:
  static constexpr std::size_t line_bytes_max = 8 << 10;

  struct Settings {
    std::vector<Network> allow;  ///< empty: all
    /// One more takes the place of the one that has been silent longest, if that is `silent_least`.
    std::size_t connections_max = 32;
    std::chrono::milliseconds silent_least = std::chrono::seconds(1);
    /// Long: statsd-ruby keeps its connection, and does not notice that it was hung up on.
    std::chrono::milliseconds idle_timeout = std::chrono::minutes(10);
    std::chrono::milliseconds read_within = std::chrono::seconds(60);  ///< an answer
    std::chrono::milliseconds unfinished_after{200};
    /// Of answers that clients have not read yet. While there are more no command is obeyed.
    std::size_t bytes_waiting_max = 16 << 20;
  };

  /// What it speaks of and to.
  struct Around {
    Insight& insight;  ///< does not answer once this is gone
    AdminAnswers::Known known;
    spdlog::logger& log;
  };

  AdminPort(uv::Loop& loop, std::vector<StreamSocket> sockets, Settings settings, Around around);
  ~AdminPort();
  AdminPort(const AdminPort&) = delete;
  AdminPort& operator=(const AdminPort&) = delete;

  /// False from `health down` to `health up`: `/health` must say so too.
  bool is_up() const { return answers_.is_up(); }

  /// Hangs up on all and listens no more; for a stop. Not from within its own callbacks.
  void close();

  const AdminCounts& counts() const { return counts_; }
  std::size_t open() const { return connections_.size(); }
  std::vector<ListenAddress> addresses() const;

 private:
  class Connection;

  // One log line of a kind in ten seconds, for clients cause them.
  struct Said {
    std::optional<Instant> last = {};
    std::uint64_t unsaid = 0;
  };
  struct Waiting {
    std::uint64_t connection;
    AdminCommand command;
  };

  void admit(Acceptor::Newcomer newcomer);
  bool make_room();
  void drop(const Connection& connection);
  Connection* find(std::uint64_t id) const;
  void obey(const Connection& connection, AdminCommand command, std::string_view line);
  void pump();
  void on_answer(std::uint64_t id, std::string answer);
  std::size_t bytes_waiting() const;
  void on_sweep();
  void say(Said& said, const std::string& text);

  uv::Loop& loop_;
  Settings settings_;
  spdlog::logger& log_;
  AdminAnswers answers_;
  AdminCounts counts_;
  Said denied_, refused_, foreign_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::uint64_t next_id_ = 1;
  std::deque<Waiting> waiting_;  // at most one of each connection
  bool is_asking_ = false;
  uv::Timer sweep_;
  Acceptor acceptor_;
};

}  // namespace tally
