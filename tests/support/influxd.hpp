#pragma once
// A real influxd of its own for a test: private directories, ports and data.

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "csv.hpp"
#include "process.hpp"

namespace tally::testing {

struct InfluxdOptions {
  bool auth = false;         ///< asks for user "root", password "secret"; `start` creates it
  std::string storage = {};  ///< where its data and its WAL are; "" is with all the rest
  /// Settings as influxd takes them from the environment: {"INFLUXDB_HTTP_MAX_BODY_SIZE", "1000"}.
  std::vector<std::pair<std::string, std::string>> environment = {};
};

/// Lives below a temporary directory that survives `stop` and `kill`, so that a restart finds its
/// data. REQUIREs (doctest) that what it is asked to do succeeds.
class Influxd {
 public:
  /// Whether Debian's `influxdb` package is there at all.
  static bool is_installed();

  /// Chooses ports; starts nothing yet.
  explicit Influxd(InfluxdOptions options = {});

  void start();    ///< returns when it answers /ping
  void stop();     ///< SIGTERM, and waits
  void kill();     ///< SIGKILL, and waits
  void restart();  ///< stop and start
  void pause();    ///< SIGSTOP: its ports take connections and never answer
  void resume();   ///< SIGCONT

  /// Writes lines past tallyd. Stamps in milliseconds, none is now.
  void write(std::string_view database, const std::string& lines) const;

  /// All rows of an InfluxQL query. Stamps are in milliseconds.
  std::vector<Row> query(std::string_view database, std::string_view influxql) const;

  /// The one value of a query that gives one row, by column; "" if it gives none.
  std::string value(std::string_view database, std::string_view influxql,
                    std::string_view column) const;

  std::uint16_t port() const { return http_port_.number(); }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(http_port_.number()); }
  std::string log() const { return process_ ? process_->log() : ""; }  ///< since the last start

 private:
  bool answers_ping() const;
  void create_user() const;

  InfluxdOptions options_;
  TemporaryDirectory directory_;
  ReservedPort http_port_;
  ReservedPort rpc_port_;
  std::string config_path_;
  std::unique_ptr<Process> process_;
};

/// A name as InfluxQL takes it: in double quotes, '"', '\' and line ends escaped.
std::string quote_identifier(std::string_view name);

/// A string as InfluxQL takes it: in single quotes.
std::string quote_string(std::string_view text);

}  // namespace tally::testing
