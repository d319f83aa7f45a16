#include "tally/config.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

using namespace tally;
using namespace std::chrono_literals;

namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string error_of(std::string_view text) {
  const Result<Config> config = parse_config(text);
  return config ? "(no error)" : config.error().message;
}

std::string error_of(const ConfigSources& sources) {
  const Result<LoadedConfig> loaded = load_config(sources);
  return loaded ? "(no error)" : loaded.error().message;
}

LoadedConfig load(const ConfigSources& sources) {
  Result<LoadedConfig> loaded = load_config(sources);
  if (!loaded) FAIL(loaded.error().message);
  return std::move(loaded).value();
}

struct Bad {
  std::string_view name;
  std::string text;
  std::string message;
};

void check_messages(const std::vector<Bad>& rows) {
  for (const Bad& row : rows) {
    CAPTURE(row.name);
    CHECK(error_of(row.text) == row.message);
  }
}

constexpr std::string_view interval_rule =
    R"(flush.interval must be a duration from 100ms to 1h, such as "10s", not )";

std::string at(std::string_view place, std::string_view rule, std::string_view got) {
  return "tallyd.toml:" + std::string(place) + ": " + std::string(rule) + std::string(got);
}

std::string quoted(std::size_t bytes) {
  return '"' + std::string(bytes, 'x') + '"';
}

}  // namespace

TEST_CASE("config: an empty text is the default configuration") {
  CHECK(parse_config("").value() == Config{});
  CHECK(parse_config("\xEF\xBB\xBF").value() == Config{});
  CHECK(parse_config("[flush]\n[listen]\n[tags]\n").value() == Config{});
}

TEST_CASE("config: the reference file is the default configuration") {
  const Result<Config> config = parse_config(read_file(PROJECT_DIR "/conf/tallyd.toml"));
  REQUIRE(config);
  CHECK(config.value() == Config{});
}

TEST_CASE(
    "config: the reference file names exactly the known keys, in their order, and explains each") {
  const std::string text = read_file(PROJECT_DIR "/conf/tallyd.toml");
  ConfigSources sources;
  sources.file_name = "ref";
  sources.file_text = text;
  const LoadedConfig loaded = load(sources);

  std::set<std::string> named;
  for (const auto& [key, origin] : loaded.origins)
    named.insert(key.starts_with("tags.") ? "tags" : key);
  std::set<std::string> known;
  std::size_t from = 0;
  for (const KeyInfo& info : config_keys()) {
    CAPTURE(info.key);
    known.insert(std::string(info.key));
    const std::size_t found = text.find("\n# " + std::string(info.meaning) + "\n", from);
    CHECK(found != std::string::npos);
    if (found != std::string::npos) from = found + 1;
  }
  CHECK(named == known);
}

TEST_CASE("config: the demo's file reads, and has windows of a second") {
  const Result<Config> config = parse_config(read_file(PROJECT_DIR "/conf/demo.toml"));
  REQUIRE(config);
  CHECK(config.value().flush.interval == 1s);
}

TEST_CASE("config: every key is read") {
  const Result<Config> config = parse_config(R"(
[flush]
interval = "250ms"
percentiles = [99.95, 50, 0.5]
[listen]
udp = ["localhost:1", "[::1]:0", ":3"]
receive_buffer = "64KiB"
workers = 64
[limits]
series = 1
name_bytes = 2048
tag_bytes = 1
tags = 0
set_members = 16
[dialects]
etsy = false
dogstatsd = false
influx = false
graphite = false
signalfx = false
librato = false
events = false
service_checks = false
[names]
sanitize = "etsy"
signed_gauges = "absolute"
[gauges]
ttl = "0"
[tags]
region = "eu"
"a.b c" = ""
host = "web1"
[output]
naming = "native"
measurement = "per_type"
prefix = "grüße."
[influxdb]
name = "main-1"
url = "https://[::1]:8086/path"
api = "auto"
database = "d b"
create_database = false
retention_policy = "week"
org = "o r g"
username = "ann"
password = "p:w\"\\"
token = "t=="
timeout = "1m"
gzip = false
ca_file = "/etc/ca.pem"
proxy = "http://proxy:3128"
[spool]
directory = "/var/spool/t"
when = "always"
sync = "never"
max_bytes = "16MiB"
max_age = "1m"
min_free = 0
[http]
listen = "*:18127"
token_file = "/etc/token"
hosts = ["tally.example", "web-1"]
history = 0
application_metrics = true
quit = true
[admin]
listen = "*:18126"
allow = ["10.0.0.0/8"]
[log]
level = "debug"
)");
  REQUIRE(config);
  Config expected;
  expected.flush = {250ms, {0.5, 50, 99.95}};
  expected.listen.udp = {{"localhost", 1}, {"::1", 0}, {"*", 3}};
  expected.listen.receive_buffer = 65536;
  expected.listen.workers = 64;
  expected.limits.series = 1;
  expected.limits.set_members = 16;
  expected.parse = {{.name_bytes = 2048, .tag_bytes = 1, .tags = 0},
                    {false, false, false, false, false, false, false, false},
                    Sanitize::etsy,
                    SignedGauges::absolute};
  expected.gauges.ttl = 0ms;
  expected.tags = {{"a.b c", ""}, {"host", "web1"}, {"region", "eu"}};
  expected.output = {Profile::native, MeasurementPer::type, "grüße."};
  expected.influxdb = {{.name = "main-1",
                        .url = "https://[::1]:8086/path",
                        .api = {},
                        .database = "d b",
                        .create_database = false,
                        .retention_policy = "week",
                        .org = "o r g",
                        .username = "ann",
                        .password = "p:w\"\\",
                        .password_file = "",
                        .token = "t==",
                        .token_file = "",
                        .timeout = 1min,
                        .gzip = false,
                        .ca_file = "/etc/ca.pem",
                        .proxy = "http://proxy:3128"}};
  expected.spool = {
      "/var/spool/t", Config::Spool::When::always, Config::Spool::Sync::never, 16 << 20, 1min, 0};
  expected.http = {.listen = ListenAddress{"*", 18127},
                   .token_file = "/etc/token",
                   .hosts = {"tally.example", "web-1"},
                   .history = 0,
                   .application_metrics = true,
                   .quit = true};
  expected.admin = {ListenAddress{"*", 18126}, {parse_network("10.0.0.0/8").value()}};
  expected.log.level = "debug";
  CHECK(config.value() == expected);
  CHECK(parse_config("influxdb = {username = \"u\", password_file = \"/f\"}")
            .value()
            .influxdb[0]
            .password_file == "/f");
  CHECK(parse_config("influxdb.token_file = \"/t\"").value().influxdb[0].token_file == "/t");
}

TEST_CASE("config: each key of [dialects] switches its own dialect") {
  struct Row {
    std::string_view key;
    bool Dialects::*dialect;
  };
  const std::vector<Row> rows = {
      {"etsy", &Dialects::etsy},         {"dogstatsd", &Dialects::dogstatsd},
      {"influx", &Dialects::influx},     {"graphite", &Dialects::graphite},
      {"signalfx", &Dialects::signalfx}, {"librato", &Dialects::librato},
      {"events", &Dialects::events},     {"service_checks", &Dialects::service_checks},
  };
  for (const Row& row : rows) {
    CAPTURE(row.key);
    Config expected;
    expected.parse.dialects.*row.dialect = false;
    CHECK(parse_config("dialects." + std::string(row.key) + " = false").value() == expected);
  }
}

