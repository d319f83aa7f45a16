#include "demo/http_server.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace tally::demo {
namespace {

constexpr unsigned connections_max = 256;
constexpr unsigned idle_seconds_max = 60;

// We open the socket ourselves because libmicrohttpd would say "no daemon" and not why.
Result<Descriptor> listen_on(const Address& address) {
  const auto failed = [&](std::string_view cure) {
    return Error{fmt::format("http {}: cannot listen: {}; {}", to_string(address),
                             std::strerror(errno), cure)};
  };
  Descriptor socket(
      ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  if (socket.get() < 0 || setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) {
    return failed("check --listen");
  }
  if (bind(socket.get(), address.raw(), address.size) != 0 ||
      ::listen(socket.get(), SOMAXCONN) != 0) {
    return failed(errno == EADDRINUSE
                      ? "another program has that port: stop it, or choose a port with --listen"
                      : "check --listen");
  }
  return socket;
}

}  // namespace

HttpServer::~HttpServer() = default;

Status HttpServer::listen(uv::Loop& loop, const Address& address) {
  Result<Descriptor> listener = listen_on(address);
  if (!listener) return listener.error();
  if (start(loop, std::move(listener).value())) return {};
  return Error{fmt::format(
      "http {}: libmicrohttpd did not start, so nothing is served; is the process out of memory or "
      "file descriptors (ulimit -n)?",
      to_string(address))};
}

bool HttpServer::start(uv::Loop& loop, Descriptor listener) {
  address_ = local_address(listener.get());
  daemon_.reset(MHD_start_daemon(MHD_USE_EPOLL, 0, nullptr, nullptr, &HttpServer::on_request, this,
                                 MHD_OPTION_LISTEN_SOCKET, listener.get(),
                                 MHD_OPTION_CONNECTION_LIMIT, connections_max,
                                 MHD_OPTION_CONNECTION_TIMEOUT, idle_seconds_max, MHD_OPTION_END));
  if (!daemon_) return false;
  listener.release();  // MHD_stop_daemon closes it
  const MHD_DaemonInfo* info = MHD_get_daemon_info(daemon_.get(), MHD_DAEMON_INFO_EPOLL_FD);
  if (info == nullptr) return false;
  timer_ = std::make_unique<uv::Timer>(loop, [this] { work(); });
  poll_ = std::make_unique<uv::Poll>(loop, info->epoll_fd, [this](int) { work(); });
  poll_->watch(UV_READABLE);
  return true;
}

void HttpServer::work() {
  MHD_run(daemon_.get());
  MHD_UNSIGNED_LONG_LONG wait_ms = 0;
  if (MHD_get_timeout(daemon_.get(), &wait_ms) == MHD_NO) return timer_->stop();
  // 0 means "again at once": it has input it already read, for which epoll will not wake us. By the
  // timer, not in a loop here, so that the rest of the program gets its turn.
  timer_->start(std::chrono::milliseconds(wait_ms));
}

MHD_Result HttpServer::on_request(void* server, MHD_Connection* connection, const char* path,
                                  const char* method, const char*, const char*,
                                  std::size_t* body_bytes, void** seen) noexcept {
  // libmicrohttpd calls with the headers, then with each piece of the body, then to be answered.
  // An answer before the body was read would cost the client its connection.
  const bool headers_only = *seen == nullptr;
  *seen = server;
  if (headers_only) return MHD_YES;
  if (*body_bytes > 0) {
    *body_bytes = 0;
    return MHD_YES;
  }
  return static_cast<HttpServer*>(server)->answer(connection, {.method = method, .path = path});
}

MHD_Result HttpServer::answer(MHD_Connection* connection, const Request& request) {
  Response response = handler_(request);
  const std::unique_ptr<MHD_Response, decltype(&MHD_destroy_response)> raw(
      MHD_create_response_from_buffer(response.body.size(), response.body.data(),
                                      MHD_RESPMEM_MUST_COPY),
      MHD_destroy_response);
  if (!raw) return MHD_NO;
  for (const auto& [name, value] : response.headers) {
    MHD_add_response_header(raw.get(), name.c_str(), value.c_str());
  }
  return MHD_queue_response(connection, response.status, raw.get());
}

}  // namespace tally::demo
