#pragma once
// What the bench's programs share: arguments, a core of their own, and the kernel's view of a UDP
// socket. They are started by bench.py; a mistake ends them with a line on standard error.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace tally::bench {

/// Prints "PROGRAM: what" (and the text of `error`, an errno, if it is not 0) and exits with 2.
[[noreturn]] void fail(const std::string& what, int error = 0);

/// `--name value` pairs. What is not known, not a number or has no value fails.
class Arguments {
 public:
  Arguments(int count, char** words, std::string_view known_names);

  std::string text(const std::string& name, const std::string& otherwise) const;
  double number(const std::string& name, double otherwise) const;  ///< not negative

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

/// Binds the calling thread to one core. Below 0: anywhere.
void pin_to_core(int core);

/// What waits in a socket's receive queue, as the kernel books it (a small datagram counts 832
/// bytes), and what it has dropped since the socket was made.
struct Queue {
  std::uint32_t bytes = 0;
  std::uint32_t drops = 0;
};

/// By SO_MEMINFO: exact, a third of a microsecond, and harmless for who reads the socket.
Queue queue_of(int fd);

/// Tells the first datagram of a socket's queue from those behind it, by its first bytes, which it
/// leaves there; 0 if there is none.
std::uint64_t first_of(int fd);

}  // namespace tally::bench
