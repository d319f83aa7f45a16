#pragma once
// GNU libmicrohttpd on the libuv loop.
//
// libmicrohttpd keeps an epoll descriptor of its own; the loop watches that one descriptor and lets
// it work when it is readable or when its next timeout has come. No thread is started.

#include <microhttpd.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "demo/address.hpp"
#include "tally/result.hpp"
#include "uv/handles.hpp"

namespace tally::demo {

/// What was asked. Borrowed until the handler returns; bodies of requests are read and thrown away.
struct Request {
  std::string_view method;  ///< as sent: "GET"
  std::string_view path;    ///< percent-decoded, without the query
};

struct Response {
  unsigned status = 200;
  std::string body;  ///< left out when the method was HEAD; its length is still told
  std::vector<std::pair<std::string, std::string>> headers;
};

/// Serves HTTP/1.1 on one address, on the loop's thread.
class HttpServer {
 public:
  /// Runs once a request, and must neither block nor destroy the server.
  using Handler = std::function<Response(const Request&)>;

  explicit HttpServer(Handler handler) : handler_(std::move(handler)) {}
  ~HttpServer();  ///< closes every connection, answered or not
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Serves from now on; call it once. An address that is taken or not ours is an error.
  Status listen(uv::Loop& loop, const Address& address);

  const Address& address() const { return address_; }  ///< with the port that was given

 private:
  bool start(uv::Loop& loop, Descriptor listener);
  void work();
  MHD_Result answer(MHD_Connection* connection, const Request& request);
  static MHD_Result on_request(void* server, MHD_Connection* connection, const char* path,
                               const char* method, const char* version, const char* body,
                               std::size_t* body_bytes, void** seen) noexcept;

  struct Stop {
    void operator()(MHD_Daemon* daemon) const { MHD_stop_daemon(daemon); }
  };

  Handler handler_;
  Address address_;
  std::unique_ptr<MHD_Daemon, Stop> daemon_;
  std::unique_ptr<uv::Timer> timer_;  // after daemon_: the loop lets go of its descriptor first
  std::unique_ptr<uv::Poll> poll_;
};

}  // namespace tally::demo
