#include "tools/timed_command.hpp"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "posix/held_signals.hpp"
#include "tally/text.hpp"

namespace tally {
namespace {

using Clock = std::chrono::steady_clock;

/// The child's id; or minus the errno that kept it from running.
pid_t start(const std::vector<std::string>& command, const sigset_t& mask) {
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  posix_spawnattr_setsigmask(&attributes, &mask);
  pid_t child = -1;
  const int error = posix_spawnp(&child, argv[0], nullptr, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  return error == 0 ? child : -error;
}

int wait_for(pid_t child, const HeldSignals& signals) {
  while (true) {
    const siginfo_t signal = signals.wait();
    int status = 0;
    if (signal.si_signo == SIGCHLD) {
      if (waitpid(child, &status, WNOHANG) != child) continue;
      return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }
    // What the kernel sends for a terminal goes to all of its foreground, the child too.
    if (signal.si_code <= 0) kill(child, signal.si_signo);
  }
}

}  // namespace

Result<Ended> run_timed(const std::vector<std::string>& command) {
  const HeldSignals signals({SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCHLD});
  // Ignored, as a parent may have left it, children would vanish without a status.
  ::signal(SIGCHLD, SIG_DFL);
  const Clock::time_point began = Clock::now();
  const pid_t child = start(command, signals.before());
  if (child < 0)
    return Error{"cannot run " + quote(command.front(), 80) + ": " + std::strerror(-child),
                 child == -ENOENT ? 127 : 126};
  const int status = wait_for(child, signals);
  return Ended{.status = status, .took = Clock::now() - began};
}

}  // namespace tally
