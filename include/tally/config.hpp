#pragma once
// The configuration: every key, its default, and where its value came from. Pure: files and the
// environment are read by the caller.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tally/api.hpp"
#include "tally/naming.hpp"
#include "tally/parse.hpp"
#include "tally/peer.hpp"
#include "tally/result.hpp"
#include "tally/series.hpp"

namespace tally {

/// A UDP or TCP address to listen on: "127.0.0.1:8125", "[::1]:8125", "localhost:8125" (both
/// loopbacks),
/// "*:8125" or ":8125" (all addresses, v4 and v6).
struct ListenAddress {
  std::string host;  ///< an IP literal, "localhost" or "*"
  std::uint16_t port = 8125;

  friend bool operator==(const ListenAddress&, const ListenAddress&) = default;
};

/// The effective configuration. The default-constructed value is the built-in default, which
/// conf/tallyd.toml spells out; a test proves that they are equal.
struct Config {
  struct Flush {
    std::chrono::milliseconds interval = std::chrono::seconds(10);
    std::vector<double> percentiles = {50, 75, 95, 99, 99.9};  ///< ascending, unique
    friend bool operator==(const Flush&, const Flush&) = default;
  } flush;

  struct Listen {
    std::vector<ListenAddress> udp = {{"127.0.0.1", 8125}, {"::1", 8125}};
    std::vector<ListenAddress> tcp;
    std::vector<std::string> unixgram;  ///< paths of datagram sockets; "@name" is abstract
    std::vector<std::string> unix_stream;
    std::uint32_t unix_mode = 0660;  ///< of the sockets' files
    std::string unix_owner;          ///< "user", "user:group" or ":group"; "" is ours
    std::vector<Network> allow;      ///< who may send by UDP and TCP; empty: all
    std::chrono::milliseconds idle_timeout = std::chrono::minutes(10);  ///< of connections
    std::uint64_t receive_buffer = 32 << 20;  ///< bytes, asked of the kernel
    std::uint32_t workers = 1;                ///< receive threads, 1 .. 64
    friend bool operator==(const Listen&, const Listen&) = default;
  } listen;

  struct Limits {
    std::uint64_t series = 1'000'000;
    std::uint64_t set_members = 4096;
    std::uint64_t connections = 1024;                            ///< of streams, over all listeners
    std::chrono::milliseconds lateness = std::chrono::hours(1);  ///< of samples with `|T`
    friend bool operator==(const Limits&, const Limits&) = default;
  } limits;

  /// [dialects], [names], and of [limits] name_bytes, tag_bytes and tags.
  ParseRules parse;

  struct Gauges {
    std::chrono::milliseconds ttl = std::chrono::hours(1);  ///< 0 is for ever
    friend bool operator==(const Gauges&, const Gauges&) = default;
  } gauges;

  /// As written: "auto" for the host tag is resolved by the daemon (uv_os_gethostname), an empty
  /// value leaves the tag out. Sorted by key.
  std::vector<StaticTag> tags = {{"host", "auto"}};

  struct Output {
    Profile naming = Profile::native;
    MeasurementPer measurement = MeasurementPer::metric;
    std::string prefix;
    friend bool operator==(const Output&, const Output&) = default;
  } output;

  /// One destination.
  struct Influxdb {
    std::string name;                           ///< as written; see `destination_name`
    std::string url = "http://127.0.0.1:8086";  ///< "" writes each window to standard output
    std::optional<Api> api;                     ///< nothing: "auto", found out
    std::string database = "metric";            ///< of 2.x the bucket
    bool create_database = true;
    std::string retention_policy;
    std::string org;  ///< of 2.x
    std::string username;
    std::string password;       ///< never printed
    std::string password_file;  ///< read by the daemon, again after a 401 or 403
    std::string token;          ///< never printed
    std::string token_file;     ///< as password_file
    std::chrono::milliseconds timeout = std::chrono::seconds(10);
    bool gzip = true;
    std::string ca_file;
    std::string proxy;
    friend bool operator==(const Influxdb&, const Influxdb&) = default;
  };
  /// `[influxdb]`, or one for each `[[influxdb]]`: 1 .. 8, with different names. An empty url is
  /// the only one.
  std::vector<Influxdb> influxdb = {Influxdb{}};

  /// Where points wait on disk for a destination that does not answer.
  struct Spool {
    enum class When : std::uint8_t { needed, always };
    enum class Sync : std::uint8_t { interval, always, never };
    std::string directory;  ///< "" is $STATE_DIRECTORY/spool; without that, memory only
    When when = When::needed;
    Sync sync = Sync::interval;
    std::uint64_t max_bytes = 1 << 30;  ///< of each destination
    std::chrono::milliseconds max_age = std::chrono::hours(24);
    std::uint64_t min_free = 512 << 20;  ///< bytes that are left free on the file system
    bool adopt = false;  ///< sends what waits for a destination that is not configured any more
    friend bool operator==(const Spool&, const Spool&) = default;
  } spool;

