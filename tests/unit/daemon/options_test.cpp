#include "daemon/options.hpp"

#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include <string_view>
#include <vector>

using namespace tally;

using Arguments = std::vector<std::string>;

TEST_CASE("options: what is given is read") {
  struct Row {
    std::string_view name;
    Arguments arguments;
    Options expected;
  };
  const std::vector<Row> rows = {
      {"nothing", {}, {}},
      {"run", {"run"}, {}},
      {"config file", {"-c", "a.toml"}, {.config_file = "a.toml"}},
      {"config file, long", {"--config", "a.toml"}, {.config_file = "a.toml"}},
      {"config file, joined", {"--config=a.toml"}, {.config_file = "a.toml"}},
      {"empty config file", {"--config", ""}, {.config_file = ""}},
      {"verb and flags in any order",
       {"-c", "a", "config", "--set", "x=1"},
       {.verb = Verb::config, .config_file = "a", .sets = {"x=1"}}},
      {"commas and equals signs in --set",
       {"--set", "listen.udp=[\"a:1\",\"b:2\"]", "--set=tags.a=b=c,d", "--set", "influxdb.url="},
       {.sets = {"listen.udp=[\"a:1\",\"b:2\"]", "tags.a=b=c,d", "influxdb.url="}}},
      {"log level",
       {"--log-level", "debug", "--set", "log.level=off"},
       {.sets = {"log.level=off", "log.level=debug"}, .log_level = "debug"}},
      {"check", {"check"}, {.verb = Verb::check}},
      {"check --offline", {"check", "--offline"}, {.verb = Verb::check, .offline = true}},
      {"check --running", {"--running", "check"}, {.verb = Verb::check, .running = true}},
      {"explain", {"explain", "a:1|c"}, {.verb = Verb::explain, .line = "a:1|c"}},
      {"explain a line with commas",
       {"explain", "a,b=c,d=e:1|c|#x,y"},
       {.verb = Verb::explain, .line = "a,b=c,d=e:1|c|#x,y"}},
      {"explain an empty line", {"explain", ""}, {.verb = Verb::explain, .line = ""}},
      {"explain --json -",
       {"explain", "--json", "-"},
       {.verb = Verb::explain, .json = true, .line = "-"}},
      {"check --json", {"check", "--json"}, {.verb = Verb::check, .json = true}},
      {"explain - --json",
       {"explain", "-", "--json"},
       {.verb = Verb::explain, .json = true, .line = "-"}},
      {"a line that begins like a flag",
       {"explain", "--", "--a:1|c"},
       {.verb = Verb::explain, .line = "--a:1|c"}},
      {"spool", {"spool"}, {.verb = Verb::spool}},
      {"spool cat of a directory",
       {"spool", "cat", "/var/spool/x"},
       {.verb = Verb::spool, .spool_action = SpoolAction::cat, .spool_root = "/var/spool/x"}},
      {"spool dead", {"spool", "dead"}, {.verb = Verb::spool, .spool_action = SpoolAction::dead}},
      {"spool retry-dead",
       {"spool", "retry-dead"},
       {.verb = Verb::spool, .spool_action = SpoolAction::retry_dead}},
      {"help", {"-h"}, {.wants_help = true}},
      {"help whatever else", {"nonsense", "--help", "--more"}, {.wants_help = true}},
      {"version", {"--version"}, {.wants_version = true}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Result<Options> options = parse_options(row.arguments);
    if (!options) FAIL_CHECK(options.error().message);
    if (options) CHECK(options.value() == row.expected);
  }
}

TEST_CASE("options: a slip is one line that says what was probably meant") {
  struct Row {
    std::string_view name;
    Arguments arguments;
    std::string_view message;
  };
  const std::vector<Row> rows = {
      {"verb", {"cofnig"}, R"(unknown verb "cofnig"; did you mean "config"?)"},
      {"verb far off", {"start-me-up"}, R"(unknown verb "start-me-up"; see tallyd --help)"},
      {"verb with foreign bytes", {"\x1b[2J"}, R"(unknown verb "\x1B[2J"; see tallyd --help)"},
      {"spool action",
       {"spool", "retry-ded"},
       R"(tallyd spool cannot "retry-ded"; did you mean "retry-dead"?)"},
      {"a word too many for spool", {"spool", "cat", "a", "b"}, R"(one word too many: "b")"},
      {"flag", {"--confg", "x"}, R"(unknown flag "--confg"; did you mean "--config"?)"},
      {"flag with a value",
       {"--log-levl=x"},
       R"(unknown flag "--log-levl"; did you mean "--log-level"?)"},
      {"flag far off", {"--daemonise"}, R"(unknown flag "--daemonise"; see tallyd --help)"},
      {"short flag", {"-x"}, R"(unknown flag "-x"; did you mean "-c"?)"},
      {"two verbs", {"check", "config"}, R"(one word too many: "config")"},
      {"a line without quotes",
       {"explain", "a:1", "|c"},
       R"(one word too many: "|c"; put the line in quotes, 'name:1|c')"},
      {"explain what",
       {"explain"},
       "explain needs a line, such as tallyd explain 'hits:1|c', or - for standard input"},
      {"offline run", {"--offline"}, "--offline belongs to tallyd check"},
      {"running config", {"config", "--running"}, "--running belongs to tallyd check"},
      {"json config", {"config", "--json"}, "--json belongs to tallyd explain and tallyd check"},
      {"both checks",
       {"check", "--offline", "--running"},
       "--offline and --running exclude each other"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Result<Options> options = parse_options(row.arguments);
    REQUIRE_FALSE(options);
    CHECK(options.error().message == row.message);
  }
}

TEST_CASE("options: a flag without its value is an error that names it") {
  for (const Arguments& arguments :
       {Arguments{"--config"}, Arguments{"--set"}, Arguments{"--json=perhaps"}}) {
    const Result<Options> options = parse_options(arguments);
    REQUIRE_FALSE(options);
    CHECK(options.error().message.ends_with("; see tallyd --help"));
    CHECK(options.error().message.find('\n') == std::string::npos);
  }
}

TEST_CASE("options: the help names every verb and flag, and fits a terminal") {
  const std::string help = help_text();
  for (const std::string_view word :
       {"tallyd [run]", "tallyd config", "tallyd check", "tallyd explain", "-c, --config", "--set",
        "--log-level", "--offline", "--running", "--json", "--version", "--help", "| nc -u",
        "/etc/tallyd/tallyd.toml", "TALLYD_"}) {
    CAPTURE(word);
    CHECK(help.find(word) != std::string::npos);
  }
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) CHECK(line.size() <= 100);
}
