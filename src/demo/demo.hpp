#pragma once
// The tutorial's HTTP service, instrumented: what a program does to be seen in InfluxDB.

#include <functional>
#include <random>
#include <string>

#include "demo/statsd_client.hpp"
#include "http/message.hpp"
#include "receive/stream_socket.hpp"
#include "tally/result.hpp"
#include "tally/time.hpp"

namespace tally::demo {

using Clock = std::function<Instant()>;
using Handler = std::function<http::Response(const http::Request&)>;

/// The service, which knows nothing of metrics: `GET /` and `HEAD /` answer 200 "Hello World!",
/// another path 404, another method 405.
class Greeter {
 public:
  http::Response answer(const http::Request& request);

 private:
  std::minstd_rand dice_;  // always the same sequence: two runs can be compared
};

/// Wraps a handler: each request it answers, with whatever status, sends
///
///     count_request:1|c
///     response_time:<milliseconds it ran>|ms
///
/// `statsd` outlives the returned handler. `now` is the monotonic clock.
Handler measured(Handler handler, StatsdClient& statsd, Clock now);

/// Opens the address that `--listen` names: "127.0.0.1:3000".
Result<StreamSocket> listen_on(std::string_view address);

struct DemoOptions {
  std::string listen = "127.0.0.1:3000";
  std::string statsd = "127.0.0.1:8125";
  unsigned load = 0;  ///< requests a second the demo makes to itself
};

/// Serves until SIGTERM or SIGINT; then no error. An address that cannot be used is one.
Status run_demo(const DemoOptions& options);

}  // namespace tally::demo
