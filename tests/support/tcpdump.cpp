#include "tcpdump.hpp"

#include <unistd.h>

#include <chrono>

#include "process.hpp"

namespace tally::testing {
namespace {

constexpr const char* tcpdump = "/usr/bin/tcpdump";

}  // namespace

std::optional<std::string> read_by_tcpdump(const std::string& pcap, const std::string& arguments) {
  if (access(tcpdump, X_OK) != 0) return std::nullopt;
  const TemporaryDirectory directory;
  const std::string file = directory.write("capture.pcap", pcap);
  // By standard input, for it may give up the right to open files.
  Process process(
      {.path = "/bin/sh",
       .arguments = {"-c", "exec \"$0\" -nn -t -r - " + arguments + " <\"$1\"", tcpdump, file},
       .environment = {},
       .directory = ""});
  process.wait(std::chrono::seconds(30));
  return process.output() + process.log();
}

}  // namespace tally::testing
