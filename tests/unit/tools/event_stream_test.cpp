#include "tools/event_stream.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

using namespace tally;

namespace {

const std::string sample =
    ":\n"
    "event: line\ndata: {\"a\":1}\n\n"
    "data:one\r\ndata: two\r\n\r\n"
    "event: only a name\n\n"
    "id: 7\nretry: 1\nevent:last\ndata: \n\n"
    "event: unfinished\ndata: x\n";

/// "name|data" of each event, the stream cut before each of `cuts`.
std::vector<std::string> read_in_pieces(std::string_view text, std::size_t piece_bytes) {
  std::vector<std::string> events;
  EventStream stream;
  while (!text.empty()) {
    stream.take(text.substr(0, piece_bytes),
                [&](const StreamEvent& event) { events.push_back(event.name + "|" + event.data); });
    text.remove_prefix(std::min(piece_bytes, text.size()));
  }
  return events;
}

}  // namespace

TEST_CASE("event stream: events are the same in whatever pieces they come") {
  const std::vector<std::string> expected = {"line|{\"a\":1}", "|one\ntwo"};
  for (std::size_t bytes = 1; bytes <= sample.size(); ++bytes) {
    CAPTURE(bytes);
    CHECK(read_in_pieces(sample, bytes) == expected);
  }
}

TEST_CASE("event stream: an event that is too long is left out and counted, the next one counts") {
  EventStream stream;
  std::vector<std::string> events;
  const auto on_event = [&](const StreamEvent& event) { events.push_back(event.data); };
  const std::string piece(100'000, 'x');
  stream.take("data: ", on_event);
  for (int i = 0; i < 30; ++i) stream.take(piece, on_event);
  stream.take("\ndata: more\n\ndata: next\n\n", on_event);
  CHECK(events == std::vector<std::string>{"next"});
  CHECK(stream.left_out() == 1);
  // Also of many short lines.
  for (int i = 0; i < 30; ++i) stream.take("data: " + piece + "\n", on_event);
  stream.take("\ndata: last\n\n", on_event);
  CHECK(events == std::vector<std::string>{"next", "last"});
  CHECK(stream.left_out() == 2);
}
