#pragma once
// Programs started by tests: their output, signals and end.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace tally::testing {

/// Asks again every few milliseconds until `is_true` holds or the time is over. Returns whether it
/// held. This is how tests wait for other processes: for a fact, never for a length of time.
bool eventually(std::chrono::milliseconds limit, const std::function<bool()>& is_true);

/// An anonymous file that gathers what a child writes. Unlike a pipe it never fills and needs no
/// reader.
class Capture {
 public:
  Capture();
  ~Capture();
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  int fd() const { return fd_; }
  std::string text() const;  ///< all of it so far

 private:
  int fd_;
};

struct Command {
  std::string path;
  std::vector<std::string> arguments;  ///< without the program's name
  std::vector<std::pair<std::string, std::string>>
      environment;        ///< all of it: nothing is inherited but PATH
  std::string directory;  ///< to run in; "" is ours
};

/// One child. Starts with descriptors 0 (/dev/null), 1 and 2 only, and dies with the test's thread
/// or with this object, whichever is first.
class Process {
 public:
  explicit Process(const Command& command);
  ~Process();  ///< SIGKILL if it still runs
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  std::string output() const { return output_.text(); }  ///< standard output so far
  std::string log() const { return log_.text(); }        ///< standard error so far

  /// Whether standard error holds `text` within `limit`. Gives up early when the process ends.
  bool wait_for_log(std::string_view text, std::chrono::milliseconds limit);

  void signal(int number);
  void pause();   ///< SIGSTOP; returns when all its threads stand still
  void resume();  ///< SIGCONT
  bool running();

  /// The exit status (128 + signal if one killed it), or nothing if it still runs after `limit`.
  std::optional<int> wait(std::chrono::milliseconds limit);

  pid_t pid() const { return pid_; }

 private:
  void reap(bool block);

  Capture output_;
  Capture log_;
  pid_t pid_ = -1;
  std::optional<int> status_;
};

/// A directory of its own below TMPDIR, removed with all it holds.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }
  /// Writes a file into it and returns the file's path.
  std::string write(std::string_view name, std::string_view text) const;

 private:
  std::string path_;
};

/// A TCP port of 127.0.0.1 that no one else is given while this lives. A server that sets
/// SO_REUSEADDR (influxd does) can listen on it; until one does, connections to it are refused.
class ReservedPort {
 public:
  ReservedPort();
  ~ReservedPort();
  ReservedPort(const ReservedPort&) = delete;
  ReservedPort& operator=(const ReservedPort&) = delete;

  std::uint16_t number() const { return number_; }

 private:
  int fd_;  // bound, never listening
  std::uint16_t number_ = 0;
};

/// A TCP port of 127.0.0.1 that was free a moment ago; nothing keeps it so.
inline std::uint16_t free_tcp_port() {
  return ReservedPort().number();
}

}  // namespace tally::testing
