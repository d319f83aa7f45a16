#include "terminal_output.hpp"

#include <cstdio>

namespace tally {

void TerminalOutput::push(Payload payload) {
  counts_.pushed += payload.points;
  ++counts_.attempts;
  const std::string& body = payload.body;
  const bool is_written =
      std::fwrite(body.data(), 1, body.size(), stdout) == body.size() && std::fflush(stdout) == 0;
  (is_written ? counts_.written : counts_.dropped_refused) += payload.points;
}

void TerminalOutput::drain(std::chrono::milliseconds, std::function<void()> done) {
  done();
}

}  // namespace tally
