#pragma once
// The tutorial's HTTP service, instrumented: what a program does to be seen in InfluxDB.

#include <functional>
#include <random>
#include <string>

#include "demo/http_server.hpp"
#include "demo/statsd_client.hpp"
#include "tally/time.hpp"

namespace tally::demo {

using Clock = std::function<Instant()>;

/// The service, which knows nothing of metrics: `GET /` and `HEAD /` answer 200 "Hello World!",
/// another path 404, another method 405.
class Greeter {
 public:
  Response answer(const Request& request);

 private:
  std::minstd_rand dice_;  // always the same sequence: two runs can be compared
};

/// Wraps a handler: each request it answers, with whatever status, sends
///
///     count_request:1|c
///     response_time:<milliseconds it ran>|ms
///
/// `statsd` outlives the returned handler. `now` is the monotonic clock.
HttpServer::Handler measured(HttpServer::Handler handler, StatsdClient& statsd, Clock now);

struct DemoOptions {
  std::string listen = "127.0.0.1:3000";
  std::string statsd = "127.0.0.1:8125";
  unsigned load = 0;  ///< requests a second the demo makes to itself
};

/// Serves until SIGTERM or SIGINT; then no error. An address that cannot be used is one.
Status run_demo(const DemoOptions& options);

}  // namespace tally::demo
