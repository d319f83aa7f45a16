// How a service is instrumented: wrap its handler, read the monotonic clock before and after, send.
//
// The tutorial this grew out of began its handler, in Go, with a deferred call that had the elapsed
// time as its argument. `defer` puts off the call, not its arguments: the time was computed at
// once, before the handler had done anything, so the chart showed how long nothing takes. Here the
// clock is read again in an expression after the handler's return; it cannot be early.

#include "demo/demo.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <optional>
#include <utility>
#include <vector>

#include "demo/load.hpp"
#include "http/server.hpp"
#include "tally/config.hpp"
#include "uv/handles.hpp"

namespace tally::demo {
namespace {

// A real service would ask a database here. This one counts primes by trial division: work that
// takes time, and differently long each time, so that the chart of it has a shape. Not a sleep,
// which would measure the scheduler.
unsigned count_primes_below(unsigned end) {
  unsigned count = 0;
  for (unsigned candidate = 2; candidate < end; ++candidate) {
    unsigned divisor = 2;
    while (divisor * divisor <= candidate && candidate % divisor != 0) ++divisor;
    if (divisor * divisor > candidate) ++count;
  }
  return count;
}

http::Server::Settings server_settings() {
  return {.limits = {.connections_max = 256, .body_bytes_max = 1 << 20}, .headers = {}};
}

void log_end(const StatsdClient& statsd, const std::optional<Load>& load) {
  if (load) spdlog::info("load: {} requests answered, {} not", load->answered(), load->failed());
  spdlog::info("stopped; metrics: {} datagrams sent, {} known lost", statsd.sent(), statsd.lost());
}

}  // namespace

http::Response Greeter::answer(const http::Request& request) {
  if (request.path != "/") return {.status = 404, .body = "not found; try /\n"};
  if (request.method != "GET" && request.method != "HEAD") {
    return {.status = 405, .body = "only GET and HEAD\n", .headers = {{"Allow", "GET, HEAD"}}};
  }
  std::exponential_distribution<> effort(1.0 / 2000);
  const double end = std::min(effort(dice_), 20'000.0);
  const unsigned primes = count_primes_below(static_cast<unsigned>(end));
  return {.body = "Hello World!",
          .headers = {{"Content-Type", "text/plain; charset=utf-8"},
                      {"Primes-Counted", std::to_string(primes)}}};
}

Handler measured(Handler handler, StatsdClient& statsd, Clock now) {
  return
      [handler = std::move(handler), &statsd, now = std::move(now)](const http::Request& request) {
        const Instant begin = now();
        http::Response response = handler(request);
        const Milliseconds elapsed = now() - begin;
        // One datagram for both lines: one system call, and a lost packet cannot leave a count
        // without its time.
        statsd.send({counter("count_request", 1), timer("response_time", elapsed)});
        return response;
      };
}

Result<StreamSocket> listen_on(std::string_view address) {
  const Result<Address> resolved = resolve(address);
  if (!resolved) return Error{"--listen: " + resolved.error().message};
  const ListenAddress literal = parse_listen_address(to_string(resolved.value())).value();
  return StreamSocket::open_tcp(literal, "--listen");
}

Status run_demo(const DemoOptions& options) {
  Result<StreamSocket> listener = listen_on(options.listen);
  if (!listener) return listener.error();
  const Address address = local_address(listener.value().fd());
  const Result<Address> daemon = resolve(options.statsd);
  if (!daemon) return Error{"--statsd: " + daemon.error().message};
  Result<StatsdClient> statsd = StatsdClient::open(daemon.value());
  if (!statsd) return statsd.error();

  uv::Loop loop;
  Greeter greeter;
  const auto greet = [&greeter](const http::Request& request) { return greeter.answer(request); };
  http::Server server(
      loop, server_settings(),
      http::answering(measured(greet, statsd.value(), std::chrono::steady_clock::now)));
  std::vector<StreamSocket> listeners;
  listeners.push_back(std::move(listener).value());
  if (const Status failure = server.serve(std::move(listeners))) return failure;
  spdlog::info("listening on http://{}", to_string(address));
  spdlog::info("sending metrics to {} by UDP", to_string(daemon.value()));

  std::optional<Load> load;
  if (options.load > 0) load.emplace(loop, address, options.load);
  const uv::Signal on_terminate(loop, SIGTERM, [&loop] { loop.stop(); });
  const uv::Signal on_interrupt(loop, SIGINT, [&loop] { loop.stop(); });
  loop.run();
  log_end(statsd.value(), load);
  return {};
}

}  // namespace tally::demo