  /// The page, and what programs ask over HTTP.
  struct Http {
    std::optional<ListenAddress> listen = ListenAddress{"127.0.0.1", 8127};  ///< nothing: off
    std::string token_file;            ///< "": no token is asked for, and `listen` is loopback
    std::vector<std::string> hosts;    ///< names that it is asked for by, beside localhost
    std::uint64_t history = 48 << 20;  ///< bytes of series remembered; 0 is none
    bool application_metrics = false;  ///< in /metrics, beside tallyd's own
    bool quit = false;                 ///< whether it can be told to stop
    friend bool operator==(const Http&, const Http&) = default;
  } http;

  /// The TCP management interface of the original statsd.
  struct Admin {
    std::optional<ListenAddress> listen = ListenAddress{"127.0.0.1", 8126};  ///< nothing: off
    std::vector<Network> allow;  ///< who may speak to it; empty: all, and `listen` is loopback
    friend bool operator==(const Admin&, const Admin&) = default;
  } admin;

  struct Log {
    std::string level = "info";  ///< trace debug info warning error off
    friend bool operator==(const Log&, const Log&) = default;
  } log;

  friend bool operator==(const Config&, const Config&) = default;
};

/// One key of the configuration, as users write it: "flush.interval".
struct KeyInfo {
  std::string_view key;
  std::string_view meaning;  ///< unit, reason, trade-off in one line, as in conf/tallyd.toml
};

/// Every key, in the order of the shipped file. `tags.*` is one entry, "tags".
const std::vector<KeyInfo>& config_keys();

/// What a destination is called in logs, metrics, its spool's directory and `--set
/// influxdb.NAME.key`: its `name`, else the host and port of its url ("db:8086"). 1 .. 64 bytes of
/// a-z A-Z 0-9 . _ - : [ ], the first no '.'.
std::string destination_name(const Config::Influxdb& destination);

/// Where each value came from, by key: "default", "/etc/tallyd/tallyd.toml:3",
/// "TALLYD_FLUSH_INTERVAL", "--set". Keys that are not in the map are at their default.
using Origins = std::map<std::string, std::string, std::less<>>;

/// The key in `Origins` of a destination's `key`, such as "url": "influxdb.url" of the first (0),
/// "influxdb[1].url" of the next.
std::string origin_key(std::size_t destination, std::string_view key);

struct ConfigSources {
  std::string file_name;  ///< for messages; "" if there is no file
  std::string file_text;
  std::vector<std::pair<std::string, std::string>> environment;  ///< TALLYD_<SECTION>_<KEY>, value
  /// "flush.interval=1s", in order; a value that is no TOML is a string. "influxdb.url" is of the
  /// only destination, "influxdb.NAME.url" of the one of this name.
  std::vector<std::string> sets;
};

struct LoadedConfig {
  Config config;
  Origins origins;
};

/// Each key and its effective value, a destination's by `origin_key`, a tag's as "tags.NAME", in
/// the order of the shipped file. A value is written as TOML, which of these types is JSON too.
/// Passwords and tokens are "********".
std::vector<std::pair<std::string, std::string>> config_values(const Config& config);

/// Reads the sources in their order (defaults, file, environment, sets); later ones win. An unknown
/// key, a wrong type or a value out of range is a mistake that names the place
/// (`file:line:column: `, `TALLYD_X: `, `--set x: `), what is allowed and the nearest known key.
/// The error has all mistakes of the first source that has any, one a line, at most ten of them.
/// Nothing is half-applied.
Result<LoadedConfig> load_config(const ConfigSources& sources);

/// As `load_config` with one file only.
Result<Config> parse_config(std::string_view text, std::string_view file_name = "tallyd.toml");

/// The effective config as TOML that `parse_config` reads back to the same value; each line ends
/// with its origin as a comment. Passwords and tokens are shown as "********" in a comment, never
/// in clear.
std::string config_to_toml(const LoadedConfig& loaded);

/// "10s", "100ms", "1h", "5m", "0" -> a duration; "1.5s" too. Units: ms s m h d.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);
std::string duration_to_string(std::chrono::milliseconds duration);

/// "32MiB", "4096", "64KiB", "1GiB", "10MB" -> bytes.
Result<std::uint64_t> parse_size(std::string_view text);

/// "127.0.0.1:8125" and the other forms of ListenAddress.
Result<ListenAddress> parse_listen_address(std::string_view text);
std::string to_string(const ListenAddress& address);

/// Whether only this host can reach it.
bool is_loopback(const ListenAddress& address);

}  // namespace tally
