#pragma once
// /api/v1/tap and /api/v1/capture: what comes in, as it comes in.

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "http/server.hpp"
#include "tally/parse.hpp"
#include "uv/handles.hpp"
#include "watch/insight.hpp"
#include "watch/queries.hpp"

namespace tally {

/// Each reader taps by itself, and loses what it has no room for: counted, and said to those who
/// read lines. Never slows receiving.
class TapStreams {
 public:
  /// `insight` outlives this.
  TapStreams(uv::Loop& loop, Insight& insight);
  ~TapStreams();
  TapStreams(const TapStreams&) = delete;
  TapStreams& operator=(const TapStreams&) = delete;

  /// Answers with events. `listeners` are the names of `LiveState::listeners`.
  void open_tap(const http::Reply& reply, const TapQuery& query,
                std::vector<std::string> listeners);

  /// Answers with a pcap file.
  void open_capture(const http::Reply& reply, const CaptureQuery& query,
                    const std::vector<std::string>& listeners);

  /// Taps and captures that are open.
  std::size_t readers() const { return readers_.size(); }

  /// Datagrams and pieces of streams that a reader had no room for, since the start.
  std::uint64_t skipped() const { return skipped_; }

 private:
  class Reader;
  class Tap;
  class Capture;

  template <class MakeReader>
  void open(const http::Reply& reply, http::StreamResponse response, MakeReader make);
  void on_tapped(std::uint64_t id, std::span<const Tapped> pieces, std::uint64_t skipped);

  uv::Loop& loop_;
  Insight& insight_;
  std::uint64_t skipped_ = 0;
  std::unordered_map<std::uint64_t, std::unique_ptr<Reader>> readers_;  // by the stream's id
};

}  // namespace tally
