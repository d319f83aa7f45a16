#include "http/server.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "http/stream_buffer.hpp"

namespace tally::http {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds for_ever = milliseconds::max();

// Beside the head, libmicrohttpd keeps what it makes of it there, and the head of the answer.
constexpr std::size_t pool_bytes_beside_head = 8 << 10;
// Of a body that is too large so much is still read, so that the answer reaches who sends it.
constexpr std::size_t body_bytes_beyond_max = 64 << 10;
// In the kernel, for each connection: what a slow reader has not fetched counts for it too.
constexpr int send_buffer_bytes = 256 << 10;

// False too where its end is not known yet: a word of it may still be under way.
bool has_hung_up(int fd) {
  char byte = 0;
  const ssize_t got = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

int descriptor_of(MHD_Connection* connection) {
  return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

std::size_t head_bytes_of(MHD_Connection* connection) {
  return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
}

std::vector<Field> fields_of(MHD_Connection* connection, MHD_ValueKind kind) {
  std::vector<Field> fields;
  const auto add = [](void* all, MHD_ValueKind, const char* name, std::size_t name_size,
                      const char* value, std::size_t value_size) noexcept {
    const std::string_view text = value == nullptr ? "" : std::string_view(value, value_size);
    static_cast<std::vector<Field>*>(all)->push_back({std::string_view(name, name_size), text});
    return MHD_YES;
  };
  MHD_get_connection_values_n(connection, kind, add, &fields);
  return fields;
}

}  // namespace

/// One request and its answer, from the end of its head until the answer is out or given up.
struct Server::Exchange {
  // An answer that goes on.
  struct Going {
    explicit Going(StreamResponse response)
        : buffer(response.buffer_bytes_max),
          heartbeat(std::move(response.heartbeat)),
          on_closed(std::move(response.on_closed)) {}

    StreamBuffer buffer;
    std::string heartbeat;
    std::function<void()> on_closed;
    bool is_ended = false;
  };

  Exchange(Server& of, std::uint64_t number, MHD_Connection* raw, Connection& on)
      : server(of), id(number), handle(raw), connection(on) {}

  Server& server;
  const std::uint64_t id;
  MHD_Connection* const handle;
  Connection& connection;
  std::size_t body_bytes = 0;
  bool was_asked = false;
  bool is_suspended = false;
  bool is_cut = false;
  std::optional<Response> response;
  std::optional<Going> going;
};

void Reply::send(Response response) const {
  server_->send(id_, std::move(response));
}

std::optional<Stream> Reply::start(StreamResponse response) const {
  if (!server_->start(id_, std::move(response))) return std::nullopt;
  return Stream(*server_, id_);
}

bool Stream::write(std::string_view piece) const {
  return server_->write(id_, piece);
}
bool Stream::push(std::string_view piece) const {
  return server_->push(id_, piece);
}
void Stream::end() const {
  server_->end(id_);
}

Server::Server(uv::Loop& loop, Settings settings, Handler handler)
    : loop_(loop),
      settings_(std::move(settings)),
      handler_(std::move(handler)),
      again_(loop, [this] { work(); }),
      deadline_(loop, [this] { on_deadline(); }),
      heartbeat_(loop, [this] { on_heartbeat(); }) {}

Server::~Server() {
  // libmicrohttpd ends the process if it is stopped while connections are suspended.
  for (const auto& [id, exchange] : exchanges_) {
    if (exchange->going) exchange->going->on_closed = nullptr;
    if (exchange->is_suspended) resume(*exchange);
  }
  acceptor_.reset();
  poll_.reset();  // the loop lets go of the descriptor before it is closed
  daemon_.reset();
}

Status Server::serve(std::vector<StreamSocket> listeners) {
  const std::string name = listeners.empty() ? "" : to_string(listeners.front().address());
  if (!start()) {
    return Error{fmt::format(
        "http {}: libmicrohttpd did not start, so nothing is served; is the process out of memory "
        "or file descriptors (ulimit -n)?",
        name)};
  }
  for (const StreamSocket& listener : listeners) {  // those who are accepted inherit it
    setsockopt(listener.fd(), SOL_SOCKET, SO_SNDBUF, &send_buffer_bytes, sizeof send_buffer_bytes);
  }
  acceptor_.emplace(
      loop_, std::move(listeners),
      Acceptor::Owner{
          .on_newcomer = [this](Acceptor::Newcomer newcomer) { admit(std::move(newcomer)); },
          .on_exhausted = [this](std::size_t) { ++counts_.refused; }});
  return {};
}

bool Server::start() {
  constexpr unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME;
  const std::size_t pool_bytes = settings_.limits.head_bytes_max + pool_bytes_beside_head;
  daemon_.reset(MHD_start_daemon(
      flags, 0, nullptr, nullptr, &Server::on_request, this,       //
      MHD_OPTION_NOTIFY_CONNECTION, &Server::on_connection, this,  //
      MHD_OPTION_NOTIFY_COMPLETED, &Server::on_completed, this,    //
      MHD_OPTION_CONNECTION_LIMIT, static_cast<unsigned>(settings_.limits.connections_max + 1),
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, pool_bytes, MHD_OPTION_STRICT_FOR_CLIENT, 1,  //
      MHD_OPTION_END));
  if (!daemon_) return false;
  const MHD_DaemonInfo* info = MHD_get_daemon_info(daemon_.get(), MHD_DAEMON_INFO_EPOLL_FD);
  if (info == nullptr) return false;
  poll_ = std::make_unique<uv::Poll>(loop_, info->epoll_fd, [this](int) { work(); });
  poll_->watch(UV_READABLE);
  return true;
}

milliseconds Server::now() const {
  return milliseconds(uv_now(loop_.raw()));
}

void Server::work() {
  is_resumed_ = false;
  MHD_run(daemon_.get());
  // Only 0 is ever asked for, "again at once": it has input it already read, for which epoll will
  // not wake us. By the timer, not in a loop here, so that the rest of the program gets its turn.
  MHD_UNSIGNED_LONG_LONG wait_ms = 0;
  const bool has_more = MHD_get_timeout(daemon_.get(), &wait_ms) == MHD_YES;
  has_more || is_resumed_ ? again_.start(milliseconds(0)) : again_.stop();
  arm_deadline();
}

// Connections

void Server::admit(Acceptor::Newcomer newcomer) {
  if (!has_room_for(newcomer.peer)) {
    ++counts_.refused;
    return;
  }
  ++counts_.accepted;
  newcomer_ = newcomer.peer;
  const sockaddr nobody{};  // the address is for libmicrohttpd's own limits, which we leave alone
  // Closes the descriptor, also when it fails.
  MHD_add_connection(daemon_.get(), newcomer.fd.release(), &nobody, sizeof nobody);
  arm_deadline();
}

bool Server::has_room_for(const Peer& peer) const {
  Load load{.all = connections_.size()};
  for (const auto& [handle, connection] : connections_) {
    if (connection.peer.family == peer.family && connection.peer.ip == peer.ip) ++load.of_peer;
  }
  return has_room(settings_.limits, load, peer);
}

void Server::open(MHD_Connection* connection) {
  connections_.insert({connection,
                       {.fd = descriptor_of(connection),
                        .peer = newcomer_,
                        .deadline = now() + settings_.limits.head_within}});
  counts_.connections = connections_.size();
}

void Server::close(MHD_Connection* connection) {
  connections_.erase(connection);
  counts_.connections = connections_.size();
}

void Server::arm_deadline() {
  milliseconds earliest = for_ever;
  for (const auto& [handle, connection] : connections_)
    earliest = std::min(earliest, connection.deadline);
  if (earliest == for_ever) return deadline_.stop();
  deadline_.start(std::max(earliest - now(), milliseconds(0)));
}

void Server::on_deadline() {
  for (auto& [handle, connection] : connections_) {
    if (connection.deadline > now()) continue;
    ++(connection.is_idle ? counts_.idle : counts_.overdue);
    hang_up(connection);
  }
  arm_deadline();
}

/// libmicrohttpd notices by itself, unless it has been told not to look.
void Server::hang_up(Connection& connection) {
  shutdown(connection.fd, SHUT_RDWR);
  connection.deadline = for_ever;
  if (connection.exchange == nullptr) return;
  connection.exchange->is_cut = true;
  if (connection.exchange->is_suspended) resume(*connection.exchange);
}

// Requests

MHD_Result Server::on_request(void* server, MHD_Connection* connection, const char* path,
                              const char* method, const char*, const char*, std::size_t* body_bytes,
                              void** exchange) noexcept {
  // libmicrohttpd calls with the head, then with each piece of the body, then to be answered, and
  // then again after each suspension until there is an answer.
  Server& self = *static_cast<Server*>(server);
  if (*exchange == nullptr) {
    *exchange = &self.begin(connection);
    return MHD_YES;
  }
  Exchange& known = *static_cast<Exchange*>(*exchange);
  if (*body_bytes > 0) {
    known.body_bytes += std::exchange(*body_bytes, 0);
    const std::size_t most = self.settings_.limits.body_bytes_max + body_bytes_beyond_max;
    return known.body_bytes > most ? MHD_NO : MHD_YES;
  }
  return self.go_on(known, method, path);
}

Server::Exchange& Server::begin(MHD_Connection* handle) {
  Connection& connection = connections_.at(handle);
  const std::uint64_t id = next_id_++;
  auto exchange = std::make_unique<Exchange>(*this, id, handle, connection);
  connection.exchange = exchange.get();
  connection.is_idle = false;
  connection.deadline = now() + settings_.limits.head_within;  // for the body
  ++counts_.requests;
  return *exchanges_.emplace(id, std::move(exchange)).first->second;
}

MHD_Result Server::go_on(Exchange& exchange, const char* method, const char* path) {
  if (!std::exchange(exchange.was_asked, true)) ask(exchange, method, path);
  if (exchange.is_cut) return MHD_NO;
  if (exchange.response) return queue(exchange);
  suspend(exchange);
  return MHD_YES;
}

void Server::ask(Exchange& exchange, const char* method, const char* path) {
  exchange.connection.deadline = now() + settings_.limits.idle_max;
  const Limits& limits = settings_.limits;
  if (head_bytes_of(exchange.handle) > limits.head_bytes_max) {
    return send(exchange.id, error(431, fmt::format("the head of the request is over {} bytes",
                                                    limits.head_bytes_max)));
  }
  if (exchange.body_bytes > limits.body_bytes_max) {
    return send(exchange.id, error(413, fmt::format("the body of the request is over {} bytes",
                                                    limits.body_bytes_max)));
  }
  handler_({.method = method,
            .path = path,
            .headers = fields_of(exchange.handle, MHD_HEADER_KIND),
            .parameters = fields_of(exchange.handle, MHD_GET_ARGUMENT_KIND),
            .peer = exchange.connection.peer},
           Reply(*this, exchange.id));
}

MHD_Result Server::queue(Exchange& exchange) {
  Response& response = *exchange.response;
  constexpr std::size_t block_bytes = 4096;
  const std::unique_ptr<MHD_Response, decltype(&MHD_destroy_response)> raw(
      exchange.going ? MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, block_bytes,
                                                         &Server::on_read, &exchange, nullptr)
                     : MHD_create_response_from_buffer(response.body.size(), response.body.data(),
                                                       MHD_RESPMEM_MUST_COPY),
      MHD_destroy_response);
  if (!raw) return MHD_NO;
  for (const auto* headers : {&settings_.headers, &response.headers}) {
    for (const auto& [name, value] : *headers)
      MHD_add_response_header(raw.get(), name.c_str(), value.c_str());
  }
  response.body = {};
  count_answer(response.status);
  return MHD_queue_response(exchange.handle, response.status, raw.get());
}

void Server::count_answer(unsigned status) {
  const std::size_t group = status / 100;
  if (group >= 2 && group < 2 + counts_.answers.size()) ++counts_.answers[group - 2];
}

void Server::finish(Exchange& exchange) {
  exchange.connection.exchange = nullptr;
  exchange.connection.is_idle = true;
  exchange.connection.deadline = now() + settings_.limits.idle_max;
  const auto own = exchanges_.extract(exchange.id);
  if (!exchange.going) return;
  if (--counts_.streams == 0) heartbeat_.stop();
  if (exchange.going->on_closed) exchange.going->on_closed();
}

void Server::suspend(Exchange& exchange) {
  exchange.is_suspended = true;
  MHD_suspend_connection(exchange.handle);
}

void Server::resume(Exchange& exchange) {
  exchange.is_suspended = false;
  MHD_resume_connection(exchange.handle);
  is_resumed_ = true;  // neither its epoll descriptor nor its timeout tells of it
  again_.start(milliseconds(0));
}

void Server::on_connection(void* server, MHD_Connection* connection, void**,
                           MHD_ConnectionNotificationCode code) noexcept {
  Server& self = *static_cast<Server*>(server);
  code == MHD_CONNECTION_NOTIFY_STARTED ? self.open(connection) : self.close(connection);
}

void Server::on_completed(void* server, MHD_Connection*, void** exchange,
                          MHD_RequestTerminationCode) noexcept {
  if (*exchange == nullptr) return;
  static_cast<Server*>(server)->finish(*static_cast<Exchange*>(std::exchange(*exchange, nullptr)));
}

// Answers

Server::Exchange* Server::find(std::uint64_t id) {
  const auto found = exchanges_.find(id);
  return found == exchanges_.end() ? nullptr : found->second.get();
}

Server::Exchange* Server::find_stream(std::uint64_t id) {
  Exchange* const exchange = find(id);
  return exchange != nullptr && exchange->going && !exchange->is_cut ? exchange : nullptr;
}

void Server::send(std::uint64_t id, Response response) {
  Exchange* const exchange = find(id);
  if (exchange == nullptr || exchange->response) return;
  exchange->response = std::move(response);
  if (exchange->is_suspended) resume(*exchange);
}

bool Server::start(std::uint64_t id, StreamResponse response) {
  Exchange* const exchange = find(id);
  if (exchange == nullptr || exchange->response) return false;
  if (counts_.streams++ == 0)
    heartbeat_.start(settings_.limits.heartbeat_every, settings_.limits.heartbeat_every);
  exchange->connection.deadline = for_ever;
  Response head{.headers = std::exchange(response.headers, {})};
  exchange->going.emplace(std::move(response));
  send(id, std::move(head));
  return true;
}

bool Server::write(std::uint64_t id, std::string_view piece) {
  Exchange* const exchange = find_stream(id);
  if (exchange == nullptr || exchange->going->is_ended) return false;
  if (!exchange->going->buffer.append(piece)) return false;
  if (exchange->is_suspended) resume(*exchange);
  return true;
}

bool Server::push(std::uint64_t id, std::string_view piece) {
  if (write(id, piece)) return true;
  Exchange* const exchange = find_stream(id);
  if (exchange == nullptr || exchange->going->is_ended) return false;
  ++counts_.readers_slow;
  hang_up(exchange->connection);
  return false;
}

void Server::end(std::uint64_t id) {
  Exchange* const exchange = find_stream(id);
  if (exchange == nullptr) return;
  exchange->going->is_ended = true;
  exchange->connection.deadline = now() + settings_.limits.idle_max;  // to fetch the rest
  if (exchange->is_suspended) resume(*exchange);
}

ssize_t Server::on_read(void* exchange, std::uint64_t, char* out, std::size_t room) noexcept {
  Exchange& self = *static_cast<Exchange*>(exchange);
  if (self.is_cut) return MHD_CONTENT_READER_END_WITH_ERROR;
  const std::size_t size = self.going->buffer.take(out, room);
  if (size > 0) return static_cast<ssize_t>(size);
  if (self.going->is_ended) return MHD_CONTENT_READER_END_OF_STREAM;
  self.server.suspend(self);
  return 0;
}

void Server::on_heartbeat() {
  for (const auto& [id, exchange] : exchanges_) {
    if (find_stream(id) != nullptr) check(*exchange);
  }
}

// A suspended connection is not looked at: here it is.
void Server::check(Exchange& exchange) {
  if (has_hung_up(exchange.connection.fd)) {
    ++counts_.readers_gone;
    hang_up(exchange.connection);
  } else if (!exchange.going->heartbeat.empty()) {
    push(exchange.id, exchange.going->heartbeat);
  }
}

Server::Handler answering(std::function<Response(const Request&)> answer) {
  return [answer = std::move(answer)](const Request& request, Reply reply) {
    reply.send(answer(request));
  };
}

}  // namespace tally::http
