#pragma once
// GNU libmicrohttpd on the libuv loop.
//
// libmicrohttpd keeps an epoll descriptor of its own; the loop watches that one descriptor and lets
// it work when it is readable, or at once when it says so. No thread is started. Connections are
// accepted here and time is kept here: its own limits know no loopback, leave the one connection
// too many waiting, and let a client live on that sends a byte now and then.
//
// Limitation: what is no HTTP, or a head beyond `head_bytes_max` and 8 KiB, it answers by itself
// (400, 414, 431) and without `Settings::headers`: short texts that hold nothing of the request.
//
//   accept -> head, body -> handler --> Reply::send            -> the next request, or the end
//             5 s                   |    60 s to be ready and fetched
//                                   +-> Reply::start -> Stream  -> until one side has enough
//                                        a sign of life each 15 s

#include <microhttpd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "http/limits.hpp"
#include "http/message.hpp"
#include "receive/acceptor.hpp"
#include "tally/result.hpp"
#include "uv/handles.hpp"

namespace tally::http {

class Server;

/// One open answer that goes on. A handle to copy: it owns nothing, and does nothing once the
/// reader is gone. Must not be used after its server.
class Stream {
 public:
  Stream(Server& server, std::uint64_t id) : server_(&server), id_(id) {}

  /// Unlike all others of its server, ever.
  std::uint64_t id() const { return id_; }

  /// Sends a piece whole or not at all; false if there is no room for it: the reader is too slow,
  /// or gone.
  bool write(std::string_view piece) const;

  /// As `write`, but hangs up on who is too slow, and counts it.
  bool push(std::string_view piece) const;

  /// Ends the answer behind what was written.
  void end() const;

 private:
  Server* server_;
  std::uint64_t id_;
};

/// What an answer that goes on is made of.
struct StreamResponse {
  std::vector<Header> headers = {};
  std::size_t buffer_bytes_max = 256 << 10;  ///< that wait for a slow reader
  std::string heartbeat = {};                ///< written now and then, so that silence means death
  std::function<void()> on_closed = {};      ///< once, when either side has ended it
};

/// The way to answer one request, at once or later, once. A handle to copy: it owns nothing, and
/// does nothing once the client is gone or an answer was given. Must not be used after its server.
class Reply {
 public:
  Reply(Server& server, std::uint64_t id) : server_(&server), id_(id) {}

  void send(Response response) const;

  /// Answers 200 with what is written to the stream; nothing if it is too late for an answer.
  std::optional<Stream> start(StreamResponse response) const;

  /// Of the stream that it may become.
  std::uint64_t id() const { return id_; }

 private:
  Server* server_;
  std::uint64_t id_;
};

/// What happened since the start, and what is.
struct Counts {
  std::uint64_t accepted = 0;      ///< connections
  std::uint64_t refused = 0;       ///< connections over a limit, or for want of a descriptor
  std::uint64_t overdue = 0;       ///< connections hung up on: too slow
  std::uint64_t idle = 0;          ///< connections hung up on: no further request
  std::uint64_t requests = 0;      ///< whose head was whole
  std::uint64_t readers_slow = 0;  ///< streams hung up on: their reader left no room
  std::uint64_t readers_gone = 0;  ///< streams whose reader was found to be gone by the heartbeat
  std::array<std::uint64_t, 4> answers{};  ///< by status: 2xx, 3xx, 4xx, 5xx
  std::size_t connections = 0;             ///< open
  std::size_t streams = 0;                 ///< open
};

/// Serves HTTP/1.1 on the loop's thread.
class Server {
 public:
  /// Runs once a request, and must neither block nor destroy the server.
  using Handler = std::function<void(const Request&, Reply)>;

  struct Settings {
    Limits limits;
    std::vector<Header> headers;  ///< on every answer
  };

  Server(uv::Loop& loop, Settings settings, Handler handler);
  ~Server();  ///< closes every connection, answered or not; no `on_closed` is called
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Serves those who connect to these sockets from now on; call it once.
  Status serve(std::vector<StreamSocket> listeners);

  const Counts& counts() const { return counts_; }

 private:
  friend class Reply;
  friend class Stream;
  struct Exchange;
  struct Connection {
    int fd;
    Peer peer;
    std::chrono::milliseconds deadline;  // of the loop's clock
    Exchange* exchange = nullptr;        // its request, once the head is read
    bool is_idle = false;                // between two requests
  };

  bool start();
  void work();
  std::chrono::milliseconds now() const;

  void admit(Acceptor::Newcomer newcomer);
  bool has_room_for(const Peer& peer) const;
  void open(MHD_Connection* connection);
  void close(MHD_Connection* connection);
  void arm_deadline();
  void on_deadline();
  void hang_up(Connection& connection);

  Exchange& begin(MHD_Connection* connection);
  MHD_Result go_on(Exchange& exchange, const char* method, const char* path);
  void ask(Exchange& exchange, const char* method, const char* path);
  MHD_Result queue(Exchange& exchange);
  void count_answer(unsigned status);
  void finish(Exchange& exchange);
  void suspend(Exchange& exchange);
  void resume(Exchange& exchange);

  Exchange* find(std::uint64_t id);
  Exchange* find_stream(std::uint64_t id);
  void send(std::uint64_t id, Response response);
  bool start(std::uint64_t id, StreamResponse response);
  bool write(std::uint64_t id, std::string_view piece);
  bool push(std::uint64_t id, std::string_view piece);
  void end(std::uint64_t id);
  void on_heartbeat();
  void check(Exchange& exchange);

  static MHD_Result on_request(void* server, MHD_Connection* connection, const char* path,
                               const char* method, const char* version, const char* body,
                               std::size_t* body_bytes, void** exchange) noexcept;
  static void on_connection(void* server, MHD_Connection* connection, void**,
                            MHD_ConnectionNotificationCode code) noexcept;
  static void on_completed(void* server, MHD_Connection* connection, void** exchange,
                           MHD_RequestTerminationCode) noexcept;
  static ssize_t on_read(void* exchange, std::uint64_t, char* out, std::size_t room) noexcept;

  struct Stop {
    void operator()(MHD_Daemon* daemon) const { MHD_stop_daemon(daemon); }
  };

  uv::Loop& loop_;
  Settings settings_;
  Handler handler_;
  Counts counts_;
  std::uint64_t next_id_ = 1;
  std::unordered_map<std::uint64_t, std::unique_ptr<Exchange>> exchanges_;
  std::unordered_map<MHD_Connection*, Connection> connections_;
  Peer newcomer_;  // who is being taken in
  std::unique_ptr<MHD_Daemon, Stop> daemon_;
  bool is_resumed_ = false;  // a connection, since libmicrohttpd last ran
  uv::Timer again_;
  uv::Timer deadline_;
  uv::Timer heartbeat_;
  std::unique_ptr<uv::Poll> poll_;
  std::optional<Acceptor> acceptor_;
};

/// For a service that always answers at once.
Server::Handler answering(std::function<Response(const Request&)> answer);

}  // namespace tally::http
