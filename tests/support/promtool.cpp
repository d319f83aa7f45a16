#include "promtool.hpp"

#include <unistd.h>

#include <chrono>

#include "process.hpp"

namespace tally::testing {
namespace {

constexpr const char* promtool = "/usr/bin/promtool";

}  // namespace

bool has_promtool() {
  return access(promtool, X_OK) == 0;
}

PromtoolAnswer promtool_check(const std::string& text) {
  const TemporaryDirectory directory;
  const std::string file = directory.write("metrics", text);
  Process process({.path = "/bin/sh",
                   .arguments = {"-c", "exec \"$0\" check metrics <\"$1\"", promtool, file},
                   .environment = {},
                   .directory = ""});
  const int status = process.wait(std::chrono::seconds(30)).value_or(-1);
  return {status, process.output() + process.log()};
}

}  // namespace tally::testing
