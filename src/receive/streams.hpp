#pragma once
// All stream connections of a receive thread: accepts, reads fairly, cuts into lines, hangs up.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "acceptor.hpp"
#include "stream_socket.hpp"
#include "tally/ledger.hpp"
#include "tally/peer.hpp"
#include "tally/sample.hpp"
#include "tally/time.hpp"
#include "uv/handles.hpp"

namespace tally {

/// The connections of one loop, over all its listeners.
///
/// Each turn of the loop a connection that has something is read once, at most 64 KiB, so that none
/// starves another. One buffer serves all reads; a connection holds only the line that it has not
/// finished. A line without an end counts when the connection closes, and after
/// `unfinished_after` of silence if it is whole as it stands (`is_whole` says so): a number cut in
/// the middle would be a wrong number. While no connection is open, nothing wakes the loop.
///
/// When the process has no file descriptor left, nothing is accepted for a second; each such pause
/// counts as one refused.
class Streams {
 public:
  struct Settings {
    std::size_t connections_max = 1024;
    std::chrono::milliseconds idle_timeout = std::chrono::minutes(10);
    std::chrono::milliseconds unfinished_after = std::chrono::seconds(2);
    std::vector<Network> allow;  ///< empty: all
  };

  /// Where text comes from. `listener` is the index in the vector of sockets.
  struct Origin {
    std::size_t listener;
    Peer peer;
  };

  /// What the owner does with what was heard; called on the loop's thread. Views are valid until
  /// the call returns. None of it may destroy or `finish` the Streams.
  struct Owner {
    std::function<void(const Origin&, std::string_view text)> on_text;  ///< whole lines
    std::function<void(const Origin&, Reason, std::string_view start)> on_refused;
    std::function<bool(std::string_view line)> is_whole;
  };

  Streams(uv::Loop& loop, std::vector<StreamSocket> sockets, Settings settings, Owner owner);
  ~Streams();  ///< closes all, unread
  Streams(const Streams&) = delete;
  Streams& operator=(const Streams&) = delete;

  /// Reads what has arrived, in every connection and those that wait to be accepted, to its present
  /// end, counts last lines that are whole, and closes all, listeners too. For a stop. What is not
  /// read `until` then is the client's to send again.
  void finish(Instant until);

  /// What happened since the last call, by listener.
  std::vector<ConnectionCounts> take_counts();
  std::size_t open() const { return connections_.size(); }  ///< connections now
  std::size_t bytes_held() const;                           ///< of unfinished lines

 private:
  std::size_t bytes_a_read() const;
  class Connection;

  void admit(Acceptor::Newcomer newcomer);
  void drop(const Connection& connection);
  void start_sweeping();
  void on_sweep();

  uv::Loop& loop_;
  Settings settings_;
  Owner owner_;
  std::vector<ConnectionCounts> counts_;
  std::unique_ptr<char[]> buffer_;
  std::vector<std::unique_ptr<Connection>> connections_;
  uv::Timer sweep_;
  Acceptor acceptor_;
};

}  // namespace tally
