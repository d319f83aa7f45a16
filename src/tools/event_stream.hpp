#pragma once
// Server-sent events (WHATWG HTML, 9.2.6), as far as tallyd sends them. Pure.

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace tally {

struct StreamEvent {
  std::string name;
  std::string data;
};

/// Makes events of a stream that comes in pieces.
class EventStream {
 public:
  /// Name and data of one event; a longer one is left out, and counted. The longest that tallyd
  /// sends is a line of 64 KiB, each byte six in JSON.
  static constexpr std::size_t event_bytes_max = 1 << 20;

  using OnEvent = std::function<void(const StreamEvent&)>;

  /// Calls `on_event` for each event that this piece completes.
  void take(std::string_view piece, const OnEvent& on_event);

  std::size_t left_out() const { return left_out_; }

 private:
  void add_to_line(std::string_view piece);
  void end_line(const OnEvent& on_event);
  void end_event(const OnEvent& on_event);

  std::string line_;  // the one that has no end yet
  StreamEvent event_;
  bool is_too_long_ = false;
  std::size_t left_out_ = 0;
};

}  // namespace tally
