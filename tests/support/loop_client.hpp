#pragma once
// A client on the same loop as what it speaks to, so that a test needs no thread.

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "posix/descriptor.hpp"
#include "tally/config.hpp"
#include "uv/handles.hpp"

namespace tally::testing {

/// A loop that fails the test rather than hang it, and that has to be empty at the end. What is
/// made on it must be gone before it is.
class GuardedLoop {
 public:
  ~GuardedLoop();

  /// Turns the loop until `is_so`; false, and a failed check, when that takes more than 10 s.
  bool until(const std::function<bool()>& is_so);

  /// Turns the loop for about so long; returns how often it woke up.
  int turn_for(std::chrono::milliseconds time);

  uv::Loop loop;
};

/// One TCP connection. What arrives is collected in `received`.
class LoopClient {
 public:
  struct Options {
    bool reads = true;             ///< false: leaves all in the kernel until `read`
    int receive_buffer_bytes = 0;  ///< 0: the kernel's choice
  };

  /// `server` is a literal. Connected when it returns, but perhaps not accepted yet.
  LoopClient(uv::Loop& loop, const ListenAddress& server);
  LoopClient(uv::Loop& loop, const ListenAddress& server, Options options);

  /// Sends it all, as long as the kernel takes it.
  void send(std::string_view text);
  void read() { poll_->watch(UV_READABLE); }
  void end_sending();
  void close();  ///< with a reset if something was not read

  std::string received;
  bool is_closed = false;  ///< by the other side

 private:
  void on_ready(int events);

  Descriptor socket_;
  std::optional<uv::Poll> poll_;
};

/// Sends `text` on a connection of its own, and returns all that is said until the end.
std::string exchange(GuardedLoop& loop, const ListenAddress& server, std::string_view text);

/// The first answer in a text of HTTP/1.1, taken apart.
struct ParsedAnswer {
  int status = 0;    ///< 0: there is none
  std::string head;  ///< up to the empty line
  std::string body;  ///< all behind it; chunks are put together

  /// The value of a header by its name as it was sent; nothing if it is not there.
  std::optional<std::string> header(std::string_view name) const;
};
ParsedAnswer parse_answer(std::string_view text);

}  // namespace tally::testing
