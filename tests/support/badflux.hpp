#pragma once
// A server for fault tests: speaks HTTP as well or as badly as it is told, and knows what a real
// database would hold by now.
//
//     Badflux server(ServerKind::influx_1);   // refuses connections
//     server.listen();                        // now it is an InfluxDB
//     server.next(reset(), 3);                // three requests end by a reset connection
//     server.set_script([](const HttpMessage& head) { .. });   // from then on
//     server.sum("hits.count");
//
// It has a thread and a loop of its own, so that a test may wait for a daemon meanwhile. All that a
// test may call runs on that thread and is waited for: no call of it may be made from a script.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fake_influx.hpp"
#include "http_message.hpp"
#include "stored_points.hpp"

namespace tally::testing {

/// What becomes of one request. Made when its head has come.
struct Behaviour {
  enum class Answer : std::uint8_t {
    served,   ///< by the emulated server, which stores what it would store
    proxied,  ///< by a real one, at `proxy_port` of this machine
    fixed,    ///< `bytes`; nothing is stored
    none      ///< nothing, ever; nothing is stored
  } answer = Answer::served;
  /// Behind the answer.
  enum class Then : std::uint8_t { keep, close, reset } then = Then::keep;
  std::string bytes;               ///< of a fixed answer, head included
  std::uint64_t filler_bytes = 0;  ///< behind `bytes`; made while sending, not held
  std::uint16_t proxy_port = 0;
  bool is_swallowed = false;           ///< the answer is made (so the points are stored), not sent
  std::chrono::milliseconds delay{0};  ///< before the answer's first byte
  std::chrono::milliseconds drip{0};   ///< if not 0: one byte of the answer each so long
  std::optional<std::size_t> request_cut;  ///< reset when so many bytes of its body have come
  std::optional<std::size_t> answer_cut;   ///< `then` comes after so many bytes of the answer
};

/// As the emulated server does it.
inline Behaviour serve() {
  return {};
}
/// A whole answer. `headers` are "Name: value".
Behaviour answer(int status, const std::string& body = "", std::vector<std::string> headers = {});
/// These bytes as they are.
Behaviour raw(std::string bytes, Behaviour::Then then = Behaviour::Then::close);
/// No answer, on a connection that stays.
Behaviour mute();
/// Takes the whole request and resets the connection.
Behaviour reset();
/// Resets the connection when so many bytes of the request's body have come.
Behaviour cut_request(std::size_t body_bytes);
/// The emulated server's answer, ended early.
Behaviour cut_answer(std::size_t bytes);
/// The emulated server stores the points; its answer is lost with the connection.
Behaviour swallow();
/// A real server answers.
Behaviour proxy(std::uint16_t port);
/// A real server stores the points; its answer is lost with the connection.
Behaviour proxy_and_swallow(std::uint16_t port);
/// An error with a body of that size, announced truly.
Behaviour big_body(int status, std::uint64_t bytes);
/// An answer without a body, and that many bytes of headers.
Behaviour long_headers(int status, std::size_t bytes);
/// A body without a head, as HTTP/0.9 has it.
Behaviour http_0_9();
/// A chunked body that ends inside a chunk.
Behaviour truncated_chunk();
Behaviour redirect(int status, const std::string& location);
/// 200 with HTML to whatever was asked.
Behaviour web_page();
/// The same answer, one byte each `pause`.
Behaviour dripped(Behaviour behaviour, std::chrono::milliseconds pause);
Behaviour delayed(Behaviour behaviour, std::chrono::milliseconds delay);

/// What becomes of a new connection.
enum class Welcome : std::uint8_t {
  read,    ///< its requests are read
  ignore,  ///< nothing of it is ever read
  reset    ///< it is reset at once
};

class Badflux {
 public:
  using Script = std::function<Behaviour(const HttpMessage& head)>;

  /// Takes a port, and refuses connections to it until `listen`.
  explicit Badflux(ServerKind kind = ServerKind::influx_1, FakeInfluxRules rules = {});
  ~Badflux();
  Badflux(const Badflux&) = delete;
  Badflux& operator=(const Badflux&) = delete;

  std::uint16_t port() const;
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port()); }

  void listen();
  void listen_everywhere();  ///< on all addresses, not on the loopback alone
  /// Resets all connections and refuses new ones.
  void stop_listening();
  void welcome(Welcome how);

  /// What is done with requests for which `next` has nothing. At first: `serve`.
  void set_script(Script script);
  void set_script(Behaviour behaviour);
  /// What is done with the next requests, before the script is asked again.
  void next(Behaviour behaviour, int times = 1);

  /// Puts another server in its place; what was stored is forgotten.
  void become(ServerKind kind, FakeInfluxRules rules = {});
  void change_rules(const std::function<void(FakeInfluxRules&)>& change);

  /// All requests whose head came, in the order of their heads.
  std::vector<HttpMessage> requests() const;
  std::size_t request_count() const;
  /// When each connection was accepted, oldest first.
  std::vector<std::chrono::steady_clock::time_point> connects() const;
  /// The most requests that were begun and not answered at one moment.
  int in_flight_max() const;
  /// Of all answers, as the kernel took them; at most about 1 MiB a connection more than the peer
  /// has read.
  std::uint64_t bytes_sent() const;

  /// What the emulated server holds: a copy.
  StoredPoints stored() const;
  double sum(const std::string& measurement, const std::string& field = "count") const;
  double sum(const std::string& measurement, const std::string& field,
             const std::pair<std::string, std::string>& tag) const;
  std::uint64_t integers() const;  ///< see FakeInflux

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

}  // namespace tally::testing
