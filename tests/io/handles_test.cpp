#include "uv/handles.hpp"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "uv/mailbox.hpp"
#include "uv/work.hpp"

using namespace std::chrono_literals;
using tally::uv::Async;
using tally::uv::Loop;
using tally::uv::Mailbox;
using tally::uv::Poll;
using tally::uv::Signal;
using tally::uv::Timer;

// Every Loop of these tests ends empty: its destructor asserts it.

namespace {

/// Two connected sockets.
struct Pair {
  Pair() {
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
  }
  ~Pair() {
    ::close(fds[0]);
    ::close(fds[1]);
  }
  int fds[2]{};
};

}  // namespace

TEST_CASE("handles: a timer fires once, and then the loop has nothing left") {
  Loop loop;
  int fired = 0;
  Timer timer(loop, [&] { ++fired; });
  CHECK_FALSE(timer.active());
  timer.start(1ms);
  CHECK(timer.active());
  loop.run();
  CHECK(fired == 1);
  CHECK_FALSE(timer.active());
  CHECK_FALSE(loop.turn());
}

TEST_CASE("handles: a repeating timer fires until it is stopped, also from its own callback") {
  Loop loop;
  int fired = 0;
  std::optional<Timer> timer;
  timer.emplace(loop, [&] {
    if (++fired == 3) timer->stop();
  });
  timer->start(1ms, 1ms);
  loop.run();
  CHECK(fired == 3);
}

TEST_CASE("handles: an owner may die inside its own callback, and is not called again") {
  Loop loop;
  int fired = 0;
  std::unique_ptr<Timer> timer;
  timer = std::make_unique<Timer>(loop, [&fired, &timer, held = std::vector<int>(1, 7)] {
    timer.reset();
    fired += held[0];  // what the callback holds lives as long as it runs
  });
  timer->start(1ms, 1ms);
  loop.run();
  CHECK(fired == 7);
}

TEST_CASE("handles: what was destroyed is not called, though it was due") {
  Loop loop;
  int fired = 0;
  {
    Timer timer(loop, [&] { ++fired; });
    timer.start(0ms);
    Async async(loop, [&] { ++fired; });
    async.poke();
  }
  loop.run();
  CHECK(fired == 0);
}

TEST_CASE("handles: stop leaves the loop with its timers still running") {
  Loop loop;
  Timer forever(loop, [] {});
  forever.start(1h);
  Timer stopper(loop, [&] { loop.stop(); });
  stopper.start(1ms);
  loop.run();
  CHECK(forever.active());
  CHECK(loop.turn());
}

TEST_CASE("handles: what runs in the thread pool is waited for, but not for ever") {
  struct Task {
    std::shared_future<void> end;
    int run() const {
      end.wait();
      return 1;
    }
  };
  Loop loop;
  std::promise<void> end;
  int ended = 0;
  tally::uv::Work<Task> work(loop, [&](int one) { ended += one; });
  work.start({end.get_future().share()});
  CHECK_FALSE(loop.finish_work(1ms));
  CHECK(ended == 0);
  end.set_value();
  CHECK(loop.finish_work(20s));
  CHECK(ended == 1);
  CHECK(loop.finish_work(0ms));
}

TEST_CASE("handles: a poke from another thread wakes the loop") {
  Loop loop;
  int fired = 0;
  std::unique_ptr<Async> async;
  async = std::make_unique<Async>(loop, [&] {
    ++fired;
    async.reset();
  });
  std::thread other([&] { async->poke(); });
  other.join();
  loop.run();
  CHECK(fired == 1);
}

TEST_CASE("handles: a poll tells readable from writable, and ends with its owner") {
  Loop loop;
  Pair pair;
  std::vector<int> seen;
  std::unique_ptr<Poll> poll;
  poll = std::make_unique<Poll>(loop, pair.fds[0], [&](int events) {
    seen.push_back(events);
    if (seen.size() == 1) {
      REQUIRE(::write(pair.fds[1], "x", 1) == 1);
      poll->watch(UV_READABLE);
    } else {
      poll.reset();
    }
  });
  poll->watch(UV_WRITABLE);
  loop.run();
  CHECK(seen == std::vector<int>{UV_WRITABLE, UV_READABLE});
}

TEST_CASE("handles: a poll that watches nothing keeps no loop alive") {
  Loop loop;
  Pair pair;
  Poll poll(loop, pair.fds[0], [](int) {});
  poll.watch(UV_READABLE);
  CHECK(loop.turn());
  poll.watch(0);
  CHECK_FALSE(loop.turn());
}

TEST_CASE("handles: the end of the peer shows as readable") {
  Loop loop;
  Pair pair;
  int seen = 0;
  std::unique_ptr<Poll> poll;
  poll = std::make_unique<Poll>(loop, pair.fds[0], [&](int events) {
    seen = events;
    poll.reset();
  });
  poll->watch(UV_READABLE);
  REQUIRE(::shutdown(pair.fds[1], SHUT_RDWR) == 0);
  loop.run();
  CHECK((seen & UV_READABLE) != 0);
}

TEST_CASE("handles: a signal of the process calls back on the loop") {
  Loop loop;
  int fired = 0;
  std::unique_ptr<Signal> signal;
  signal = std::make_unique<Signal>(loop, SIGUSR1, [&] {
    ++fired;
    signal.reset();
  });
  REQUIRE(::kill(::getpid(), SIGUSR1) == 0);
  loop.run();
  CHECK(fired == 1);
}

TEST_CASE("mailbox: letters of several threads all arrive, each sender's in order") {
  struct Letter {
    int sender;
    int number;
  };
  constexpr int senders = 3;
  constexpr int letters = 1'000;
  Loop loop;
  std::vector<std::vector<int>> got(senders);
  int total = 0;
  std::unique_ptr<Mailbox<Letter>> box;
  box = std::make_unique<Mailbox<Letter>>(loop, [&](Letter letter) {
    got[static_cast<std::size_t>(letter.sender)].push_back(letter.number);
    if (++total == senders * letters) loop.stop();
  });
  std::vector<std::thread> threads;
  for (int sender = 0; sender < senders; ++sender) {
    threads.emplace_back([&box, sender] {
      for (int number = 0; number < letters; ++number) box->send({sender, number});
    });
  }
  loop.run();
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<int>& numbers : got) {
    REQUIRE(numbers.size() == letters);
    for (int number = 0; number < letters; ++number)
      CHECK(numbers[static_cast<std::size_t>(number)] == number);
  }
}

TEST_CASE("mailbox: letters may be things that only move") {
  Loop loop;
  int got = 0;
  Mailbox<std::unique_ptr<int>> box(loop, [&](std::unique_ptr<int> letter) {
    got = *letter;
    loop.stop();
  });
  box.send(std::make_unique<int>(42));
  loop.run();
  CHECK(got == 42);
}
