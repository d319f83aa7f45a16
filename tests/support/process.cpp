#include "process.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

namespace tally::testing {
namespace {

using namespace std::chrono_literals;

std::vector<char*> as_argv(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

struct ChildFiles {
  int input;
  int output;
  int error;
};

// Runs in the child between fork and exec: only calls that are safe there.
[[noreturn]] void become(const Command& command, char** argv, char** envp,
                         const ChildFiles& files) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that is killed leaves no daemon behind
  dup2(files.input, STDIN_FILENO);
  dup2(files.output, STDOUT_FILENO);
  dup2(files.error, STDERR_FILENO);
  close_range(3, ~0U, 0);
  if (!command.directory.empty() && chdir(command.directory.c_str()) != 0) _exit(126);
  execve(command.path.c_str(), argv, envp);
  _exit(127);
}

std::vector<std::string> environment_of(const Command& command) {
  const char* path = std::getenv("PATH");
  std::vector<std::string> lines = {std::string("PATH=") +
                                    (path != nullptr ? path : "/usr/bin:/bin")};
  for (const auto& [name, value] : command.environment) lines.push_back(name + "=" + value);
  // The sanitizers' options must reach a sanitized child, or its findings would pass unseen.
  for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"}) {
    if (const char* value = std::getenv(name)) lines.push_back(std::string(name) + "=" + value);
  }
  return lines;
}

}  // namespace

bool eventually(std::chrono::milliseconds limit, const std::function<bool()>& is_true) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!is_true()) {
    if (std::chrono::steady_clock::now() >= deadline) return is_true();
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

Capture::Capture() : fd_(memfd_create("capture", MFD_CLOEXEC)) {
  REQUIRE(fd_ >= 0);
}

Capture::~Capture() {
  close(fd_);
}

std::string Capture::text() const {
  std::string text;
  std::array<char, 65536> chunk{};
  while (true) {
    const ssize_t got = pread(fd_, chunk.data(), chunk.size(), static_cast<off_t>(text.size()));
    if (got <= 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
}

Process::Process(const Command& command) {
  std::vector<std::string> words = command.arguments;
  words.insert(words.begin(), command.path);
  std::vector<std::string> environment = environment_of(command);
  const std::vector<char*> argv = as_argv(words);
  const std::vector<char*> envp = as_argv(environment);
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  REQUIRE(null >= 0);
  const ChildFiles files{null, output_.fd(), log_.fd()};
  pid_ = fork();
  if (pid_ == 0)
    become(command, const_cast<char**>(argv.data()), const_cast<char**>(envp.data()), files);
  close(null);
  REQUIRE(pid_ > 0);
}

Process::~Process() {
  if (!running()) return;
  kill(pid_, SIGKILL);
  reap(true);
}

void Process::reap(bool block) {
  if (status_) return;
  int status = 0;
  pid_t ended = 0;
  do {
    ended = waitpid(pid_, &status, block ? 0 : WNOHANG);
  } while (ended < 0 && errno == EINTR);
  if (ended != pid_) return;
  status_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool Process::running() {
  reap(false);
  return !status_;
}

std::optional<int> Process::wait(std::chrono::milliseconds limit) {
  eventually(limit, [this] { return !running(); });
  return status_;
}

bool Process::wait_for_log(std::string_view text, std::chrono::milliseconds limit) {
  bool found = false;
  eventually(limit, [&] {
    const bool ended = !running();  // before the log is read, or its last words could be missed
    found = log().find(text) != std::string::npos;
    return found || ended;
  });
  return found;
}

void Process::signal(int number) {
  if (running()) kill(pid_, number);
}

void Process::pause() {
  signal(SIGSTOP);
  // The signal is only on its way when kill() returns; the parent is told when the last thread
  // stopped.
  siginfo_t info{};
  int status = -1;
  do {
    status = waitid(P_PID, static_cast<id_t>(pid_), &info, WSTOPPED | WEXITED | WNOWAIT);
  } while (status != 0 && errno == EINTR);
  REQUIRE(info.si_code == CLD_STOPPED);
  REQUIRE(waitid(P_PID, static_cast<id_t>(pid_), &info, WSTOPPED) == 0);
}

void Process::resume() {
  signal(SIGCONT);
}

TemporaryDirectory::TemporaryDirectory() {
  path_ = (std::filesystem::temp_directory_path() / "tallyd-test-XXXXXX").string();
  REQUIRE(mkdtemp(path_.data()) != nullptr);
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;  // a test has passed or failed before this
  std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryDirectory::write(std::string_view name, std::string_view text) const {
  const std::string path = path_ + "/" + std::string(name);
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  REQUIRE(file.good());
  return path;
}

ReservedPort::ReservedPort() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  REQUIRE(fd_ >= 0);
  const int yes = 1;
  REQUIRE(setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  number_ = ntohs(address.sin_port);
}

ReservedPort::~ReservedPort() {
  close(fd_);
}

}  // namespace tally::testing
