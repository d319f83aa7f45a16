#pragma once
// The tools of tallyd as programs, against a server of the test's own.

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fake_server.hpp"
#include "process.hpp"

namespace tally::testing {

struct Ran {
  std::optional<int> status;
  std::string output;
  std::string log;
};

/// A server on the test's loop, and tools that ask it.
class ToolRig {
 public:
  explicit ToolRig(test::FakeServer::Script script) : server_(loop_, std::move(script)) {
    server_.listen();
  }

  /// What starts a tool that asks the server.
  Command command(std::vector<std::string> words) const {
    words.insert(words.begin(), "--config=/dev/null");
    words.push_back("--url=" + server_.url());
    return {.path = TALLYD, .arguments = std::move(words), .environment = {{"TZ", "UTC"}}};
  }

  Ran run(std::vector<std::string> words) {
    Process process(command(std::move(words)));
    return finish(process);
  }

  /// A tool that finds the server by [http] of its configuration, which has these lines too.
  Ran run_configured(std::vector<std::string> words, const std::string& lines = "") {
    const std::string address = server_.url().substr(std::string_view("http://").size());
    const TemporaryDirectory directory;
    words.push_back("--config=" + directory.write("tallyd.toml", "[http]\nlisten = \"" + address +
                                                                     "\"\n" + lines));
    Process process({.path = TALLYD, .arguments = std::move(words)});
    return finish(process);
  }

  /// Serves until the tool has ended.
  Ran finish(Process& process) {
    REQUIRE(test::run_until(loop_, [&] { return !process.running(); }));
    return {process.wait(std::chrono::seconds(1)), process.output(), process.log()};
  }

  bool serve_until(const std::function<bool()>& is_done) { return test::run_until(loop_, is_done); }

  test::FakeServer& server() { return server_; }

 private:
  uv::Loop loop_;
  test::FakeServer server_;
};

inline bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace tally::testing
