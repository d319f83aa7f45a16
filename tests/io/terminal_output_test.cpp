// Windows on standard output: a reader that is slow, gone, or never reads.

#include "deliver/terminal_output.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>

using namespace tally;
using namespace std::chrono_literals;

namespace {

constexpr WallTime wall(1'700'000'000s);

struct Pipe {
  Pipe() { REQUIRE(pipe2(ends.data(), O_CLOEXEC) == 0); }
  ~Pipe() {
    close(ends[1]);
    close_reader();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  int writer() const { return ends[1]; }
  void close_reader() {
    if (ends[0] >= 0) close(ends[0]);
    ends[0] = -1;
  }
  std::string read_some() {
    std::array<char, 65536> buffer;
    const ssize_t count = read(ends[0], buffer.data(), buffer.size());
    return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
  }

  std::array<int, 2> ends{};
};

Payload payload_of(std::size_t bytes, int window) {
  Payload payload{.body = std::string(bytes - 1, 'x') + "\n", .points = 1};
  payload.window = WallTime(std::chrono::seconds(window));
  return payload;
}

}  // namespace

TEST_CASE("terminal output: what a reader takes is written at once and in order") {
  uv::Loop loop;
  Pipe pipe;
  {
    TerminalOutput output(loop, pipe.writer(), {});
    output.push({.body = "a v=1\n", .points = 1});
    output.push({.body = "b v=2\nc v=3\n", .points = 2});
    CHECK(pipe.read_some() == "a v=1\nb v=2\nc v=3\n");
    CHECK(output.counts().written == 3);
    CHECK(output.counts().balances());
    const DestinationState state = output.state(wall);
    CHECK(state.health == DestinationState::Health::ok);
    CHECK(state.last_answer == "written");
    CHECK(state.last_success_at == state.last_answer_at);
    CHECK(state.last_success_at <= wall);
    CHECK(state.last_success_at > wall - 10s);
    CHECK_FALSE(state.last_failure_at);
  }
  CHECK_FALSE(loop.turn());
}

TEST_CASE("terminal output: a full pipe holds nobody up, and is filled again once it is read") {
  uv::Loop loop;
  Pipe pipe;
  constexpr std::size_t bytes = 1 << 20;
  std::size_t seen = 0;
  {
    TerminalOutput output(loop, pipe.writer(), {});
    output.push(payload_of(bytes, 1));
    CHECK(output.counts().queued == 1);
    CHECK(output.bytes() == bytes);
    CHECK(output.state(wall).health == DestinationState::Health::unknown);
    CHECK(output.state(wall).oldest == WallTime(1s));
    while (seen < bytes) {
      seen += pipe.read_some().size();
      if (output.counts().queued > 0) uv_run(loop.raw(), UV_RUN_ONCE);
    }
    CHECK(output.counts().written == 1);
  }
  CHECK(seen == bytes);
  CHECK_FALSE(loop.turn());
}

TEST_CASE("terminal output: with no reader the oldest windows go, and a drain ends in time") {
  uv::Loop loop;
  Pipe pipe;
  {
    TerminalOutput output(loop, pipe.writer(), {.bytes_max = 300'000});
    for (int window = 1; window <= 5; ++window) output.push(payload_of(100'000, window));
    CHECK(output.counts().dropped_full == 2);
    CHECK(output.counts().balances());
    bool is_done = false;
    output.drain(20ms, [&] { is_done = true; });
    while (!is_done) uv_run(loop.raw(), UV_RUN_ONCE);
    CHECK(output.counts().dropped_shutdown == 3);
    CHECK(output.counts().balances());
  }
  CHECK_FALSE(loop.turn());
}

TEST_CASE(
    "terminal output: a closed pipe costs the points and is counted, a drain is over at once") {
  std::signal(SIGPIPE, SIG_IGN);
  uv::Loop loop;
  Pipe pipe;
  {
    TerminalOutput output(loop, pipe.writer(), {});
    output.push({.body = "a v=12\n", .points = 1});
    CHECK(output.state(wall).health == DestinationState::Health::ok);
    pipe.close_reader();
    output.push({.body = "a v=1\n", .points = 1});
    CHECK(output.counts().dropped_refused == 1);
    const DestinationState state = output.state(wall);
    CHECK(state.health == DestinationState::Health::failing);
    CHECK(state.last_answer == "cannot write to standard output: Broken pipe");
    CHECK(state.last_failure_at == state.last_answer_at);
    CHECK(state.last_success_at <= state.last_failure_at);
    CHECK(state.last_write_bytes == 7);
    bool is_done = false;
    output.drain(10s, [&] { is_done = true; });
    CHECK(is_done);
  }
  CHECK_FALSE(loop.turn());
}
