#pragma once
// Visitors for the demo: without requests there is nothing to see.

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "demo/address.hpp"
#include "uv/handles.hpp"

namespace tally::demo {

/// Requests `GET /` over HTTP, so many times a second, each on a connection of its own as strangers
/// would. On the loop's thread; never blocks.
class Load {
 public:
  /// The first visit comes after the first interval. REQUIRES: per_second > 0.
  Load(uv::Loop& loop, const Address& server, unsigned per_second);

  std::uint64_t answered() const { return answered_; }  ///< with status 200

  /// Refused, broken off, answered otherwise, or left out because too many visits were under way.
  std::uint64_t failed() const { return failed_; }

 private:
  struct Visit {
    Descriptor socket;
    std::string answer;
    std::unique_ptr<uv::Poll> poll;  // after socket: the loop lets go of it first
  };
  using Place = std::list<Visit>::iterator;

  void on_tick();
  void begin_visit();
  void on_ready(Place visit, int events);
  void send_request(Place visit);
  void read_answer(Place visit);
  void end_visit(Place visit, bool good);

  uv::Loop& loop_;
  Address server_;
  unsigned per_second_;
  std::uint64_t start_ms_;  // of the loop's clock
  std::uint64_t begun_ = 0;
  std::uint64_t answered_ = 0;
  std::uint64_t failed_ = 0;
  std::list<Visit> visits_;
  uv::Timer timer_;
};

}  // namespace tally::demo
