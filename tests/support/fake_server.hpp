#pragma once
// An HTTP server on loopback that answers what a test tells it to, bytes of nonsense included.

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "uv/handles.hpp"

namespace tally::test {

/// Turns the loop until `is_done`. False if that takes longer than `at_most`: then the test has
/// failed.
bool run_until(uv::Loop& loop, const std::function<bool()>& is_done,
               std::chrono::milliseconds at_most = std::chrono::seconds(20));

struct FakeRequest {
  int connection = 0;  ///< 0 for the first one accepted, and so on
  std::string method;
  std::string target;
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;
};

/// Raw bytes, and what becomes of the connection behind them.
struct FakeReply {
  enum class Then { keep, close } then = Then::keep;
  std::string bytes;
};

/// A whole answer. `headers` are lines ended by "\r\n".
FakeReply reply(int status, const std::string& body = "", const std::string& headers = "");

/// No answer, ever.
inline FakeReply mute() {
  return {};
}

/// These bytes, then the end of the connection.
inline FakeReply cut(std::string bytes) {
  return {.then = FakeReply::Then::close, .bytes = std::move(bytes)};
}

/// Lives on the test's own loop. Its port is taken at once, and connections are refused until
/// `listen`.
class FakeServer {
 public:
  using Script = std::function<FakeReply(const FakeRequest&)>;

  FakeServer(uv::Loop& loop, Script script);
  ~FakeServer();
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  void listen();
  void hang_up();  ///< on everyone who is connected
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  const std::vector<FakeRequest>& requests() const { return requests_; }
  int connections() const { return accepted_; }

 private:
  struct Connection;

  void accept();
  void read(Connection& connection);
  void answer(Connection& connection);
  void write(Connection& connection);
  void close(Connection& connection);

  uv::Loop& loop_;
  Script script_;
  int fd_;
  std::uint16_t port_ = 0;
  int accepted_ = 0;
  std::unique_ptr<uv::Poll> poll_;
  std::list<Connection> connections_;
  std::vector<FakeRequest> requests_;
};

}  // namespace tally::test