TEST_CASE("config: the forms that are also taken") {
  CHECK(parse_config("listen.udp = \"*:1\"").value().listen.udp ==
        std::vector<ListenAddress>{{"*", 1}});
  CHECK(parse_config("listen.receive_buffer = 65536").value().listen.receive_buffer == 65536);
  CHECK(parse_config("listen.udp = [\"127.0.0.1:0\", \"127.0.0.1:0\"]").value().listen.udp.size() ==
        2);
  CHECK(parse_config("flush.percentiles = []").value().flush.percentiles.empty());
  CHECK(parse_config("flush.percentiles = [100, 0.0001]").value().flush.percentiles ==
        std::vector<double>{0.0001, 100});
  CHECK(parse_config("influxdb.url = \"\"\ninfluxdb.database = \"\"")
            .value()
            .influxdb[0]
            .url.empty());
  CHECK_FALSE(parse_config("admin.listen = \"\"").value().admin.listen);
  CHECK_FALSE(parse_config("http.listen = \"\"").value().http.listen);
  CHECK(parse_config("http.hosts = \"a.b\"").value().http.hosts == std::vector<std::string>{"a.b"});
  CHECK(parse_config("[flush]\r\ninterval = '1s' # one\r\n").value().flush.interval == 1s);
}

TEST_CASE("config: an unknown key is an error that names the nearest known one") {
  check_messages({
      {"slip", "# a\n\n[flush]\nintervall = \"1s\"",
       R"(tallyd.toml:4:1: unknown key "flush.intervall"; did you mean "flush.interval"?)"},
      {"slip in the section", "[flsuh]\ninterval = \"1s\"",
       R"(tallyd.toml:1:2: unknown key "flsuh"; did you mean "flush"?)"},
      {"half a section", "[influx]",
       R"(tallyd.toml:1:2: unknown key "influx"; did you mean "influxdb"?)"},
      {"section forgotten", "interval = \"1s\"",
       R"(tallyd.toml:1:1: unknown key "interval"; did you mean "flush.interval"?)"},
      {"nothing near", "[log]\n  colour_of_the_text = 1",
       R"(tallyd.toml:2:3: unknown key "log.colour_of_the_text")"},
      {"not yet a key", "[listen]\nudps = []",
       R"(tallyd.toml:2:1: unknown key "listen.udps"; did you mean "listen.udp"?)"},
      {"not yet a section", "[journal]\ndirectory = \"\"",
       R"(tallyd.toml:1:2: unknown key "journal")"},
      {"empty key", "\"\" = 1", R"(tallyd.toml:1:1: unknown key "")"},
      {"foreign bytes", "\"a\\u001b[2J\" = 1", R"(tallyd.toml:1:1: unknown key "a\x1B[2J")"},
      {"dotted in quotes", "\"flush.interval\" = \"1s\"",
       R"(tallyd.toml:1:1: unknown key "flush.interval"; write keys without quotes)"},
      {"below a key", "[flush.interval]\nx = 1", at("1:8", interval_rule, "a table")},
  });
}

TEST_CASE("config: all mistakes of a source are told, in the order of the text") {
  check_messages({
      {"one key in each of two sections", "[log]\nx = 1\n[flush]\ny = 1",
       "tallyd.toml:2:1: unknown key \"log.x\"\ntallyd.toml:4:1: unknown key \"flush.y\""},
      {"a section, a value, a key in quotes, a tag",
       "[flsuh]\n[influxdb]\ngzip = 1\n\"a.b\" = 2\n[tags]\nzone = 3",
       "tallyd.toml:1:2: unknown key \"flsuh\"; did you mean \"flush\"?\n"
       "tallyd.toml:3:1: influxdb.gzip must be true or false, not 1\n"
       "tallyd.toml:4:1: unknown key \"a.b\"; write keys without quotes\n"
       "tallyd.toml:6:1: tags.zone must be a string, not 3"},
      {"in two destinations",
       "[[influxdb]]\ngzip = 1\n[[influxdb]]\nname = \"b\"\nurll = \"\"\n[log]\nx = 1",
       "tallyd.toml:2:1: influxdb.gzip must be true or false, not 1\n"
       "tallyd.toml:5:1: unknown key \"influxdb.urll\"; did you mean \"influxdb.url\"?\n"
       "tallyd.toml:7:1: unknown key \"log.x\""},
      {"what does not go together", "[listen]\nudp = []\n[http]\nlisten = \"*:1\"",
       "tallyd.toml:2:1: listen names no address and no path: tallyd would receive nothing\n"
       "tallyd.toml:4:1: http.listen (*:1) can be reached by other hosts, and who reaches it sees "
       "every metric: name in http.token_file a file with a token, or listen on loopback, "
       "\"127.0.0.1:8127\""},
      {"and not what may come of another", "[flush]\ny = 1\n[listen]\nudp = []",
       "tallyd.toml:2:1: unknown key \"flush.y\""},
  });
  std::string many;
  for (int i = 0; i < 12; ++i) many += "k" + std::to_string(i) + " = 1\n";
  const std::string told = parse_config(many).error().message;
  CHECK(std::count(told.begin(), told.end(), '\n') == 10);
  CHECK(told.ends_with("tallyd.toml:10:1: unknown key \"k9\"\nand 2 more like these"));
}

TEST_CASE(
    "config: mistakes in variables are told together, and --set behind them is not looked at") {
  ConfigSources sources;
  sources.environment = {{"TALLYD_FLUSH_INTERVAL", "0"}, {"TALLYD_LISTEN_WORKERS", "65"}};
  sources.sets = {"flush.x=1"};
  CHECK(load_config(sources).error().message ==
        "TALLYD_FLUSH_INTERVAL: " + std::string(interval_rule) +
            "0\n"
            "TALLYD_LISTEN_WORKERS: listen.workers must be a whole number from 1 to 64, not 65");
  sources.environment.clear();
  sources.sets = {"flush.x=1", "y"};
  CHECK(load_config(sources).error().message ==
        "--set flush.x: unknown key \"flush.x\"\n"
        "--set y: write KEY=VALUE, such as flush.interval=1s");
}

TEST_CASE("config: a wrong type is an error that says what is allowed") {
  check_messages({
      {"integer for a duration", "flush.interval = 10", at("1:7", interval_rule, "10")},
      {"float for a duration", "flush.interval = 1.5", at("1:7", interval_rule, "1.5")},
      {"array for a duration", "flush.interval = []", at("1:7", interval_rule, "an array")},
      {"date for a duration", "flush.interval = 2024-01-01",
       at("1:7", interval_rule, "a date or time")},
      {"string for an integer", "listen.workers = \"2\"",
       "tallyd.toml:1:8: listen.workers must be a whole number from 1 to 64, not \"2\""},
      {"float for an integer", "listen.workers = 2.0",
       "tallyd.toml:1:8: listen.workers must be a whole number from 1 to 64, not 2"},
      {"boolean for an integer", "limits.tags = true",
       "tallyd.toml:1:8: limits.tags must be a whole number from 0 to 64, not true"},
      {"string for a boolean", "influxdb.gzip = \"yes\"",
       "tallyd.toml:1:10: influxdb.gzip must be true or false, not \"yes\""},
      {"integer for a string", "influxdb.database = 7",
       "tallyd.toml:1:10: influxdb.database must be a string, not 7"},
      {"number for a size", "listen.receive_buffer = 1.5",
       "tallyd.toml:1:8: listen.receive_buffer must be a size from 64KiB to 1GiB, such as "
       "\"32MiB\", not 1.5"},
      {"string for percentiles", "flush.percentiles = \"99\"",
       "tallyd.toml:1:7: flush.percentiles must be an array of numbers, such as [50, 95, 99.9], "
       "not \"99\""},
      {"string within percentiles", "[flush]\npercentiles = [50,\n  \"99\"]",
       "tallyd.toml:3:3: flush.percentiles must be numbers above 0 (from 0.0001) up to 100, not "
       "\"99\""},
      {"number for addresses", "listen.udp = 8125",
       "tallyd.toml:1:8: listen.udp must be an array, such as [\"127.0.0.1:8125\"], "
       "not 8125"},
      {"number within addresses", "listen.udp = [\"*:1\", 8125]",
       "tallyd.toml:1:22: listen.udp must be addresses such as \"127.0.0.1:8125\", not 8125"},
      {"number for an address", "admin.listen = 8126",
       "tallyd.toml:1:7: admin.listen must be an address, such as \"127.0.0.1:8126\", or \"\" for "
       "none, not 8126"},
      {"scalar for a section", "flush = 3", "tallyd.toml:1:1: flush must be a section: [flush]"},
      {"tables for a section", "[[flush]]\ninterval = \"1s\"",
       "tallyd.toml:1:3: flush must be a section: [flush]"},
      {"scalar for tags", "tags = \"a\"", "tallyd.toml:1:1: tags must be a section: [tags]"},
      {"number for a tag", "[tags]\nzone = 1",
       "tallyd.toml:2:1: tags.zone must be a string, not 1"},
      {"table for a tag", "[tags]\na.b = \"x\"",
       "tallyd.toml:2:1: tags.a must be a string, not a table"},
      {"number for a word of two", "names.sanitize = 1",
       "tallyd.toml:1:7: names.sanitize must be \"none\" or \"etsy\", not 1"},
      {"string for a dialect", "dialects.etsy = \"on\"",
       "tallyd.toml:1:10: dialects.etsy must be true or false, not \"on\""},
      {"number for a password", "[influxdb]\npassword = 12345",
       "tallyd.toml:2:1: influxdb.password must be a string (its value is not shown)"},
  });
}

TEST_CASE("config: a value out of range is an error that says what is allowed") {
  const std::string workers =
      "tallyd.toml:1:8: listen.workers must be a whole number from 1 to 64, not ";
  const std::string ttl =
      "tallyd.toml:1:8: gauges.ttl must be a duration from 100ms to 365d, such as \"10s\", or "
      "\"0\" for ever, not ";
  const std::string buffer =
      "tallyd.toml:1:8: listen.receive_buffer must be a size from 64KiB to 1GiB, such as "
      "\"32MiB\", not ";
  const std::string percent =
      "tallyd.toml:1:22: flush.percentiles must be numbers above 0 (from 0.0001) up to 100, not ";
  check_messages({
      {"interval 0", "flush.interval = \"0\"", at("1:7", interval_rule, "\"0\"")},
      {"interval negative", "flush.interval = \"-1s\"", at("1:7", interval_rule, "\"-1s\"")},
      {"interval 1us", "flush.interval = \"1us\"", at("1:7", interval_rule, "\"1us\"")},
      {"interval short", "flush.interval = \"99ms\"", at("1:7", interval_rule, "\"99ms\"")},
      {"interval long", "flush.interval = \"3601s\"", at("1:7", interval_rule, "\"3601s\"")},
      {"interval without unit", "flush.interval = \"10\"", at("1:7", interval_rule, "\"10\"")},
      {"percentile 0", "flush.percentiles = [0]", percent + "0"},
      {"percentile negative", "flush.percentiles = [-1]", percent + "-1"},
      {"percentile above", "flush.percentiles = [100.1]", percent + "100.1"},
      {"percentile tiny", "flush.percentiles = [0.00001]", percent + "1e-05"},
      {"percentile nan", "flush.percentiles = [nan]", percent + "nan"},
      {"percentile inf", "flush.percentiles = [inf]", percent + "inf"},
      {"percentile twice", "flush.percentiles = [50, 99, 50.0]",
       "tallyd.toml:1:30: flush.percentiles holds 50 twice"},
      {"percentiles of one field", "flush.percentiles = [9.9, 99]",
       "tallyd.toml:1:27: flush.percentiles holds 9.9 and 99, which would both be the field p99"},
      {"33 percentiles",
       "flush.percentiles = [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,"
       "24,25,26,27,28,29,30,31,32,33]",
       "tallyd.toml:1:7: flush.percentiles must hold at most 32 numbers, not 33"},
      {"no address", "listen.udp = []",
       "tallyd.toml:1:8: listen names no address and no path: tallyd would receive nothing"},
      {"bad address", "[listen]\nudp = [\n  \"*:1\",\n  \"nohost:1\"]",
       "tallyd.toml:4:3: listen.udp is wrong: \"nohost:1\" is no address to listen on: the host "
       "must be "
       "an IP address, localhost or *"},
      {"address twice", "listen.udp = [\"*:1\", \":1\"]",
       "tallyd.toml:1:22: listen.udp holds *:1 twice"},
      {"no address", "admin.listen = \"8126\"",
       "tallyd.toml:1:7: admin.listen is wrong: \"8126\" is no address to listen on: write "
       "host:port, such as \"127.0.0.1:8125\" or \"[::1]:8125\""},
      {"name with a port", "http.hosts = [\"a:1\"]",
       "tallyd.toml:1:15: http.hosts must be names such as \"tally.example\", without a port, not "
       "\"a:1\""},
      {"empty name", "http.hosts = \"\"",
       "tallyd.toml:1:14: http.hosts must be names such as \"tally.example\", without a port, not "
       "\"\""},
      {"history over a GiB", "http.history = \"2GiB\"",
       "tallyd.toml:1:6: http.history must be a size from 0 to 1GiB, such as \"32MiB\", not "
       "\"2GiB\""},
      {"path without a slash", "listen.unixgram = [\"sock\"]",
       "tallyd.toml:1:20: listen.unixgram must be a path with a '/', or \"@name\", not \"sock\""},
      {"path of 108 bytes", "listen.unix = [\"/" + std::string(107, 'x') + "\"]",
       "tallyd.toml:1:16: listen.unix must have at most 107 bytes, not 108"},
      {"path twice", "listen.unix = [\"@a\", \"@a\"]",
       "tallyd.toml:1:22: listen.unix holds \"@a\" twice"},
      {"mode as a number", "listen.unix_mode = 660",
       "tallyd.toml:1:8: listen.unix_mode must be a file mode such as \"0660\", not 660"},
      {"mode that is not octal", "listen.unix_mode = \"0680\"",
       "tallyd.toml:1:8: listen.unix_mode must be a file mode such as \"0660\", not \"0680\""},
      {"mode with more than permissions", "listen.unix_mode = \"4777\"",
       "tallyd.toml:1:8: listen.unix_mode must be a file mode such as \"0660\", not \"4777\""},
      {"idle at once", "listen.idle_timeout = \"0\"",
       "tallyd.toml:1:8: listen.idle_timeout must be a duration from 1s to 1d, such as \"10s\", "
       "not "
       "\"0\""},
      {"no worker", "listen.workers = 0", workers + "0"},
      {"65 workers", "listen.workers = 65", workers + "65"},
      {"negative workers", "listen.workers = -1", workers + "-1"},
      {"small buffer", "listen.receive_buffer = \"65535\"", buffer + "\"65535\""},
      {"large buffer", "listen.receive_buffer = \"2GiB\"", buffer + "\"2GiB\""},
      {"negative buffer", "listen.receive_buffer = -1", buffer + "-1"},
      {"series 0", "limits.series = 0",
       "tallyd.toml:1:8: limits.series must be a whole number from 1 to 100000000, not 0"},
      {"series above", "limits.series = 100000001",
       "tallyd.toml:1:8: limits.series must be a whole number from 1 to 100000000, not 100000001"},
      {"short names", "limits.name_bytes = 15",
       "tallyd.toml:1:8: limits.name_bytes must be a whole number from 16 to 2048, not 15"},
      {"long names", "limits.name_bytes = 2049",
       "tallyd.toml:1:8: limits.name_bytes must be a whole number from 16 to 2048, not 2049"},
      {"tag bytes", "limits.tag_bytes = 1025",
       "tallyd.toml:1:8: limits.tag_bytes must be a whole number from 1 to 1024, not 1025"},
      {"tags", "limits.tags = 65",
       "tallyd.toml:1:8: limits.tags must be a whole number from 0 to 64, not 65"},
      {"set members", "limits.set_members = 15",
       "tallyd.toml:1:8: limits.set_members must be a whole number from 16 to 1000000, not 15"},
      {"sanitize", "names.sanitize = \"Etsy\"",
       "tallyd.toml:1:7: names.sanitize must be \"none\" or \"etsy\", not \"Etsy\"; did you mean "
       "\"etsy\"?"},
      {"signed gauges", "names.signed_gauges = \"\"",
       "tallyd.toml:1:7: names.signed_gauges must be \"delta\" or \"absolute\", not \"\""},
      {"unknown dialect", "dialects.telegraf = true",
       "tallyd.toml:1:10: unknown key \"dialects.telegraf\"; did you mean \"dialects.librato\"?"},
      {"a dialect without its section", "influx = false",
       "tallyd.toml:1:1: unknown key \"influx\"; did you mean \"dialects.influx\"?"},
      {"ttl too short", "gauges.ttl = \"1ms\"", ttl + "\"1ms\""},
      {"ttl too long", "gauges.ttl = \"366d\"", ttl + "\"366d\""},
      {"timeout", "influxdb.timeout = \"6m\"",
       "tallyd.toml:1:10: influxdb.timeout must be a duration from 100ms to 5m, such as \"10s\", "
       "not \"6m\""},
      {"level", "log.level = \"waning\"",
       "tallyd.toml:1:5: log.level must be trace, debug, info, warning, error or off, not "
       "\"waning\"; "
       "did you mean \"warning\"?"},
      {"level far off", "log.level = \"silent as a grave\"",
       "tallyd.toml:1:5: log.level must be trace, debug, info, warning, error or off, not \"silent "
       "as a grave\""},
  });
}

TEST_CASE("config: a text that would harm a point, a header or a log is an error") {
  const std::string prefix = "tallyd.toml:1:8: output.prefix ";
  const std::string url = "tallyd.toml:1:10: influxdb.url ";
  check_messages({
      {"tag time", "[tags]\ntime = \"x\"",
       "tallyd.toml:2:1: tags.time cannot be a tag: InfluxDB drops points with a tag named time"},
      {"tag of a field", "[tags]\ncount = \"x\"",
       "tallyd.toml:2:1: tags.count cannot be a tag: it is the name of a field"},
      {"tag of a percentile", "[tags]\np999 = \"x\"",
       "tallyd.toml:2:1: tags.p999 cannot be a tag: it is the name of a field"},
      {"tag without a name", "[tags]\n\"\" = \"x\"", "tallyd.toml:2:1: tags. needs a name"},
      {"backslash in a tag's name", "[tags]\n'a\\b' = \"x\"",
       "tallyd.toml:2:1: tags.a\\b must hold no backslash"},
      {"control byte in a tag's name", "[tags]\n\"a\\n\" = \"x\"",
       "tallyd.toml:2:1: \"tags.a\\x0A\" must hold no control bytes"},
      {"backslash in a tag", "[tags]\na = 'x\\'", "tallyd.toml:2:1: tags.a must hold no backslash"},
      {"line end in a tag", "[tags]\na = \"x\\nevil value=1\"",
       "tallyd.toml:2:1: tags.a must hold no control bytes"},
      {"long tag", "tags.a = " + quoted(257),
       "tallyd.toml:1:6: tags.a must have at most 256 bytes"},
      {"long name of a tag", "tags." + std::string(257, 'a') + " = \"\"",
       "tallyd.toml:1:6: tags." + std::string(257, 'a') + " must have at most 256 bytes"},
      {"17 tags with host",
       "[tags]\na=''\nb=''\nc=''\nd=''\ne=''\nf=''\ng=''\nh=''\ni=''\nj=''\nk=''\nl=''\nm=''\nn=''"
       "\n"
       "o=''\nq=''",
       "tallyd.toml:17:1: tags.q is one too many: there can be at most 16 tags"},
      {"prefix comment", "output.prefix = \"#a\"",
       prefix + "must not start with '#': InfluxDB takes such lines as comments"},
      {"prefix backslash", "output.prefix = 'a\\b'", prefix + "must hold no backslash"},
      {"prefix control byte", "output.prefix = \"a\\u0000\"",
       prefix + "must hold no control bytes"},
      {"prefix long", "output.prefix = " + quoted(129), prefix + "must have at most 128 bytes"},
      {"url without scheme", "influxdb.url = \"127.0.0.1:8086\"",
       url + "must start with http:// or https:// (\"\" writes to no database)"},
      {"url of another scheme", "influxdb.url = \"unix:///run/influx\"",
       url + "must start with http:// or https:// (\"\" writes to no database)"},
      {"url with a password", "influxdb.url = \"http://ann:secret@db:8086\"",
       url + "must hold no user and password: use influxdb.username and influxdb.password_file"},
      {"url with a password and no scheme", "influxdb.url = \"ann:secret@db:8086\"",
       url + "must hold no user and password: use influxdb.username and influxdb.password_file"},
      {"url with a query", "influxdb.url = \"http://db:8086/write?db=x\"",
       url + "must end before the '?' or '#': the database has its own key, influxdb.database"},
      {"url with a fragment", "influxdb.url = \"http://db#x\"",
       url + "must end before the '?' or '#': the database has its own key, influxdb.database"},
      {"url without host", "influxdb.url = \"http://\"", url + "must name a host"},
      {"url with a port too large", "influxdb.url = \"http://db:99999\"",
       url + "must be http(s)://host, host:port or [v6 address]:port"},
      {"url with two ports", "influxdb.url = \"http://db:80:90\"",
       url + "must be http(s)://host, host:port or [v6 address]:port"},
      {"url with an open bracket", "influxdb.url = \"http://[::1\"",
       url + "must be http(s)://host, host:port or [v6 address]:port"},
      {"url with port only", "influxdb.url = \"http://:8086\"", url + "must name a host"},
      {"url with a space", "influxdb.url = \"http://a b\"", url + "must hold no space"},
      {"url with a line end", "influxdb.url = \"http://a\\r\\nX:1\"",
       url + "must hold no control bytes"},
      {"long url", "influxdb.url = \"http://" + std::string(4096, 'a') + '"',
       url + "must have at most 4096 bytes"},
      {"proxy with a password", "influxdb.proxy = \"http://ann:secret@proxy\"",
       "tallyd.toml:1:10: influxdb.proxy must hold no user and password: proxies that ask for them "
       "are not "
       "supported"},
      {"colon in the user", "influxdb.username = \"a:b\"",
       "tallyd.toml:1:10: influxdb.username must hold no ':', which ends the user's name in HTTP "
       "Basic "
       "authentication"},
      {"line end in the password", "influxdb.password = \"secret\\n\"",
       "tallyd.toml:1:10: influxdb.password must hold no control bytes"},
  });
}

TEST_CASE("config: keys that do not fit each other are an error") {
  check_messages({
      {"ttl below the interval", "[flush]\ninterval = \"30s\"\n[gauges]\nttl = \"29s\"",
       "tallyd.toml:4:1: gauges.ttl (29s) must be \"0\" or at least flush.interval (30s)"},
      {"no database", "[influxdb]\ndatabase = \"\"",
       "tallyd.toml:2:1: influxdb.database must name a database; to write to none, set "
       "influxdb.url to \"\""},
      {"two passwords",
       "[influxdb]\nusername = \"u\"\npassword = \"secret\"\npassword_file = \"/f\"",
       "tallyd.toml:3:1: influxdb.password and influxdb.password_file are both set; keep one, "
       "better the file"},
      {"password without user", "[influxdb]\npassword_file = \"/f\"",
       "tallyd.toml:2:1: there is a password but no influxdb.username to go with it"},
      {"page for all", "[http]\nlisten = \"*:8127\"",
       "tallyd.toml:2:1: http.listen (*:8127) can be reached by other hosts, and who reaches it "
       "sees every metric: name in http.token_file a file with a token, or listen on loopback, "
       "\"127.0.0.1:8127\""},
      {"admin port for all", "[admin]\nlisten = \":8126\"",
       "tallyd.toml:2:1: admin.listen (*:8126) can be reached by other hosts, and who reaches it "
       "can delete what was counted: name in admin.allow the networks that may, or listen on "
       "loopback, \"127.0.0.1:8126\""},
  });
  for (const char* loopback : {"localhost:1", "127.1.2.3:1", "[::1]:1", ""}) {
    CAPTURE(loopback);
    CHECK(error_of("admin.listen = \"" + std::string(loopback) + "\"") == "(no error)");
    CHECK(error_of("http.listen = \"" + std::string(loopback) + "\"") == "(no error)");
  }
  for (const char* open : {"10.0.0.1:1", "0.0.0.0:1", "[::]:1", "[::ffff:127.0.0.1]:1"}) {
    CAPTURE(open);
    const std::string listen = "admin.listen = \"" + std::string(open) + "\"\n";
    CHECK(error_of(listen) != "(no error)");
    CHECK(error_of(listen + "admin.allow = \"10.0.0.0/8\"") == "(no error)");
    const std::string page = "http.listen = \"" + std::string(open) + "\"\n";
    CHECK(error_of(page) != "(no error)");
    CHECK(error_of(page + "http.token_file = \"/t\"") == "(no error)");
  }
  ConfigSources sources;
  sources.sets = {"influxdb.database="};
  CHECK(error_of(sources) ==
        "--set influxdb.database: influxdb.database must name a database; to write to "
        "none, set influxdb.url to \"\"");
}

TEST_CASE("config: what is no TOML is an error with its place") {
  struct Row {
    std::string_view name;
    std::string text;
    std::string_view begins;
  };
  // What follows is toml++'s wording.
  const std::vector<Row> rows = {
      {"key twice", "[flush]\ninterval = \"1s\"\ninterval = \"2s\"",
       "tallyd.toml:3:12: not valid TOML: "},
      {"section twice", "[flush]\n[log]\n[flush]", "tallyd.toml:3:1: not valid TOML: "},
      {"no value", "[flush]\ninterval =\n", "tallyd.toml:2:11: not valid TOML: "},
      {"text without quotes", "[log]\nlevel = debug", "tallyd.toml:2:9: not valid TOML: "},
      {"open string", "[log]\nlevel = \"info\nx", "tallyd.toml:2:14: not valid TOML: "},
      {"open section", "[log\n", "tallyd.toml:1:5: not valid TOML: "},
      {"INI", "interval: 10s", "tallyd.toml:1:9: not valid TOML: "},
      {"invalid UTF-8", "log.level = \"\xff\"", "tallyd.toml:1:13: not valid TOML: "},
      {"NUL", std::string("a\0", 2), "tallyd.toml:1:2: not valid TOML: "},
      {"big integer", "listen.workers = 99999999999999999999",
       "tallyd.toml:1:38: not valid TOML: "},
      {"UTF-16", std::string("\xFF\xFE[\0f\0", 6), "tallyd.toml: is UTF-16; save it as UTF-8"},
      {"too large", std::string((1 << 20) + 1, '#'), "tallyd.toml: larger than 1 MiB: this is no"},
      {"100,000 tables deep",
       [] {
         std::string deep;
         for (int i = 0; i < 100'000; ++i) deep += "a.";
         return deep + "a = 1";
       }(),
       "tallyd.toml: holds more than 4,000 dots: this is no"},
      {"4,000 tables deep",
       [] {
         std::string deep;
         for (int i = 0; i < 4000; ++i) deep += "a.";
         return deep + "a = 1";
       }(),
       "tallyd.toml:1:1: unknown key \"a\""},
      {"100,000 arrays deep", std::string(100'000, '['), "tallyd.toml:1:"},
      {"100,000 arrays deep in a value", "a = " + std::string(100'000, '['), "tallyd.toml:1:"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const std::string message = error_of(row.text);
    CHECK_MESSAGE(message.starts_with(row.begins), message);
    CHECK(message.find('\n') == std::string::npos);
  }
}

TEST_CASE("config: no message shows a password") {
  for (const std::string_view text :
       {"influxdb.password = [\"hunter2\"]", "influxdb.password = {hunter2 = 1}",
        "influxdb.password = \"hunter2\\n\"", "influxdb.password = \"hunter2\"",
        "influxdb.token = [\"hunter2\"]", "influxdb.token = \"hunter2\\n\"",
        "influxdb = {api = 0.8, token = \"hunter2\"}", "influxdb.url = \"http://u:hunter2@h\"",
        "influxdb.url = \"u:hunter2@h\""}) {
    CAPTURE(text);
    const std::string message = error_of(text);
    CHECK(message != "(no error)");
    CHECK(message.find("hunter2") == std::string::npos);
  }
}

TEST_CASE("config: the file name stands in the message, quoted if it is not plain") {
  CHECK(parse_config("x = 1", "/etc/t.toml").error().message ==
        "/etc/t.toml:1:1: unknown key \"x\"");
  CHECK(parse_config("x = 1", "a\nb").error().message == "\"a\\x0Ab\":1:1: unknown key \"x\"");
}

TEST_CASE("config: file, environment and --set win in this order") {
  ConfigSources sources;
  sources.file_name = "/etc/tallyd/tallyd.toml";
  sources.file_text =
      "[flush]\ninterval = \"2s\"\n[limits]\nseries = 2\ntags = 2\n[tags]\nzone = \"a\"\n";
  sources.environment = {{"TALLYD_LIMITS_SERIES", "3"}, {"TALLYD_LIMITS_TAGS", "3"}};
  sources.sets = {"limits.tags=4", "limits.tags=5"};
  const LoadedConfig loaded = load(sources);
  CHECK(loaded.config.listen.workers == 1);
  CHECK(loaded.config.flush.interval == 2s);
  CHECK(loaded.config.limits.series == 3);
  CHECK(loaded.config.parse.limits.tags == 5);
  CHECK(loaded.origins == Origins{{"flush.interval", "/etc/tallyd/tallyd.toml:2"},
                                  {"limits.series", "TALLYD_LIMITS_SERIES"},
                                  {"limits.tags", "--set"},
                                  {"tags.zone", "/etc/tallyd/tallyd.toml:7"}});
}

TEST_CASE("config: every key has a variable") {
  ConfigSources sources;
  sources.environment = {{"TALLYD_INFLUXDB_URL", "http://db:8086"},
                         {"TALLYD_LISTEN_RECEIVE_BUFFER", "1MiB"},
                         {"TALLYD_LISTEN_UDP", "[\"127.0.0.1:0\", \"[::1]:0\"]"},
                         {"TALLYD_FLUSH_PERCENTILES", "[90]"},
                         {"TALLYD_INFLUXDB_GZIP", "false"},
                         {"TALLYD_INFLUXDB_USERNAME", "007"},
                         {"TALLYD_INFLUXDB_PASSWORD", "12345"},
                         {"TALLYD_TAGS_HOST", "web1"},
                         {"TALLYD_TAGS_DATA_CENTER", "\"eu # 1\""},
                         {"TALLYD_OUTPUT_PREFIX", ""}};
  const Config config = load(sources).config;
  CHECK(config.influxdb[0].url == "http://db:8086");
  CHECK(config.listen.receive_buffer == 1 << 20);
  CHECK(config.listen.udp == std::vector<ListenAddress>{{"127.0.0.1", 0}, {"::1", 0}});
  CHECK(config.flush.percentiles == std::vector<double>{90});
  CHECK_FALSE(config.influxdb[0].gzip);
  CHECK(config.influxdb[0].username == "007");
  CHECK(config.influxdb[0].password == "12345");
  CHECK(config.tags == std::vector<StaticTag>{{"data_center", "eu # 1"}, {"host", "web1"}});

  for (const KeyInfo& info : config_keys()) {
    std::string name = "TALLYD_" + std::string(info.key);
    for (char& c : name) c = c == '.' ? '_' : static_cast<char>(std::toupper(c));
    CAPTURE(name);
    ConfigSources one;
    one.sets = {"influxdb.username=ann"};
    one.environment = {
        {name, "{}"}};  // of no key's type but tags': the variable is known, the value wrong
    const Result<LoadedConfig> loaded = load_config(one);
    if (!loaded)
      CHECK(loaded.error().message.starts_with(name + ": " + std::string(info.key) + " "));
  }
}

TEST_CASE("config: a value from --set is TOML, else text") {
  struct Row {
    std::string_view set;
    std::string_view database;
  };
  const std::vector<Row> rows = {
      {"influxdb.database=plain text", "plain text"},
      {"influxdb.database=\"in quotes\"", "in quotes"},
      {"influxdb.database='a=b,c'", "a=b,c"},
      {"influxdb.database=a=b,c", "a=b,c"},
      {"influxdb.database=true", "true"},
      {"influxdb.database=[1]", "[1]"},
      {"influxdb.database=1 # one", "1 # one"},
      {"influxdb.database= x", " x"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.set);
    ConfigSources sources;
    sources.sets = {std::string(row.set)};
    CHECK(load(sources).config.influxdb[0].database == row.database);
  }
  ConfigSources sources;
  sources.sets = {"flush.interval=1s", "listen.udp=[\"127.0.0.1:0\"]",
                  "influxdb.url=",     "gauges.ttl=0",
                  "tags.a.b=x",        "flush={percentiles=[1]}"};
  const Config config = load(sources).config;
  CHECK(config.flush.interval == 1s);
  CHECK(config.listen.udp == std::vector<ListenAddress>{{"127.0.0.1", 0}});
  CHECK(config.influxdb[0].url.empty());
  CHECK(config.gauges.ttl == 0ms);
  CHECK(config.tags == std::vector<StaticTag>{{"a.b", "x"}, {"host", "auto"}});
  CHECK(config.flush.percentiles == std::vector<double>{1});
}

TEST_CASE("config: a bad variable or --set is an error that names it") {
  struct Row {
    std::string_view name;
    ConfigSources sources;
    std::string_view message;
  };
  const std::vector<Row> rows = {
      {"variable slip",
       {.environment = {{"TALLYD_FLUSH_INTERVALL", "1s"}}},
       "TALLYD_FLUSH_INTERVALL: unknown variable; each TALLYD_<SECTION>_<KEY> names a key of the "
       "configuration; did you mean \"TALLYD_FLUSH_INTERVAL\"?"},
      {"variable of nothing",
       {.environment = {{"TALLYD_", "1s"}}},
       "TALLYD_: unknown variable; each TALLYD_<SECTION>_<KEY> names a key of the configuration"},
      {"variable's value",
       {.environment = {{"TALLYD_LISTEN_WORKERS", "many"}}},
       "TALLYD_LISTEN_WORKERS: listen.workers must be a whole number from 1 to 64, not \"many\""},
      {"variable's element",
       {.environment = {{"TALLYD_FLUSH_PERCENTILES", "[50, 0]"}}},
       "TALLYD_FLUSH_PERCENTILES: flush.percentiles must be numbers above 0 (from 0.0001) up to "
       "100, not 0"},
      {"variable in invalid UTF-8",
       {.environment = {{"TALLYD_INFLUXDB_DATABASE", "\xff"}}},
       "TALLYD_INFLUXDB_DATABASE: the value must be valid UTF-8"},
      {"set without value",
       {.sets = {"flush.interval"}},
       "--set flush.interval: write KEY=VALUE, such as flush.interval=1s"},
      {"set without key", {.sets = {"=1"}}, "--set =1: write KEY=VALUE, such as flush.interval=1s"},
      {"set of nothing", {.sets = {""}}, "--set : write KEY=VALUE, such as flush.interval=1s"},
      {"set slip",
       {.sets = {"flush.intervall=1s"}},
       "--set flush.intervall: unknown key \"flush.intervall\"; did you mean \"flush.interval\"?"},
      {"set of a section", {.sets = {"flush=1"}}, "--set flush: flush must be a section: [flush]"},
      {"set within a section",
       {.sets = {"flush={intervall=\"1s\"}"}},
       "--set flush: unknown key \"flush.intervall\"; did you mean \"flush.interval\"?"},
      {"set out of range",
       {.sets = {"flush.interval=2h"}},
       "--set flush.interval: flush.interval must be a duration from 100ms to 1h, such as \"10s\", "
       "not \"2h\""},
      {"set of a smuggled key",
       {.sets = {"listen.workers=2\nw = 3"}},
       "--set listen.workers: listen.workers must be a whole number from 1 to 64, not \"2\\x0Aw = "
       "3\""},
      {"set with foreign bytes",
       {.sets = {"\x1b[2J=1"}},
       "--set \"\\x1B[2J\": unknown key \"\\x1B[2J\""},
      {"set of a tag named time",
       {.sets = {"tags.time=1"}},
       "--set tags.time: tags.time cannot be a tag: InfluxDB drops points with a tag named time"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(error_of(row.sources) == row.message);
  }
}

TEST_CASE("config: the effective config names every key with its origin") {
  ConfigSources sources;
  sources.file_name = "t.toml";
  sources.file_text = "[flush]\n\ninterval = \"1500ms\"\n[tags]\n\"a b\" = \"x\\\"y\"\n";
  sources.environment = {{"TALLYD_INFLUXDB_USERNAME", "ann"},
                         {"TALLYD_INFLUXDB_PASSWORD", "hunter2"}};
  sources.sets = {"log.level=debug"};
  const std::string text = config_to_toml(load(sources));
  CHECK(text == R"([flush]
interval = "1500ms"  # t.toml:3
percentiles = [50, 75, 95, 99, 99.9]  # default

[listen]
udp = ["127.0.0.1:8125", "[::1]:8125"]  # default
tcp = []  # default
unixgram = []  # default
unix = []  # default
unix_mode = "0660"  # default
unix_owner = ""  # default
allow = []  # default
idle_timeout = "10m"  # default
receive_buffer = "32MiB"  # default
workers = 1  # default

[limits]
series = 1000000  # default
name_bytes = 512  # default
tag_bytes = 256  # default
tags = 64  # default
set_members = 4096  # default
connections = 1024  # default
lateness = "1h"  # default

[dialects]
etsy = true  # default
dogstatsd = true  # default
influx = true  # default
graphite = true  # default
signalfx = true  # default
librato = true  # default
events = true  # default
service_checks = true  # default

[names]
sanitize = "none"  # default
signed_gauges = "delta"  # default

[gauges]
ttl = "1h"  # default

[tags]
"a b" = "x\"y"  # t.toml:5
host = "auto"  # default

[output]
naming = "native"  # default
measurement = "per_metric"  # default
prefix = ""  # default

[influxdb]
name = ""  # default
url = "http://127.0.0.1:8086"  # default
api = "auto"  # default
database = "metric"  # default
create_database = true  # default
retention_policy = ""  # default
org = ""  # default
username = "ann"  # TALLYD_INFLUXDB_USERNAME
# password = "********"  # TALLYD_INFLUXDB_PASSWORD
password_file = ""  # default
token = ""  # default
token_file = ""  # default
timeout = "10s"  # default
gzip = true  # default
ca_file = ""  # default
proxy = ""  # default

[spool]
directory = ""  # default
when = "needed"  # default
sync = "interval"  # default
max_bytes = "1GiB"  # default
max_age = "1d"  # default
min_free = "512MiB"  # default
adopt = false  # default

[http]
listen = "127.0.0.1:8127"  # default
token_file = ""  # default
hosts = []  # default
history = "48MiB"  # default
application_metrics = false  # default
quit = false  # default

[admin]
listen = "127.0.0.1:8126"  # default
allow = []  # default

[log]
level = "debug"  # --set
)");
}

TEST_CASE("config: the effective config reads back to itself, without the password") {
  ConfigSources sources;
  sources.file_name = "odd\nname\xff";
  sources.file_text = "log.level = \"off\"";
  sources.sets = {"flush.interval=3s",
                  "flush.percentiles=[99.999, 0.0001, 33.333333333333336]",
                  "listen.udp=[\"[::]:0\", \":1\"]",
                  "listen.tcp=[\"localhost:1\"]",
                  "listen.unixgram=@a\"b",
                  "listen.unix=[\"/a/b c\", \"./d\"]",
                  "listen.unix_mode=0600",
                  "listen.unix_owner=:nogroup",
                  "listen.allow=[\"10.0.0.0/8\", \"fd00::/8\", \"::1\"]",
                  "listen.idle_timeout=1m",
                  "limits.lateness=2d",
                  "listen.receive_buffer=65537",
                  "gauges.ttl=0",
                  "dialects.librato=false",
                  "names.sanitize=etsy",
                  "names.signed_gauges=absolute",
                  "tags.host=",
                  "tags.a.b=é \" #",
                  "output.prefix=pre \" fix.",
                  "influxdb.username=ann",
                  "influxdb.password=hunter2",
                  "influxdb.token=hunter2",
                  "influxdb.name=a.b",
                  "influxdb.ca_file='C:\\x'",
                  "output.naming=go-metrics",
                  "spool.directory=/s",
                  "spool.when=always",
                  "spool.sync=always",
                  "spool.max_bytes=1000GB",
                  "spool.max_age=90m",
                  "spool.min_free=0",
                  "spool.adopt=true",
                  "http.listen=[::]:2",
                  "http.token_file=/etc/token",
                  "http.hosts=[\"a.b\"]",
                  "http.history=0",
                  "admin.listen=[::]:1",
                  "admin.allow=[\"fd00::/8\", \"127.0.0.1\"]"};
  LoadedConfig loaded = load(sources);
  const std::string text = config_to_toml(loaded);
  CHECK(text.find("hunter2") == std::string::npos);
  const Result<Config> back = parse_config(text);
  if (!back) FAIL(back.error().message);
  loaded.config.influxdb[0].password.clear();
  loaded.config.influxdb[0].token.clear();
  CHECK(back.value() == loaded.config);
}

TEST_CASE("config: [[influxdb]] names several destinations, each with all keys") {
  const LoadedConfig loaded = load({.file_name = "t.toml", .file_text = R"(
[[influxdb]]
url = "http://one:8086"
[[influxdb]]
name = "two"
api = 2
token_file = "/t"
[[influxdb]]
url = "https://three/base"
database = "d"
gzip = false
)"});
  Config expected;
  expected.influxdb.resize(3);
  expected.influxdb[0].url = "http://one:8086";
  expected.influxdb[1].name = "two";
  expected.influxdb[1].api = Api::v2;
  expected.influxdb[1].token_file = "/t";
  expected.influxdb[2].url = "https://three/base";
  expected.influxdb[2].database = "d";
  expected.influxdb[2].gzip = false;
  CHECK(loaded.config == expected);
  CHECK(loaded.origins == Origins{{"influxdb.url", "t.toml:3"},
                                  {"influxdb[1].name", "t.toml:5"},
                                  {"influxdb[1].api", "t.toml:6"},
                                  {"influxdb[1].token_file", "t.toml:7"},
                                  {"influxdb[2].url", "t.toml:9"},
                                  {"influxdb[2].database", "t.toml:10"},
                                  {"influxdb[2].gzip", "t.toml:11"}});
  CHECK(parse_config("[[influxdb]]").value() == Config{});
}

TEST_CASE("config: a destination is called by its name, else by the host and port of its url") {
  struct Row {
    std::string name, url, called;
  };
  const std::vector<Row> rows = {
      {"", "http://db:8086", "db:8086"},
      {"", "https://[::1]:8086/path", "[::1]:8086"},
      {"", "http://db", "db"},
      {"", "http://../x", "_."},
      {"", "http://grüße:1", "gr____e:1"},
      {"", "http://" + std::string(100, 'a'), std::string(64, 'a')},
      {"", "", "stdout"},
      {"main", "http://db:8086", "main"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.url);
    CHECK(destination_name({.name = row.name, .url = row.url}) == row.called);
  }
}

TEST_CASE("config: influxdb.api is one of five words, with or without quotes") {
  struct Row {
    std::string_view text;
    std::optional<Api> api;
  };
  for (const Row& row : {Row{"\"auto\"", {}}, Row{"\"0.8\"", Api::v0_8}, Row{"0.8", Api::v0_8},
                         Row{"\"1\"", Api::v1}, Row{"1", Api::v1}, Row{"\"2\"", Api::v2},
                         Row{"2", Api::v2}, Row{"\"3\"", Api::v3}, Row{"3", Api::v3}}) {
    CAPTURE(row.text);
    const LoadedConfig loaded = load({.sets = {"influxdb.api=" + std::string(row.text)}});
    CHECK(loaded.config.influxdb[0].api == row.api);
    CHECK(parse_config(config_to_toml(loaded)).value() == loaded.config);
  }
  const std::string rule =
      "tallyd.toml:1:10: influxdb.api must be \"auto\", \"0.8\", \"1\", \"2\" or \"3\", not ";
  check_messages({
      {"another number", "influxdb.api = 4", rule + "4"},
      {"another word", "influxdb.api = \"v2\"", rule + "\"v2\"; did you mean \"2\"?"},
      {"no word", "influxdb.api = [1]", rule + "an array"},
  });
}

TEST_CASE("config: a mistake in a destination names its place") {
  const std::string two = "[[influxdb]]\n[[influxdb]]\nname = \"b\"\n";
  check_messages({
      {"unknown key", two + "databse = \"x\"",
       "tallyd.toml:4:1: unknown key \"influxdb.databse\"; did you mean \"influxdb.database\"?"},
      {"wrong type", two + "gzip = 1",
       "tallyd.toml:4:1: influxdb.gzip must be true or false, not 1"},
      {"one name twice", two + "[[influxdb]]\nname = \"b\"",
       "tallyd.toml:5:1: two destinations are named b; give each a name of its own "
       "(influxdb.name)"},
      {"one host twice", "[[influxdb]]\n[[influxdb]]\ndatabase = \"other\"",
       "tallyd.toml:3:1: two destinations are named 127.0.0.1:8086; give each a name of its own "
       "(influxdb.name)"},
      {"standard output among others", two + "url = \"\"",
       "tallyd.toml:4:1: influxdb.url is \"\", which is standard output: that can only be the one "
       "destination"},
      {"no database", two + "database = \"\"",
       "tallyd.toml:4:1: influxdb.database must name a database; to write to none, set "
       "influxdb.url to \"\""},
      {"two tokens", two + "token = \"secret\"\ntoken_file = \"/f\"",
       "tallyd.toml:4:1: influxdb.token and influxdb.token_file are both set; keep one, better the "
       "file"},
      {"token for 0.8", two + "api = 0.8\ntoken_file = \"/f\"",
       "tallyd.toml:5:1: InfluxDB 0.8 (influxdb.api) knows no tokens; set influxdb.username and "
       "influxdb.password_file"},
      {"token and user for one api", two + "api = 2\ntoken_file = \"/f\"\nusername = \"u\"",
       "tallyd.toml:5:1: there is a token and an influxdb.username, and a request carries one of "
       "them; keep the token for InfluxDB 2 and 3, the user for 1"},
      {"too many",
       [] {
         std::string nine;
         for (int i = 0; i < 9; ++i) nine += "[[influxdb]]\nname = \"" + std::to_string(i) + "\"\n";
         return nine;
       }(),
       "tallyd.toml:1:3: influxdb must name 1 to 8 destinations, not 9"},
      {"none", "influxdb = []", "tallyd.toml:1:1: influxdb must name 1 to 8 destinations, not 0"},
      {"no sections", "influxdb = [1]", "tallyd.toml:1:1: influxdb must be sections: [[influxdb]]"},
      {"name with a slash", "influxdb.name = \"a/b\"",
       "tallyd.toml:1:10: influxdb.name must be made of a-z A-Z 0-9 . _ - : [ ] and not begin with "
       "'.', not \"a/b\""},
      {"name that is a parent directory", "influxdb.name = \"..\"",
       "tallyd.toml:1:10: influxdb.name must be made of a-z A-Z 0-9 . _ - : [ ] and not begin with "
       "'.', not \"..\""},
      {"long name", "influxdb.name = " + quoted(65),
       "tallyd.toml:1:10: influxdb.name must have at most 64 bytes"},
  });
  // One request can be for 1, the next for 2: then both have their use.
  CHECK(error_of("influxdb = {token_file = \"/t\", username = \"u\"}") == "(no error)");
}

TEST_CASE("config: --set and the environment reach the only destination, or one by its name") {
  ConfigSources sources;
  sources.file_text = "[[influxdb]]\nname = \"a\"\n[[influxdb]]\nurl = \"http://10.0.0.1:80\"";
  sources.sets = {"influxdb.a.url=http://a:1", "influxdb.10.0.0.1:80.database=b",
                  "influxdb.10.0.0.1:80.name=b", "influxdb.b.gzip=false"};
  const LoadedConfig loaded = load(sources);
  CHECK(loaded.config.influxdb[0].url == "http://a:1");
  CHECK(loaded.config.influxdb[0].database == "metric");
  CHECK(loaded.config.influxdb[1].database == "b");
  CHECK(loaded.config.influxdb[1].name == "b");
  CHECK_FALSE(loaded.config.influxdb[1].gzip);
  CHECK(loaded.origins.at("influxdb[1].gzip") == "--set");

  sources.sets = {"influxdb.url=http://x"};
  CHECK(error_of(sources) ==
        "--set influxdb.url: there are 2 destinations: write --set influxdb.NAME.url, NAME one of "
        "a, 10.0.0.1:80");
  sources.sets = {"influxdb={url=\"http://x\"}"};
  CHECK(error_of(sources) ==
        "--set influxdb: there are 2 destinations: write --set influxdb.NAME.url, NAME one of a, "
        "10.0.0.1:80");
  sources.sets = {"influxdb.c.url=http://x"};
  CHECK(error_of(sources) ==
        "--set influxdb.c.url: no destination is named \"c\", only a, 10.0.0.1:80");
  sources.sets = {"influxdb.a.uri=http://x"};
  CHECK(error_of(sources) ==
        "--set influxdb.a.uri: unknown key \"influxdb.uri\"; did you mean \"influxdb.url\"?");
  sources.sets = {"influxdb.a.gzip=1", "log.level=off"};
  CHECK(error_of(sources) == "--set influxdb.a.gzip: influxdb.gzip must be true or false, not 1");
  sources.sets = {};
  sources.environment = {{"TALLYD_INFLUXDB_URL", "http://x"}};
  CHECK(error_of(sources) ==
        "TALLYD_INFLUXDB_URL: there are 2 destinations: write --set influxdb.NAME.url, NAME one of "
        "a, 10.0.0.1:80");

  sources.file_text = "[[influxdb]]\nname = \"a\"";
  sources.sets = {"influxdb.a.database=d"};
  const Config one = load(sources).config;
  CHECK(one.influxdb[0].url == "http://x");
  CHECK(one.influxdb[0].database == "d");

  sources.sets = {"influxdb=[{name = \"x\"}, {name = \"y\"}]"};
  CHECK(load(sources).config.influxdb[1].name == "y");
  CHECK(load(sources).config.influxdb[0].url == "http://127.0.0.1:8086");
}

TEST_CASE("config: several destinations are printed so that they read back, without secrets") {
  ConfigSources sources;
  sources.file_name = "t.toml";
  sources.file_text = R"([[influxdb]]
url = "http://one:8086"
api = "0.8"
username = "u"
password = "hunter2"
[[influxdb]]
name = "two"
token = "hunter2"
org = "o"
)";
  LoadedConfig loaded = load(sources);
  const std::string text = config_to_toml(loaded);
  CHECK(text.find("hunter2") == std::string::npos);
  const std::size_t begin = text.find("[[influxdb]]");
  REQUIRE(begin != std::string::npos);
  CHECK(text.substr(begin, text.find("[spool]") - begin) == R"([[influxdb]]
name = ""  # default
url = "http://one:8086"  # t.toml:2
api = "0.8"  # t.toml:3
database = "metric"  # default
create_database = true  # default
retention_policy = ""  # default
org = ""  # default
username = "u"  # t.toml:4
# password = "********"  # t.toml:5
password_file = ""  # default
token = ""  # default
token_file = ""  # default
timeout = "10s"  # default
gzip = true  # default
ca_file = ""  # default
proxy = ""  # default

[[influxdb]]
name = "two"  # t.toml:7
url = "http://127.0.0.1:8086"  # default
api = "auto"  # default
database = "metric"  # default
create_database = true  # default
retention_policy = ""  # default
org = "o"  # t.toml:9
username = ""  # default
password = ""  # default
password_file = ""  # default
# token = "********"  # t.toml:8
token_file = ""  # default
timeout = "10s"  # default
gzip = true  # default
ca_file = ""  # default
proxy = ""  # default

)");
  const Result<Config> back = parse_config(text);
  if (!back) FAIL(back.error().message);
  loaded.config.influxdb[0].password.clear();
  loaded.config.influxdb[1].token.clear();
  CHECK(back.value() == loaded.config);
}

TEST_CASE("config: names of other writers are a choice of five, and have no per_type") {
  CHECK(parse_config("output.naming = \"go-metrics\"").value().output.naming ==
        Profile::go_metrics);
  CHECK(parse_config("output.naming = \"telegraf\"").value().output.naming == Profile::telegraf);
  CHECK(parse_config("output.naming = \"gostatsd\"").value().output.naming == Profile::gostatsd);
  CHECK(parse_config("output.naming = \"etsy\"").value().output.naming == Profile::etsy);
  check_messages({
      {"slip", "output.naming = \"go_metrics\"",
       "tallyd.toml:1:8: output.naming must be \"native\", \"go-metrics\", \"telegraf\", "
       "\"gostatsd\" or \"etsy\", not \"go_metrics\"; did you mean \"go-metrics\"?"},
      {"per_type of another", "[output]\nnaming = \"etsy\"\nmeasurement = \"per_type\"",
       "tallyd.toml:3:1: output.measurement = \"per_type\" goes with output.naming = \"native\" "
       "only: the other names are those of dashboards, which know no tag metric"},
  });
}

TEST_CASE("config: the spool has its bounds") {
  check_messages({
      {"few bytes", "spool.max_bytes = \"15MiB\"",
       "tallyd.toml:1:7: spool.max_bytes must be a size from 16MiB to 1024GiB, such as \"32MiB\", "
       "not \"15MiB\""},
      {"short age", "spool.max_age = \"59s\"",
       "tallyd.toml:1:7: spool.max_age must be a duration from 1m to 365d, such as \"10s\", not "
       "\"59s\""},
      {"sync", "spool.sync = \"alway\"",
       "tallyd.toml:1:7: spool.sync must be \"interval\", \"always\" or \"never\", not "
       "\"alway\"; did you mean \"always\"?"},
      {"when", "spool.when = true",
       "tallyd.toml:1:7: spool.when must be \"needed\" or \"always\", not true"},
      {"control byte in the directory", "spool.directory = \"/a\\n\"",
       "tallyd.toml:1:7: spool.directory must hold no control bytes"},
  });
}

TEST_CASE("config: every key has its value, of each destination and tag, and no secret's") {
  const Config config = parse_config(R"(
[tags]
region = "e\"u"
[[influxdb]]
url = "http://one:1"
password = "hush"
username = "ann"
[[influxdb]]
url = "http://two:2"
)")
                            .value();
  std::map<std::string, std::string> values;
  for (const auto& [key, value] : config_values(config)) CHECK(values.emplace(key, value).second);
  CHECK(values.at("flush.interval") == R"("10s")");
  CHECK(values.at("flush.percentiles") == "[50, 75, 95, 99, 99.9]");
  CHECK(values.at("dialects.etsy") == "true");
  CHECK(values.at("tags.host") == R"("auto")");
  CHECK(values.at("tags.region") == R"("e\"u")");
  CHECK(values.at("influxdb.url") == R"("http://one:1")");
  CHECK(values.at("influxdb[1].url") == R"("http://two:2")");
  CHECK(values.at("influxdb.password") == R"("********")");
  CHECK(values.at("influxdb[1].password") == R"("")");
  for (const KeyInfo& info : config_keys()) {
    CAPTURE(info.key);
    CHECK(values.contains(std::string(info.key) + (info.key == "tags" ? ".host" : "")));
  }
}
