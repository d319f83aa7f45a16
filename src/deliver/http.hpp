#pragma once
// HTTP requests on a loop. The only file that knows libcurl is http.cpp.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tally/api.hpp"
#include "tally/response.hpp"
#include "uv/handles.hpp"

namespace tally {

struct HttpSettings {
  std::chrono::milliseconds timeout{
      10'000};          ///< from the first packet to the last byte of the answer
  std::string ca_file;  ///< certificates to trust; "" is the system's bundle
  std::string proxy;    ///< "" is none: the environment's proxy variables are not obeyed
  std::size_t body_bytes_max = 64 << 10;  ///< of an answer; what is longer is cut off
};

/// Moved into the client, which keeps it until it is answered.
struct HttpRequest {
  enum class Method : std::uint8_t { post, get } method = Method::post;
  std::string url;
  std::string body;                  ///< of a post
  std::vector<std::string> headers;  ///< "Name: value"
  bool keeps_connection = true;      ///< for the next request
  /// Gets the body of a 200 piece by piece, instead of `Response::body`, and for as long as it goes
  /// on: the time-out is for the connection alone. False ends the answer there. Called from within
  /// libcurl: it must neither send nor destroy.
  std::function<bool(std::string_view piece)> on_body = {};
};

/// A POST to the server at `url`, which has no slash at its end; empty if the request has no body
/// of its own.
HttpRequest post_to(const std::string& url, ApiRequest request);

/// Sends requests through libcurl, driven by the loop. Connections are kept and used again.
/// Redirects are not followed, and no more than `body_bytes_max` and `headers_bytes_max` are read:
/// what is longer is cut off, and the answer's status counts all the same. A host that vanished is
/// noticed within 15 s, whatever the timeout.
///
/// One loop, its thread. May be destroyed at any time, also from `Done`: what is in flight is
/// given up, and its `Done` is never called.
class Http {
 public:
  static constexpr std::size_t headers_bytes_max = 32 << 10;

  /// Gets the answer, or why there is none. Called once a request, from the loop, never inside
  /// `send`.
  using Done = std::function<void(Response)>;

  Http(uv::Loop& loop, HttpSettings settings);
  ~Http();
  Http(const Http&) = delete;
  Http& operator=(const Http&) = delete;

  void send(HttpRequest request, Done done);
  void cancel();  ///< forgets all requests in flight; their `Done` is never called

 private:
  class Client;
  std::unique_ptr<Client> client_;
};

}  // namespace tally
