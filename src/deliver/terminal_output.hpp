#pragma once
// `influxdb.url = ""`: each window to standard output, as line protocol.

#include "output.hpp"

namespace tally {

/// Writes payloads as they come. A reader that does not read holds main up, never the receive
/// threads; what cannot be written (a closed pipe) is counted as dropped.
class TerminalOutput : public Output {
 public:
  void push(Payload payload) override;
  const OutboxCounts& counts() const override { return counts_; }
  std::size_t bytes() const override { return 0; }
  void drain(std::chrono::milliseconds within, std::function<void()> done) override;

 private:
  OutboxCounts counts_;
};

}  // namespace tally
