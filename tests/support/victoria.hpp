#pragma once
// A real VictoriaMetrics of its own for a test: private directory, port and data.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "process.hpp"

namespace tally::testing {

/// Lives below a temporary directory that survives `stop`, so that a restart finds its data. A
/// field of a measurement is a metric "measurement_field" there. REQUIREs (doctest) that what it is
/// asked to do succeeds.
class VictoriaMetrics {
 public:
  /// Whether Debian's `victoria-metrics` package is there at all.
  static bool is_installed();

  /// Chooses a port; starts nothing yet. `flags` are more of the command line.
  explicit VictoriaMetrics(std::vector<std::string> flags = {}) : flags_(std::move(flags)) {}

  void start();  ///< returns when it answers
  void stop();   ///< SIGTERM, and waits

  struct Sample {
    std::string host;  ///< the label's value
    std::string shard;
    double value = 0;
    std::int64_t stamp_ms = 0;
  };
  /// All samples of a metric, as stored.
  std::vector<Sample> samples(std::string_view metric) const;
  double sum(std::string_view metric) const;
  /// What a MetricsQL query gives now: a value of each series.
  std::vector<double> asked(std::string_view metricsql) const;

  std::uint16_t port() const { return port_.number(); }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port()); }
  std::string log() const { return process_ ? process_->log() : ""; }

 private:
  std::vector<std::string> flags_;
  TemporaryDirectory directory_;
  ReservedPort port_;
  std::unique_ptr<Process> process_;
};

}  // namespace tally::testing
