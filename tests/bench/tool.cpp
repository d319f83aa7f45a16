#include "tool.hpp"

#include <linux/sock_diag.h>
#include <sched.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>

namespace tally::bench {

void fail(const std::string& what, int error) {
  const std::string why = error == 0 ? "" : std::string(": ") + std::strerror(error);
  std::fprintf(stderr, "%s: %s%s\n", program_invocation_short_name, what.c_str(), why.c_str());
  std::exit(2);
}

Arguments::Arguments(int count, char** words, std::string_view known_names) {
  const std::string known = ' ' + std::string(known_names) + ' ';
  for (int i = 1; i < count; i += 2) {
    const std::string_view word = words[i];
    const std::string name(word.substr(std::min<std::size_t>(2, word.size())));
    const bool is_known = word.starts_with("--") && known.find(' ' + name + ' ') != known.npos;
    if (!is_known) fail("unknown argument " + std::string(word) + "; known:" + known);
    if (i + 1 == count) fail("--" + name + " needs a value");
    values_[name] = words[i + 1];
  }
}

std::string Arguments::text(const std::string& name, const std::string& otherwise) const {
  const auto found = values_.find(name);
  return found == values_.end() ? otherwise : found->second;
}

double Arguments::number(const std::string& name, double otherwise) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return otherwise;
  const std::string& text = found->second;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !(value >= 0 && value < 1e15))
    fail("--" + name + " is no number from 0: " + text);
  return value;
}

void pin_to_core(int core) {
  if (core < 0) return;
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(static_cast<std::size_t>(core), &cores);
  if (sched_setaffinity(0, sizeof cores, &cores) != 0)
    fail("cannot run on core " + std::to_string(core), errno);
}

Queue queue_of(int fd) {
  std::array<std::uint32_t, SK_MEMINFO_VARS> info{};
  socklen_t size = sizeof info;
  if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info.data(), &size) != 0)
    fail("cannot read SO_MEMINFO of descriptor " + std::to_string(fd), errno);
  return {.bytes = info[SK_MEMINFO_RMEM_ALLOC], .drops = info[SK_MEMINFO_DROPS]};
}

std::uint64_t first_of(int fd) {
  std::array<char, 64> bytes;
  const ssize_t size = recv(fd, bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
  if (size < 0) return 0;
  return std::hash<std::string_view>()({bytes.data(), static_cast<std::size_t>(size)}) | 1;
}

}  // namespace tally::bench
