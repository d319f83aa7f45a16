#include "namespaces.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <sstream>
#include <utility>
#include <vector>

#include "process.hpp"

namespace tally::testing {
namespace {

constexpr const char* ip_path = "/usr/sbin/ip";

int open_now(const char* what) {
  const int fd = open((std::string("/proc/thread-self/ns/") + what).c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(fd >= 0);
  return fd;
}

bool make_private_mounts() {
  return unshare(CLONE_NEWNS) == 0 &&
         mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

// In a child, so that this process stays where it is. Without doctest, which has not begun yet.
bool try_to_make() {
  const pid_t child = fork();
  if (child == 0) _exit(unshare(CLONE_NEWNET) == 0 && make_private_mounts() ? 0 : 1);
  int status = 1;
  return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

std::string options_for(std::uint64_t bytes) {
  return "mode=0700,size=" + std::to_string(bytes);
}

}  // namespace

bool may_make_namespaces() {
  static const bool may = access(ip_path, X_OK) == 0 && try_to_make();
  return may;
}

Network::Network() : fd_(-1) {
  const int before = open_now("net");
  REQUIRE(unshare(CLONE_NEWNET) == 0);
  fd_ = open_now("net");
  REQUIRE(setns(before, CLONE_NEWNET) == 0);
  close(before);
  ip("link set lo up");
}

Network::~Network() {
  close(fd_);
}

void Network::ip(const std::string& arguments) const {
  const Inside inside(*this);
  std::istringstream words(arguments);
  std::vector<std::string> list;
  for (std::string word; words >> word;) list.push_back(word);
  Process command({.path = ip_path, .arguments = list});
  const auto status = command.wait(std::chrono::seconds(10));
  REQUIRE_MESSAGE(status == 0, arguments << ": " << command.log());
}

Inside::Inside(const Network& network) : before_(open_now("net")) {
  REQUIRE(setns(network.fd(), CLONE_NEWNET) == 0);
}

Inside::~Inside() {
  const bool is_back = setns(before_, CLONE_NEWNET) == 0;
  close(before_);
  CHECK(is_back);
}

Cable::Cable(const Network& first, const Network& second) : second_(second) {
  const std::string there =
      "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(second.fd());
  first.ip("link add end1 type veth peer name end2 netns " + there);
  first.ip("addr add 10.77.0.1/30 dev end1");
  first.ip("link set end1 up");
  second.ip("addr add 10.77.0.2/30 dev end2");
  mend();
}

void Cable::cut() const {
  second_.ip("link set end2 down");
}

void Cable::mend() const {
  second_.ip("link set end2 up");
}

SmallDisk::SmallDisk(std::string directory, std::uint64_t bytes)
    : path_(std::move(directory)),
      before_(open_now("mnt")),
      directory_before_(std::filesystem::current_path()) {
  REQUIRE(make_private_mounts());
  REQUIRE(mount("tallyd-test", path_.c_str(), "tmpfs", 0, options_for(bytes).c_str()) == 0);
}

SmallDisk::~SmallDisk() {
  const bool is_back = setns(before_, CLONE_NEWNS) == 0 && chdir(directory_before_.c_str()) == 0;
  close(before_);
  CHECK(is_back);
}

void SmallDisk::fill() const {
  const int fd = open((path_ + "/filler").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  REQUIRE(fd >= 0);
  const std::vector<char> zeros(65536);
  ssize_t wrote = 0;
  for (std::size_t size = zeros.size(); size > 0; size = wrote > 0 ? size : size / 2)
    wrote = write(fd, zeros.data(), size);
  close(fd);
}

void SmallDisk::grow(std::uint64_t bytes) const {
  REQUIRE(mount(nullptr, path_.c_str(), nullptr, MS_REMOUNT, options_for(bytes).c_str()) == 0);
}

}  // namespace tally::testing
